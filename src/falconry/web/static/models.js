// The model picker: fed from the API, remembered per browser, and set by what a conversation was answered with.
import { get } from "./api.js";
import { fileSize, store, t } from "./dom.js";
import * as known from "./model_list.js";
import * as state from "./model_state.js";

const ENGINES = { openai: "API", tgi: "TGI" };
let models = [];
let shown = ""; // what the dropdown offers and shows, as JSON
let chosen = null;
let wished = null; // for this conversation, whatever the browser remembers
const asked = new Map(); // name → supports, of models that were asked what they are
const listeners = new Set();

export const current = () => chosen;
export const list = () => models;
export const supports = () => supportsOf(chosen);
/** The title of the chosen model, where it is known to see no pictures; else null. */
export function blind() {
  const model = known.find(chosen);
  return model?.vision === false ? model.title : null;
}
export const onChoice = (listener) => listeners.add(listener);

const supportsOf = (name) => asked.get(name) ?? models.find((model) => model.name === name)?.supports ?? null;

function label({ title, engine, size, state: now }) {
  const more = [size ? fileSize(size) : ENGINES[engine], now === "failed" && t("picker_failed")];
  return [title, ...more.filter(Boolean)].join(" · ");
}

/** For Gradio's dropdown, at load, when it is opened and when a choice was made for it: nothing where nothing changed. */
export async function refresh() {
  models = await known.read();
  const names = models.map((model) => model.name);
  const wanted = [wished, chosen, store.get("model")].find((name) => names.includes(name));
  pick(wanted ?? models.find((model) => model.default)?.name ?? names[0] ?? null);
  state.mount();
  state.show(chosen);
  const offered = offer();
  if (offered === shown) return { __type__: "update" };
  shown = offered;
  const [choices, value] = JSON.parse(offered);
  return { __type__: "update", choices, value };
}

const offer = () => JSON.stringify([models.map((model) => [label(model), model.name]), chosen]);

function pick(name) {
  if (name === chosen) return;
  chosen = name;
  state.show(name);
  listeners.forEach((listener) => listener(name));
  ask(name).catch(console.error);
}

/** An endpoint is asked what it takes before its first use; what this machine runs takes everything. */
async function ask(name) {
  if (!name || asked.has(name)) return;
  const found = await get(`/api/models/supports?${new URLSearchParams({ model: name })}`);
  asked.set(name, found.supports);
  if (name === chosen) listeners.forEach((listener) => listener(chosen));
}

/** A reply has ended: by then it is known what the server has refused, and what was left out of the request for that. */
export async function learn() {
  const before = supports();
  models = await known.read();
  state.show(chosen);
  const now = models.find((model) => model.name === chosen);
  if (!now) return;
  asked.set(chosen, now.supports);
  if (JSON.stringify(before) !== JSON.stringify(now.supports)) listeners.forEach((listener) => listener(chosen));
}

/** The params that a model may not take, by their names in `supports`. */
export const names = () => ({
  temperature: t("temperature"),
  max_tokens: t("max_new_tokens"),
  top_p: t("top_p"),
  top_k: t("top_k"),
  min_p: t("min_p"),
  repetition_penalty: t("repetition_penalty"),
  stop: t("stop_sequences"),
  seed: t("seed"),
  grammar: t("json_schema"),
});

/** The person chose a model. */
export function choose(name) {
  backToTheBox();
  if (!name || name === chosen) return;
  wished = null;
  store.set("model", name);
  pick(name);
  state.prepare(name);
  shown = offer(); // the dropdown shows it already
}

/** The dropdown lets go of the focus when a choice is made: it goes back to where one writes, unless it went elsewhere. */
function backToTheBox() {
  if (!matchMedia("(pointer: fine)").matches) return; // there a keyboard would come up
  setTimeout(() => {
    if (document.activeElement === document.body) document.querySelector("#prompt textarea, #completion-prompt textarea")?.focus();
  }, 50);
}

/** A conversation or a persona wants a model; null is the one that the browser remembers. */
export function select(name) {
  const there = (wanted) => models.some((model) => model.name === wanted);
  wished = name;
  const wanted = [name, store.get("model")].find(there) ?? models.find((model) => model.default)?.name;
  if (!wanted || wanted === chosen) return;
  pick(wanted);
  document.getElementById("model-sync")?.click();
}

/** Who goes to a picker and types looks for another one, and does not go on with the name that stands there. */
function selectAll({ target }) {
  if (target.matches?.("#model input, #option-persona input") && target.selectionStart === target.selectionEnd) target.select();
}

document.addEventListener("focusin", selectAll);
document.addEventListener("click", selectAll);
