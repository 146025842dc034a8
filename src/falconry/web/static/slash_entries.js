// What the box offers at the beginning of a line: saved prompts after a slash, personas after an at sign.
//
// Personas and prompts have modules of their own, which are loaded when they are first asked for.
import { t } from "./dom.js";

const MOST = 50;
// Chinese input methods write other signs with the same keys.
const SIGNS = { "/": "/", "／": "/", "、": "/", "@": "@", "＠": "@" };
const TRIGGER = /(?:^|\n)[ \t\u3000]*([/／、@＠])([^\s/／、@＠]{0,40})$/u;

/** What is asked for before the caret: {sign, query, start}; null where nothing is. */
export function asked(text, caret) {
  const found = TRIGGER.exec(text.slice(0, caret));
  if (!found) return null;
  return { sign: SIGNS[found[1]], query: found[2], start: caret - found[2].length - 1 };
}

const folded = (text) => String(text ?? "").normalize("NFKC").toLowerCase().replace(/[\s_-]+/g, "");

/** How well an entry fits: 0 its name begins so, 1 a word of it does, 2 it is in there; -1 not at all. */
function fit({ name, handle }, query) {
  const wanted = folded(query);
  const names = [folded(handle), folded(name)];
  if (names.some((one) => one.startsWith(wanted))) return 0;
  if (name.toLowerCase().split(/\s+/).some((word) => word.startsWith(wanted))) return 1;
  return names.some((one) => one.includes(wanted)) ? 2 : -1;
}

function best(entries, query) {
  return entries
    .map((entry) => [fit(entry, query), entry])
    .filter(([order]) => order >= 0)
    .sort(([one], [other]) => one - other)
    .slice(0, MOST)
    .map(([, entry]) => entry);
}

/** The entries for what is asked: {name, hint, text, icon, take}. Empty where nothing fits. */
export async function offered({ sign, query }, { insert, personaTaken }) {
  return sign === "/" ? offeredPrompts(query, insert) : offeredPersonas(query, personaTaken);
}

async function offeredPrompts(query, insert) {
  const prompts = await import("./prompts.js");
  const found = best(await prompts.list(), query).map((prompt) => ({
    name: prompt.name,
    hint: prompt.handle ? `/${prompt.handle}` : "",
    text: prompt.content,
    icon: "text",
    take: () => insert(prompt.content),
  }));
  if (query && !found.length) return [];
  return [...found, { name: t("prompts_manage"), hint: "", text: "", icon: "edit", apart: true, take: () => prompts.edit() }];
}

async function offeredPersonas(query, personaTaken) {
  const personas = await import("./personas.js");
  const take = (persona) => {
    personas.choose(persona);
    personaTaken(persona);
  };
  const found = best(await personas.list(), query).map((persona) => ({
    name: persona.name,
    hint: persona.handle ? `@${persona.handle}` : "",
    text: persona.description,
    icon: "person",
    take: () => take(persona),
  }));
  if (query && !found.length) return [];
  if (!query && personas.current()) {
    found.unshift({ name: t("persona_without"), hint: "", text: "", icon: "close", take: () => take(null) });
  }
  const { openPersonas } = await import("./persona_shelf.js");
  return [...found, { name: t("personas_manage"), hint: "", text: "", icon: "edit", apart: true, take: () => openPersonas() }];
}
