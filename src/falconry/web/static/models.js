// The model picker: fed from the API, remembered per browser.
import { get } from "./api.js";
import { store } from "./dom.js";

let models = [];
let chosen = null;
const listeners = new Set();

export const current = () => chosen;
export const supports = () => models.find((model) => model.name === chosen)?.supports ?? null;
export const onChoice = (listener) => listeners.add(listener);

/** For Gradio's dropdown, at load and whenever it is opened: choices and value, or nothing where nothing changed. */
export async function refresh() {
  const found = (await get("/api/models")).models;
  const same = JSON.stringify(found) === JSON.stringify(models);
  models = found;
  if (same) return { __type__: "update" };
  const names = found.map((model) => model.name);
  const wanted = [chosen, store.get("model")].find((name) => names.includes(name));
  const value = wanted ?? found.find((model) => model.default)?.name ?? names[0] ?? null;
  const changed = value !== chosen;
  chosen = value;
  if (changed) listeners.forEach((listener) => listener(value));
  return { __type__: "update", choices: found.map((model) => [model.title, model.name]), value };
}

/** The person chose a model. */
export function choose(name) {
  if (!name || name === chosen) return;
  chosen = name;
  store.set("model", name);
  listeners.forEach((listener) => listener(name));
}
