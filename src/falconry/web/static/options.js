// The options: persona, system message and sampling params, as the next request carries them. Gradio shows the fields
// (web/ui.py), options_panel.js says what is with them; here is what they mean. Own choices are kept per browser.
import { store, t } from "./dom.js";
import * as models from "./models.js";

/** In the order in which web/ui.py has them. `null` is the model's own default. */
export const defaults = () => ({
  system: t("default_system"),
  temperature: 0.7,
  max_tokens: 1024,
  top_p: null,
  top_k: null,
  min_p: null,
  repetition_penalty: null,
  stop: "",
  seed: "",
  json_schema: "",
});
const NUMBERS = {
  temperature: [0, 2],
  max_tokens: [1, 1_000_000],
  top_p: [0, 1],
  top_k: [0, 1_000_000],
  min_p: [0, 1],
  repetition_penalty: [0.01, 10],
};
const WHOLE = ["max_tokens", "top_k"];
const MOST_SEED = 2 ** 32 - 2;
/** The fields and what they are called. `system` is no param: every model takes one. */
export function labels() {
  const { grammar, ...params } = models.names();
  return { system: t("system"), ...params, json_schema: grammar };
}

let own = kept(); // what the person has set in this browser, where it differs from the defaults
let values = { ...defaults(), ...own };
let persona = null; // {id, name, …}; of a reply whose persona is gone only its name
let begun = false;
let checked = { text: "", problem: null }; // what the server said of a schema
const listeners = new Set();

export const onChange = (listener) => listeners.add(listener);
/** The persona that the next reply is written as, or null. */
export const current = () => persona;
export const value = (name) => values[name];

function kept() {
  try {
    const found = JSON.parse(store.get("options") ?? "{}");
    return Object.fromEntries(Object.entries(found).filter(([name]) => name in defaults()));
  } catch {
    return {};
  }
}

function keep() {
  const base = defaults();
  own = Object.fromEntries(Object.entries(own).filter(([name, value]) => value !== base[name]));
  store.set("options", Object.keys(own).length ? JSON.stringify(own) : null);
}

/** For Gradio's fields: what they are to show. */
export const saved = () => Object.keys(defaults()).map((name) => values[name]);

/** Everybody who shows something of it is told; Gradio's fields by a press of its hidden button. */
function tell({ fields = true } = {}) {
  if (fields) document.getElementById("options-sync")?.click();
  listeners.forEach((listener) => listener());
}

/** What a field has where nobody has changed it: what the persona says, else the default. */
export function baseline(name) {
  return persona?.system === undefined ? defaults()[name] : (fromPersona(persona)[name] ?? defaults()[name]);
}

/** All fields at once, and no persona. */
export function reset() {
  own = {};
  values = defaults();
  become(null);
  keep();
  listeners.forEach((listener) => listener());
  return saved();
}

export function resetOne(name) {
  set(name, baseline(name));
  tell();
}

function set(name, value) {
  values[name] = value;
  if (persona) return; // what is changed of a persona goes with it
  own[name] = value;
  keep();
}

/** Gradio's fields were changed. An empty number is the model's own default. */
export function changed(...fields) {
  const base = defaults();
  let differs = false;
  Object.keys(base).forEach((name, index) => {
    const given = fields[index];
    const value = name in NUMBERS ? (given === "" || given === undefined ? null : given) : String(given ?? "");
    if (value === values[name]) return;
    differs = true;
    set(name, value);
  });
  if (differs) tell({ fields: false });
}

/** The person has chosen a persona, or with null none. */
export function use(chosen) {
  become(chosen);
  values = { ...defaults(), ...own, ...(chosen ? fromPersona(chosen) : {}) };
  if (chosen?.model) models.select(chosen.model);
  tell();
}

function become(chosen) {
  persona = chosen;
  try {
    if (chosen?.id) sessionStorage.setItem("falconry.persona", chosen.id);
    else sessionStorage.removeItem("falconry.persona");
  } catch { /* it is then forgotten when the page is loaded anew */ }
}

/** What was chosen for a conversation that has not begun, before the page was loaded anew. */
export function unfinished() {
  try { return sessionStorage.getItem("falconry.persona"); } catch { return null; }
}

/** The language a persona answers in, as a sentence of its system message. */
function fromPersona({ system, params, language }) {
  const { stop, seed, json_schema, ...numbers } = params;
  const found = { ...numbers, system: [system, language && t("answer_in", { language: languageName(language) })].filter(Boolean).join(" ") };
  if (stop?.length) found.stop = stop.map(escape).join("\n");
  if (seed !== undefined) found.seed = String(seed);
  if (json_schema) found.json_schema = JSON.stringify(json_schema, null, 2);
  return found;
}

