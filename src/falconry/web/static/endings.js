// What is told below a reply: how it ended, and its figures.
import { el, t } from "./dom.js";

/** Fills the line below a reply that ended otherwise than well. */
export function tellEnding(line, { status, finish_reason, error_text }, hasText) {
  const text = {
    stopped: t("ended_stopped"),
    interrupted: error_text || t("ended_interrupted"),
    failed: error_text || t("ended_failed"),
    complete: finish_reason === "length" ? t("ended_length") : hasText ? "" : t("ended_empty"),
  }[status];
  line.hidden = !text;
  line.replaceChildren(el("span", { dir: "auto" }, text ?? ""));
  line.setAttribute("role", status === "failed" ? "alert" : "note");
}

/** Tokens and tokens per second, where they are known. */
export function figures({ tokens, tokens_per_second: speed }) {
  const rate = speed && (speed >= 100 ? Math.round(speed) : Math.round(speed * 10) / 10).toLocaleString();
  return [tokens && t("tokens", { count: tokens.toLocaleString() }), rate && t("speed", { rate })].filter(Boolean);
}
