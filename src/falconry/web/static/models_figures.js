// Sizes, times and counts of models, as people say them.
import { fileSize, locale, store, t } from "./dom.js";

const ASSUMED = 6.25e6; // bytes per second, 50 Mbit/s, where nothing was fetched yet

/** "4.0B", "494M": as the models' own names have it. */
export function parameters(count) {
  const [value, unit] = count >= 0.95e9 ? [count / 1e9, "B"] : [count / 1e6, "M"];
  return `${value.toLocaleString(locale, { maximumFractionDigits: value < 10 && unit === "B" ? 1 : 0 })}${unit}`;
}

/** Memory, in the units of the server's own sentences; files are told in those of the hubs. */
export function memorySize(bytes) {
  const [value, unit] = bytes >= 2 ** 30 ? [bytes / 2 ** 30, "GiB"] : [bytes / 2 ** 20, "MiB"];
  return `${value.toLocaleString(locale, { maximumFractionDigits: unit === "GiB" && value < 100 ? 1 : 0 })} ${unit}`;
}

export const number = (value) => value.toLocaleString(locale);

/** A length of time, roughly: nobody wants to know the seconds of an hour. */
export function duration(seconds) {
  if (seconds < 90) return t("seconds", { count: Math.max(1, Math.round(seconds)) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return t("minutes", { count: minutes });
  return t("hours_minutes", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** How long it takes to fetch so many bytes: as fast as the last time, else at a speed that is said. */
export function fetchTime(bytes) {
  const known = Number(store.get("fetch_speed"));
  if (known > 0) return t("fetch_time", { time: duration(bytes / known) });
  return t("fetch_time_assumed", { time: duration(bytes / ASSUMED), rate: Math.round((ASSUMED * 8) / 1e6) });
}

/** Remembers how fast it went, once that means something. */
export function rememberSpeed({ speed, done }) {
  if (speed > 0 && done > 5e6) store.set("fetch_speed", String(Math.round(speed)));
}

const SOURCES = {
  falconry: "source_falconry",
  folder: "source_folder",
  huggingface: "source_huggingface",
  ollama: "source_ollama",
  lm_studio: "source_lm_studio",
  llama_cpp: "source_llama_cpp",
  built_in: "source_built_in",
  settings: "source_settings",
};

export const source = (name) => (SOURCES[name] ? t(SOURCES[name]) : null);

/** The line of facts below a model's name. */
export function facts(model) {
  return [
    model.parameters ? t("parameter_count", { number: parameters(model.parameters) }) : null,
    model.quantization,
    model.size ? fileSize(model.size) : null,
    model.needs ? t("needs_memory", { size: memorySize(model.needs) }) : null,
    model.context_length ? t("context_tokens", { number: number(model.context_length) }) : null,
    model.vision ? t("sees_images") : null,
    source(model.source),
  ].filter(Boolean).join(" · ");
}
