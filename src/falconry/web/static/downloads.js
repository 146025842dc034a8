// What is being fetched: how far, how fast, how long still; cancel, resume, try again. The server goes on by itself,
// whether a page looks or not.
import { post, send } from "./api.js";
import { announce, button, el, fileSize, icon, store, t } from "./dom.js";
import { arrange, attempt, section } from "./forms.js";
import * as data from "./models_data.js";
import { duration, rememberSpeed } from "./models_figures.js";

const EXAMPLE = "org/model:Q4_K_M";
const ACTIVE = new Set(["waiting", "running", "verifying"]);
const WORDS = {
  waiting: "fetch_waiting",
  running: "fetch_running",
  verifying: "fetch_verifying",
  done: "fetch_done",
  failed: "fetch_failed",
  cancelled: "fetch_cancelled",
  paused: "fetch_paused",
};

/** Asks the server to fetch a model; the list shows it. `wanted` as `falconry models pull` takes it. */
export async function fetchModel(wanted) {
  const started = await post("/api/downloads", { model: wanted });
  announce(t("fetch_started", { name: started.title ?? wanted }));
  await data.downloads.refresh();
  return started;
}

export const isActive = ({ state }) => ACTIVE.has(state);

/** "Getting · 31 %" */
export function fetchState({ done, total }) {
  return total ? `${t("fetching")} · ${Math.floor((done / total) * 100)} %` : t("fetching");
}

/** Runs something that asks the hub first, which may take seconds: the button that asked for it says so. */
export async function fetching(press, work) {
  press.disabled = true;
  press.setAttribute("aria-busy", "true");
  try {
    return await attempt(work);
  } finally {
    press.disabled = false;
    press.removeAttribute("aria-busy");
  }
}

export class Downloads {
  constructor() {
    this.rows = new Map(); // by id
    this.states = null; // as they were told last; nothing is announced of what the page found
    this.old = null; // ids of what had arrived before the page came: it stands among the models, and needs no line here
    this.list = el("ul", { className: "f-models f-fetches", aria: { label: t("fetching") } });
    this.element = section(t("fetching"), this.list);
    this.element.id = "fetching";
    this.element.hidden = true;
    data.downloads.onChange((downloads) => this.show(downloads));
  }

  show(downloads) {
    const arrived = new Set(downloads.filter(({ state }) => state === "done").map(({ id }) => id));
    this.old = new Set([...(this.old ?? arrived)].filter((id) => arrived.has(id)));
    const shown = downloads.filter(({ id, state }) => state !== "cancelled" && !this.old.has(id));
    this.element.hidden = !shown.length;
    for (const download of shown) {
      const row = this.rows.get(download.id) ?? new DownloadRow();
      this.rows.set(download.id, row);
      row.update(download);
      rememberSpeed(download);
    }
    arrange(this.list, shown.map(({ id }) => this.rows.get(id).element));
    for (const [id, row] of this.rows) if (!this.list.contains(row.element)) this.rows.delete(id);
    this.tell(shown);
  }

  /** Screen readers hear of an end, and not of every step to it. */
  tell(downloads) {
    const before = this.states;
    this.states = new Map(downloads.map(({ id, state }) => [id, state]));
    if (!before) return;
    for (const { id, state, title, error } of downloads) {
      if (before.get(id) === state) continue;
      if (state === "done") announce(t("fetch_done_name", { name: title }));
      if (state === "failed") announce(`${t("fetch_failed_name", { name: title })} ${error?.text ?? error?.message ?? ""}`);
    }
  }
}

class DownloadRow {
  constructor() {
    this.name = el("bdi", { className: "f-model-name" });
    this.figures = el("p", { className: "f-muted f-figure" });
    this.bar = el("progress", { className: "f-progress", max: 1 });
    this.wrong = el("p", { className: "f-wrong", hidden: true });
    this.pause = button(t("fetch_pause"), "pause", () => attempt(() => this.end("pause")));
    this.cancel = button(t("fetch_cancel"), "close", () => attempt(() => this.end("cancel")));
    this.forget = button(t("fetch_forget"), "close", () => attempt(() => this.end("forget")));
    this.again = button(t("fetch_resume"), "again", () => fetching(this.again, () => fetchModel(this.download.wanted)), { label: true, className: "f-solid" });
    this.chat = el("a", { className: "f-button f-solid f-go", href: "/" }, icon("chat"), el("span", {}, t("chat_with")));
    this.chat.onclick = () => this.download.model && store.set("model", this.download.model);
    this.element = el(
      "li", { className: "f-model" },
      el("div", { className: "f-model-line" },
        el("div", { className: "f-model-what" }, el("div", { className: "f-model-head" }, this.name), this.figures),
        el("div", { className: "f-acts" }, this.chat, this.again, this.pause, this.cancel, this.forget)),
      this.bar, this.wrong,
    );
  }

