// How the chosen model is, beside the picker: how far it is loaded, or a red mark with the reason why it cannot be used.
// Whoever chooses a model has it loaded, so that the first message need not wait for it.
import { post } from "./api.js";
import { announce, button, el, notice, percent, t } from "./dom.js";
import * as models from "./model_list.js";

const SETTLED = 350; // milliseconds after the last choice: who leafs through the list loads nothing
const LOOK = 700; // between two looks at a model that is being loaded

let chosen = null;
let refused = null; // {name, text}: why it was not loaded
let settling;
let looking;
let told = ""; // what was announced last
const listeners = new Set();

const text = el("span", {});
const bar = el("progress", { className: "f-progress", max: 1 });
const loading = el("span", { id: "model-loading", hidden: true }, bar, text);
const mark = button("", "alert", () => notice(mark.title, { kind: "error", seconds: 12 }));
mark.id = "model-problem";
mark.hidden = true;

/** Whether the chosen model is being loaded, or has failed: only a message makes it work then. */
export const isAway = () => ["loading", "failed"].includes(models.find(chosen)?.state);
export const onReady = (listener) => listeners.add(listener);

/** Puts it beside the picker, where there is one. */
export function mount() {
  const picker = document.getElementById("model");
  if (picker && picker.nextElementSibling !== loading) picker.after(loading, mark);
}

/** The model that the picker shows is another one, or is told of anew. */
export function show(name) {
  if (name !== chosen) clearTimeout(settling);
  chosen = name;
  const model = models.find(name);
  const problem = model?.problem?.text ?? (refused?.name === name ? refused.text : "");
  const busy = model?.state === "loading";
  loading.hidden = !busy;
  if (busy) {
    if (model.progress === null) bar.removeAttribute("value");
    else bar.value = model.progress;
    bar.setAttribute("aria-label", t("picker_loading", { model: model.title }));
    text.textContent = model.progress === null ? "" : percent.format(model.progress);
    clearTimeout(looking);
    looking = setTimeout(look, LOOK);
  }
  mark.hidden = !problem || busy;
  mark.title = problem;
  mark.setAttribute("aria-label", t("picker_problem", { model: model?.title ?? "" }));
}

async function look() {
  const before = models.find(chosen);
  await models.read().catch(() => { /* the next look tells */ });
  const now = models.find(chosen);
  show(chosen);
  if (before?.name !== now?.name || before?.state !== "loading" || now?.state !== "ready") return;
  tell(t("picker_ready", { model: now.title }));
  listeners.forEach((listener) => listener());
}

/** The person has chosen a model: it is loaded, unless another one is chosen in a moment. */
export function prepare(name) {
  refused = null;
  clearTimeout(settling);
  settling = setTimeout(() => load(name).catch(console.error), SETTLED);
}

async function load(name) {
  const model = models.find(name);
  if (!model || !["unloaded", "failed"].includes(model.state)) return;
  try {
    const told = await post("/api/models/load", { model: name });
    Object.assign(model, told);
    if (told.state === "loading") tell(t("picker_loading", { model: told.title }));
  } catch (error) {
    // While others use the memory, a message waits until there is room; more is not wrong.
    if (["no_room", "offline", "too_many_requests"].includes(error.code)) return;
    refused = { name, text: error.message };
    tell(error.message);
  }
  if (chosen === name) show(name);
}

function tell(news) {
  if (news !== told) announce(news);
  told = news;
}
