// Personas: a way to answer under a name. The list, the one that is chosen, and what stands under the picker.
import { get, post, put, send } from "./api.js";
import { button, el, language, notice, t } from "./dom.js";
import * as options from "./options.js";
import * as prompts from "./prompts.js";
import { openPersonas } from "./persona_shelf.js";

export const NONE = "none";
const GONE = "gone"; // of a conversation whose persona was deleted
const listeners = new Set();
let known = null; // the list, or a promise of it
let told = null; // the name that listeners know

/** All of them, the person's own first: {id, name, handle, description, system, starters, shipped, …}. */
export function list() {
  known ??= get("/api/personas").then(({ personas }) => personas);
  known.catch(() => { known = null; });
  return known;
}

/** The persona that the next reply is written as, or null. One that is gone has a name and nothing else. */
export const current = () => options.current();

/** One of the list, or null for none. */
export const choose = (persona) => options.use(persona);

/** Called with the persona, or null, whenever it is another. */
export const onChoice = (listener) => listeners.add(listener);

options.onChange(() => {
  const name = current()?.name ?? null;
  if (name === told) return;
  told = name;
  list().then(options.recognise).catch(console.error);
  document.getElementById("persona-sync")?.click();
  listeners.forEach((listener) => listener(current()));
});

/** For Gradio's dropdown. */
export async function refresh() {
  const personas = await list();
  const choices = [[t("persona_none"), NONE], ...personas.map(({ name, id }) => [name, id])];
  if (shown() === GONE) choices.push([current().name, GONE]);
  return { __type__: "update", choices, value: shown() };
}

/** What of its choices is the one. */
function shown() {
  return current() ? (current().id ?? GONE) : NONE;
}

/** The person has chosen in Gradio's dropdown. */
export async function chosen(id) {
  if (!id || id === shown()) return;
  const persona = (await list()).find((one) => one.id === id) ?? null;
  choose(persona);
}

/** Something was changed: the list is read anew, and what is chosen is what it says now. */
export async function changed() {
  known = null;
  const personas = await list();
  const before = current();
  if (before?.id) {
    const now = personas.find(({ id }) => id === before.id) ?? null;
    if (JSON.stringify(now) !== JSON.stringify(before)) choose(now);
  }
  document.getElementById("persona-sync")?.click();
  return personas;
}

export async function save(id, values) {
  const saved = id ? await put(`/api/personas/${id}`, values) : await post("/api/personas", values);
  await changed();
  return saved;
}

export async function remove(id) {
  await send("DELETE", `/api/personas/${id}`);
  await changed();
}

export const fileOf = (id) => (id ? `/api/personas/${id}/file` : "/api/personas/file");

/** Adds the personas of a file; the error says what is wrong with it. */
export async function importFile(file) {
  let body;
  try {
    body = JSON.parse(await file.text());
  } catch {
    throw new Error(t("persona_file_json", { name: file.name }));
  }
  const found = await post("/api/personas/import", body);
  await changed();
  return found;
}

/** What stands under the picker: what the chosen one is good for, and the way to all of them. */
export async function mount(element) {
  const line = el("p", { className: "f-muted", dir: "auto" });
  const warning = el("p", { className: "f-safeguard", role: "note" });
  const edit = button(t("personas_edit"), "edit", () => openPersonas(), { label: true });
  const texts = button(t("prompts_edit"), "text", () => prompts.edit(), { label: true });
  element.replaceChildren(line, warning, el("div", { className: "f-tools" }, edit, texts));
  const show = () => {
    const persona = current();
    line.textContent = persona?.description ?? "";
    line.hidden = !line.textContent;
    warning.hidden = !persona?.safeguard;
    warning.textContent = { legal: t("safeguard_legal"), medical: t("safeguard_medical") }[persona?.safeguard] ?? "";
  };
  options.onChange(show);
  show();
  const id = options.unfinished();
  if (!id || new URLSearchParams(location.search).has("c")) return;
  try {
    const persona = (await list()).find((one) => one.id === id);
    if (persona && !current()) choose(persona);
  } catch (error) {
    notice(error.message, { kind: "error" });
  }
}

/** In what language a persona may answer, as [tag, name]; the two of the page first. */
export function languages() {
  const tags = language === "zh" ? ["zh", "en"] : ["en", "zh"];
  return [...tags, "ar", "de", "es", "fr", "hi", "id", "it", "ja", "ko", "pt", "ru", "th", "tr", "vi"].map((tag) => [tag, options.languageName(tag)]);
}
