// One endpoint: what it is, how it is, its models, and what can be done with it.
import { post, remove } from "./api.js";
import { announce, button, dialog, el, icon, notice, store, t } from "./dom.js";
import { ago, attempt, form } from "./forms.js";
import { number } from "./models_figures.js";

const STATES = { ready: "endpoint_ready", failed: "endpoint_failed", unknown: "endpoint_unknown" };

/** "Qwen3-4B · context 40,960 · tools · images" */
export function modelText({ id, context_length: length, tools, vision }) {
  const parts = [id];
  if (length) parts.push(t("context_tokens", { number: number(length) }));
  if (tools) parts.push(t("feature_tools"));
  if (vision) parts.push(t("feature_vision"));
  return parts.join(" · ");
}

/** The models that are in the picker: those that were chosen, else all that chat. */
const offered = ({ chosen, models }) => (chosen.length ? chosen.map((id) => models.find((model) => model.id === id) ?? { id }) : models.filter((model) => model.chat));

export class EndpointRow {
  constructor(refresh) {
    this.refresh = refresh;
    this.name = el("bdi", { className: "f-model-name" });
    this.word = el("span");
    this.state = el("span", { className: "f-state" }, el("i"), this.word);
    this.facts = el("p", { className: "f-muted f-figure" });
    this.chat = el("a", { className: "f-button f-solid f-go", href: "/" }, icon("chat"), el("span", {}, t("chat_with")));
    this.chat.onclick = () => store.set("model", this.endpoint.name);
    this.test = button(t("endpoint_test"), null, () => this.tryOut(), { label: true, className: "f-quiet" });
    this.trash = button(t("endpoint_remove"), "trash", () => this.askRemove());
    this.reason = el("p", { className: "f-wrong", hidden: true });
    this.told = el("p", { className: "f-muted", hidden: true, role: "status" });
    this.title = el("summary", {});
    this.models = el("ul", { className: "f-endpoint-models" });
    this.fold = el("details", { className: "f-fold", hidden: true }, this.title, this.models);
    this.element = el(
      "li", { className: "f-model" },
      el("div", { className: "f-model-line" },
        el("div", { className: "f-model-what" }, el("div", { className: "f-model-head" }, this.name, this.state), this.facts),
        el("div", { className: "f-acts" }, this.chat, this.test, this.trash)),
      this.reason, this.told, this.fold,
    );
  }

  update(endpoint) {
    this.endpoint = endpoint;
    const { name, url, state, problem, kind_name: kind, version, source } = endpoint;
    const models = offered(endpoint);
    const drawn = JSON.stringify(endpoint);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.name.textContent = name;
    this.state.dataset.state = state;
    this.word.textContent = t(STATES[state]);
    const facts = [[kind, version].filter(Boolean).join(" "), url];
    if (models.length === 1) facts.push(modelText(models[0]));
    if (endpoint.has_key) facts.push(t("endpoint_has_key"));
    if (source === "settings") facts.push(t("source_settings"));
    if (endpoint.learnt_at) facts.push(t("endpoint_asked", { when: ago(endpoint.learnt_at) }));
    this.facts.textContent = facts.filter(Boolean).join(" · ");
    this.reason.hidden = !problem;
    this.reason.textContent = problem?.text ?? "";
    this.trash.classList.toggle("f-away", source === "settings");
    for (const [element, word] of [[this.chat, "chat_with"], [this.test, "endpoint_test"], [this.trash, "endpoint_remove"]]) element.setAttribute("aria-label", `${t(word)}: ${name}`);
    this.showModels(models);
  }

  showModels(models) {
    this.fold.hidden = models.length < 2;
    this.title.textContent = t("endpoint_models", { count: models.length });
    this.models.replaceChildren(...models.map((model, index) => {
      const link = el("a", { href: "/", onclick: () => store.set("model", index ? `${this.endpoint.name}/${model.id}` : this.endpoint.name) }, modelText(model));
      return el("li", {}, link);
    }));
  }

  async tryOut() {
    this.test.disabled = true;
    this.test.setAttribute("aria-busy", "true");
    this.told.hidden = true;
    const report = await attempt(() => post("/api/endpoints/test", { name: this.endpoint.name }));
    await attempt(this.refresh);
    this.test.disabled = false;
    this.test.removeAttribute("aria-busy");
    if (!report) return;
    this.told.hidden = !report.ok;
    if (report.ok) this.told.textContent = t("endpoint_works", { model: report.model ?? "", seconds: report.seconds });
    else announce(report.problem.text);
  }

  askRemove() {
    const { name } = this.endpoint;
    const box = dialog(t("endpoint_remove_title", { name }), el("p", {}, t("endpoint_remove_more")), form([], t("endpoint_remove"), async () => {
      await remove(`/api/endpoints/${encodeURIComponent(name)}`);
      box.close();
      notice(t("endpoint_removed", { name }));
      await this.refresh();
    }, { danger: true }));
  }
}
