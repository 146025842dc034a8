// The models that can be chosen, as the server told them last, and what people call them.
import { get } from "./api.js";
import { el } from "./dom.js";

let known = [];

export const list = () => known;
export const find = (name) => known.find((model) => model.name === name);

/** What people call a model; its name, where it is gone. */
export const titleOf = (name) => find(name)?.title ?? name;

/** Reads the list anew; names that stand on the page already become titles. */
export async function read() {
  known = (await get("/api/models")).models;
  for (const shown of document.querySelectorAll("[data-model-name]")) shown.textContent = titleOf(shown.dataset.modelName);
  return known;
}

/** A model's title as an element, right also where the list comes later than what it stands in. */
export const nameOf = (name) => el("bdi", { dataset: { modelName: name } }, titleOf(name));
