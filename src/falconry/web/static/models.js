// The model picker: fed from the API, remembered per browser.
import { get } from "./api.js";
import { store } from "./dom.js";

let models = [];
let shown = ""; // what the dropdown offers, as JSON
let chosen = null;
const listeners = new Set();

export const current = () => chosen;
export const supports = () => models.find((model) => model.name === chosen)?.supports ?? null;
export const onChoice = (listener) => listeners.add(listener);

/** For Gradio's dropdown, at load and whenever it is opened: choices and value, or nothing where nothing changed. */
export async function refresh() {
  const found = (await get("/api/models")).models;
  const offered = JSON.stringify(found.map((model) => [model.title, model.name]));
  models = found;
  if (offered === shown) return { __type__: "update" };
  shown = offered;
  const names = found.map((model) => model.name);
  const wanted = [chosen, store.get("model")].find((name) => names.includes(name));
  const value = wanted ?? found.find((model) => model.default)?.name ?? names[0] ?? null;
  const changed = value !== chosen;
  chosen = value;
  if (changed) listeners.forEach((listener) => listener(value));
  return { __type__: "update", choices: found.map((model) => [model.title, model.name]), value };
}

/** What a model supports is known for sure only after its first use. */
export async function learn() {
  const before = JSON.stringify(supports());
  models = (await get("/api/models")).models;
  if (JSON.stringify(supports()) !== before) listeners.forEach((listener) => listener(chosen));
}

/** The person chose a model. */
export function choose(name) {
  if (!name || name === chosen) return;
  chosen = name;
  store.set("model", name);
  listeners.forEach((listener) => listener(name));
}
