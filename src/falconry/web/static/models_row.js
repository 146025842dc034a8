// One model on this machine: what it is, whether it is in memory, and what can be done with it.
import { announce, button, el, icon, store, t } from "./dom.js";
import { facts, memorySize } from "./models_figures.js";

export class ModelRow {
  /** `actions`: load, and for who may do it unload and remove. */
  constructor(actions) {
    this.actions = actions;
    this.name = el("bdi", { className: "f-model-name" });
    this.facts = el("p", { className: "f-muted f-figure" });
    this.dot = el("i");
    this.word = el("span");
    this.state = el("span", { className: "f-state" }, this.dot, this.word);
    this.bar = el("progress", { className: "f-progress", max: 1, hidden: true });
    this.chat = el("a", { className: "f-button f-solid f-go", href: "/" }, icon("chat"), el("span", {}, t("chat_with")));
    this.chat.onclick = () => store.set("model", this.model.name);
    this.toggle = button(t("here_load"), null, () => this.press(), { label: true, className: "f-quiet" });
    this.trash = actions.remove ? button(t("here_delete"), "trash", () => actions.remove(this.file)) : null;
    this.reason = el("p", { className: "f-wrong", hidden: true });
    this.element = el(
      "li", { className: "f-model" },
      el("div", { className: "f-model-line" },
        el("div", { className: "f-model-what" }, el("div", { className: "f-model-head" }, this.name, this.state), this.facts),
        el("div", { className: "f-acts" }, this.chat, this.toggle, this.trash),
        this.bar),
      this.reason,
    );
  }

  /** `room`: bytes of memory that this machine has, null where nobody knows. */
  update(model, file, room) {
    this.file = file;
    const drawn = JSON.stringify([model, file?.removable, room]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.model = model;
    const title = model.title || model.name;
    this.name.textContent = title;
    this.facts.textContent = facts(model);
    this.facts.hidden = !this.facts.textContent;
    this.chat.setAttribute("aria-label", `${t("chat_with")}: ${title}`);
    this.showState(model, title, room);
    if (!this.trash) return;
    this.trash.classList.toggle("f-away", !file?.removable); // it keeps its place, so that the others stay where they are
    this.trash.setAttribute("aria-label", `${t("here_delete")}: ${title}`);
  }

  showState(model, title, room) {
    const { state = "unloaded", progress } = model;
    const share = state === "loading" && typeof progress === "number" ? progress : null;
    const part = share === null ? "" : ` ${Math.round(share * 100)} %`;
    this.state.dataset.state = state;
    const large = state === "unloaded" && room !== null && model.needs > room ? t("catalog_too_large", { size: memorySize(model.needs) }) : null;
    this.state.hidden = state === "unloaded" && !model.default && !large;
    this.word.textContent = state === "unloaded" ? large ?? t("here_default") : t(STATES[state]) + part + (state === "ready" && model.memory ? ` · ${memorySize(model.memory)}` : "");
    this.bar.hidden = state !== "loading";
    if (share !== null) this.bar.value = share;
    else this.bar.removeAttribute("value");
    this.bar.setAttribute("aria-label", t("here_loading_name", { name: title }));
    this.reason.hidden = !model.problem;
    this.reason.textContent = model.problem?.text ?? "";
    const loaded = state === "ready" || state === "loading";
    this.toggle.firstElementChild.textContent = t(loaded ? "here_unload" : "here_load");
    const gone = model.engine === "missing"; // the settings name it, and it is not there
    this.chat.hidden = gone;
    this.toggle.hidden = gone;
    this.toggle.classList.toggle("f-away", loaded && !this.actions.unload);
    this.toggle.setAttribute("aria-label", `${t(loaded ? "here_unload" : "here_load")}: ${title}`);
  }

  /** Says why what was asked for is not done, until it is other than it was. */
  refuse(text) {
    this.reason.textContent = text;
    this.reason.hidden = false;
    announce(text);
  }

  press() {
    const { state } = this.model;
    return state === "ready" || state === "loading" ? this.actions.unload() : this.actions.load();
  }
}

const STATES = { ready: "here_ready", loading: "here_loading", failed: "here_failed" };
