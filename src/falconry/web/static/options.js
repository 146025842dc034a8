// The advanced options. Gradio shows the fields; here is what they mean, kept per browser.
import { el, store, t } from "./dom.js";
import * as models from "./models.js";

const defaults = () => ({ system: t("default_system"), temperature: 0.7, max_tokens: 1024, stop: "", seed: "" });
const NAMES = ["system", "temperature", "max_tokens", "stop", "seed"];
let values = { ...defaults(), ...JSON.parse(store.get("options") ?? "{}") };
const listeners = new Set();
export const onChange = (listener) => listeners.add(listener);

/** What the fields show at load. */
export const saved = () => NAMES.map((name) => values[name]);

export function reset() {
  values = defaults();
  store.set("options", null);
  listeners.forEach((listener) => listener());
  return saved();
}

/** A field was changed: only what differs from the default is kept, so that a better default reaches everybody. */
export function changed(...fields) {
  const before = JSON.stringify(values);
  NAMES.forEach((name, index) => { values[name] = fields[index] ?? defaults()[name]; });
  if (JSON.stringify(values) === before) return;
  const own = Object.entries(values).filter(([name, value]) => value !== defaults()[name]);
  store.set("options", own.length ? JSON.stringify(Object.fromEntries(own)) : null);
  listeners.forEach((listener) => listener());
}

const ESCAPES = { n: "\n", t: "\t", r: "\r", "\\": "\\" };
const unescape = (text) => text.replace(/\\([ntr\\])/g, (_, char) => ESCAPES[char]);

/** Model, system message and params as every request carries them. */
export function request() {
  const seed = String(values.seed ?? "").trim();
  const stop = values.stop.split("\n").map(unescape).filter(Boolean).slice(0, 16);
  return {
    model: models.current(),
    system: values.system,
    params: {
      temperature: clamp(Number(values.temperature), 0, 2, 0.7),
      max_tokens: clamp(Math.round(Number(values.max_tokens)), 1, 4096, 1024),
      stop,
      seed: /^\d+$/.test(seed) ? clamp(Number(seed), 0, 2 ** 32 - 2, null) : null,
    },
  };
}

const clamp = (value, low, high, otherwise) =>
  Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : otherwise;

/** The line under the fields: which of them the chosen model's server does not understand. */
export function mount(element) {
  const line = el("p", { className: "f-muted" });
  element.replaceChildren(line);
  const names = { temperature: "temperature", max_tokens: "max_new_tokens", stop: "stop_sequences", seed: "seed" };
  const show = () => {
    const known = models.supports();
    const missing = known ? Object.keys(names).filter((name) => !known.includes(name)) : [];
    line.textContent = missing.length ? t("unsupported", { names: missing.map((name) => t(names[name])).join(t("comma")) }) : "";
    for (const name of Object.keys(names)) {
      document.getElementById("option-" + name.replace("_", "-"))?.classList.toggle("f-unsupported", missing.includes(name));
    }
  };
  models.onChoice(show);
  show();
}