  async end(how) {
    const path = `/api/downloads/${encodeURIComponent(this.download.id)}`;
    await (how === "forget" ? send("DELETE", path) : send("POST", `${path}/${how}`));
    await data.downloads.refresh();
  }

  update(download) {
    const drawn = JSON.stringify(download);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.download = download;
    const { title, state, error } = download;
    const resumes = state === "failed" || state === "paused";
    this.element.dataset.state = state;
    this.name.textContent = title;
    this.figures.textContent = figures(download);
    this.showBar(download);
    this.wrong.hidden = !error;
    this.wrong.textContent = error?.text ?? error?.message ?? "";
    this.chat.hidden = state !== "done" || !download.model;
    this.again.hidden = !resumes;
    this.again.lastElementChild.textContent = t(state === "failed" ? "fetch_again" : "fetch_resume");
    this.pause.hidden = !isActive(download);
    this.cancel.hidden = !isActive(download) && state !== "paused";
    this.forget.hidden = !["failed", "done"].includes(state);
    for (const [press, word] of [[this.again, state === "failed" ? "fetch_again" : "fetch_resume"], [this.pause, "fetch_pause"], [this.cancel, "fetch_cancel"], [this.forget, "fetch_forget"], [this.chat, "chat_with"]]) {
      press.setAttribute("aria-label", `${t(word)}: ${title}`);
    }
  }

  showBar({ title, state, done, total }) {
    this.bar.hidden = state === "done";
    const share = total ? done / total : null;
    if (share === null && isActive({ state })) this.bar.removeAttribute("value");
    else this.bar.value = share ?? 0;
    this.bar.setAttribute("aria-label", t("fetch_progress", { name: title }));
    this.bar.setAttribute("aria-valuetext", this.figures.textContent);
  }
}

function figures({ state, done, total, speed, remaining }) {
  if (state === "done") return [t("fetch_done"), total ? fileSize(total) : null].filter(Boolean).join(" · ");
  const amount = total ? t("fetch_of", { done: fileSize(done), total: fileSize(total) }) : done ? fileSize(done) : null;
  const rate = state === "running" && speed ? t("fetch_speed", { speed: fileSize(speed) }) : null;
  const rest = state === "running" && remaining !== null && remaining !== undefined ? t("fetch_remaining", { time: duration(remaining) }) : null;
  // Nothing arrives at the beginning, and while a hub that fails is asked again.
  return [rate ? null : t(WORDS[state] ?? WORDS.waiting), amount, rate, rest].filter(Boolean).join(" · ");
}

/** The box for whatever stands in no list: a hub id or a link. */
export function fetchBox() {
  const input = el("input", { type: "text", required: true, maxLength: 2000, autocomplete: "off", autocapitalize: "none", spellcheck: false, placeholder: EXAMPLE });
  const press = el("button", { type: "submit", className: "f-press" }, t("fetch"));
  const wrong = el("p", { className: "f-wrong", role: "alert", hidden: true });
  const label = el("label", { className: "f-field" }, el("span", {}, t("fetch_other")), input);
  const made = el("form", { className: "f-form f-fetch-box" }, el("div", { className: "f-fetch-line" }, label, press), el("p", { className: "f-muted" }, t("fetch_other_more")), wrong);
  made.onsubmit = async (event) => {
    event.preventDefault();
    wrong.hidden = true;
    await fetching(press, async () => {
      try {
        await fetchModel(input.value.trim());
        input.value = "";
      } catch (error) {
        wrong.textContent = error.message;
        wrong.hidden = false;
      }
    });
  };
  return made;
}