export function languageName(tag) {
  try {
    return new Intl.DisplayNames([document.documentElement.lang], { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

/**
 * A conversation was opened: its newest reply's persona, system message, params and model come back. With null a new
 * conversation begins, with what the person has set in this browser.
 */
export function restore(reply) {
  if (!reply && !begun) {
    begun = true;
    return;
  }
  begun = true;
  become(null);
  values = { ...defaults(), ...own };
  if (reply) {
    persona = reply.persona ? { name: reply.persona } : null;
    values = { ...defaults(), ...(reply.params ? fromParams(reply.params) : own) };
    values.system = reply.context?.system ?? values.system;
  }
  models.select(reply?.model ?? null);
  tell();
}

function fromParams({ stop, seed, grammar, ...params }) {
  const numbers = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, params[name] ?? null]));
  const schema = grammar?.kind === "json_schema" ? pretty(grammar.text) : "";
  return { ...numbers, stop: (stop ?? []).map(escape).join("\n"), seed: seed === null ? "" : String(seed), json_schema: schema };
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

/** The persona that a restored conversation names, once the list of them is there. */
export function recognise(list) {
  if (!persona || persona.id) return;
  const known = list.find(({ name }) => name === persona.name);
  if (!known) return;
  persona = known;
  tell({ fields: false });
}

const ESCAPES = { n: "\n", t: "\t", r: "\r", "\\": "\\" };
const unescape = (text) => text.replace(/\\([ntr\\])/g, (_, char) => ESCAPES[char]);
/** A stop sequence as it is typed: a line break in it is \\n. */
export const escape = (text) => text.replace(/[\n\t\r\\]/g, (char) => "\\" + Object.keys(ESCAPES).find((name) => ESCAPES[name] === char));
export const stopsIn = (text) => text.split("\n").map(unescape).filter(Boolean);
const stops = () => stopsIn(values.stop);

/** What is wrong with a field, as a sentence; null where nothing is. */
export function problem(name) {
  const value = values[name];
  if (name in NUMBERS) {
    const [low, high] = NUMBERS[name];
    if (value === null) return name === "temperature" ? t("number_between", { low, high }) : null;
    const right = Number.isFinite(Number(value)) && value >= low && value <= high;
    if (WHOLE.includes(name)) return right && Number.isInteger(Number(value)) ? null : t("whole_between", { low, high: high.toLocaleString() });
    return right ? null : t("number_between", { low, high });
  }
  if (name === "seed") return /^\s*\d*\s*$/.test(value) && Number(value) <= MOST_SEED ? null : t("whole_between", { low: 0, high: MOST_SEED });
  if (name === "stop") return stops().length > 16 || stops().some((text) => text.length > 256) ? t("stop_problem") : null;
  if (name === "json_schema" && value.trim()) return schemaProblem(value);
  return null;
}

function schemaProblem(text) {
  try {
    const schema = JSON.parse(text);
    if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return t("schema_object");
  } catch (error) {
    return t("schema_json", { problem: error.message });
  }
  return checked.text === text ? checked.problem : null;
}

/** What the server says of the schema that is in the field now. */
export function judged(text, said) {
  checked = { text, problem: said };
  if (text === values.json_schema) tell({ fields: false });
}

/** All that is wrong, as "Field: sentence". */
export const problems = () =>
  Object.entries(labels()).flatMap(([name, label]) => (problem(name) ? [t("field_problem", { field: label, problem: problem(name) })] : []));

/** Model, persona, system message and params as every turn carries them. Throws where a field is wrong. */
export function request() {
  const [wrong] = problems();
  if (wrong) throw new Error(wrong);
  const number = (name) => (values[name] === null ? null : Number(values[name]));
  const schema = values.json_schema.trim();
  return {
    model: models.current(),
    system: values.system,
    persona: persona?.name ?? null,
    params: {
      ...Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, number(name)])),
      stop: stops(),
      seed: values.seed.trim() ? Number(values.seed) : null,
      json_schema: schema ? JSON.parse(schema) : null,
    },
  };
}

/** The names of the params that are set, and that the model's server does not take. A schema is never left out. */
export function unheard() {
  const known = models.supports();
  const base = defaults();
  const lost = ([name]) => known && !["system", "json_schema"].includes(name) && !known.includes(name) && values[name] !== base[name];
  return Object.entries(labels()).filter(lost).map(([, label]) => label);
}

/** The present options as a persona has them: only what differs from the defaults. */
export function asPersona() {
  const { model, system, params } = request();
  const base = defaults();
  const differs = ([name, value]) => value !== null && value !== base[name] && (name !== "stop" || value.length);
  return { model, system, params: Object.fromEntries(Object.entries(params).filter(differs)) };
}

/** Whether anything is not as it is by default. */
export const differs = () => persona !== null || Object.entries(defaults()).some(([name, base]) => values[name] !== base);
