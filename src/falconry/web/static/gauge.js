// How full the context window is, and what the model saw.
import { get, post } from "./api.js";
import { button, copy, el, t } from "./dom.js";
import * as modelState from "./model_state.js";
import * as options from "./options.js";
import * as models from "./models.js";

let shown;
let timer;
let asked = 0;
let where = () => ({}); // chat.js: { id, draft, attachments, running, last }

export function connect(situation) {
  where = situation;
}

modelState.onReady(() => measure(100));

/** Measures anew, a moment after the last change. */
export function measure(delay = 400) {
  clearTimeout(timer);
  timer = setTimeout(ask, delay);
}

async function ask() {
  const { id, draft, attachments, running } = where();
  const mine = ++asked;
  // To count is to load the model: for a conversation that has not begun only what may be too long is worth it.
  if (!id && !attachments?.length) return show(null);
  // Nor does it wait for one that is being loaded, and may be unloaded again; it is measured when that is there.
  if (running || modelState.isAway()) return undefined;
  try {
    const files = (attachments ?? []).map((file) => file.id);
    const path = id ? `/api/conversations/${id}/context` : "/api/context";
    const use = await post(path, { ...options.request(), draft: draft.slice(0, 1_000_000), attachments: files });
    if (mine === asked) show(use);
  } catch (error) {
    if (mine !== asked) return;
    if (error.code !== "context_length_exceeded") return show(null);
    show({ prompt_tokens: error.details.prompt_tokens, context_length: error.details.limit, exact: true, too_long: true });
  }
}

function show(use) {
  if (!shown) return;
  shown.hidden = !use;
  if (!use) return;
  const number = (tokens) => tokens.toLocaleString();
  const used = (use.exact ? "" : "±") + number(use.prompt_tokens);
  const share = use.context_length ? Math.min(1, use.prompt_tokens / use.context_length) : 0;
  shown.style.setProperty("--share", share);
  shown.dataset.level = use.too_long || share > 0.95 ? "full" : share > 0.7 ? "high" : "low";
  const length = use.context_length ? number(use.context_length) : t("unknown");
  shown.querySelector("span").textContent = use.context_length ? `${used} / ${length}` : t("tokens", { count: used });
  const explained = t(use.exact ? "gauge_exact" : "gauge_estimate", { used, length });
  shown.title = use.left_out ? `${explained} ${t("left_out", { count: use.left_out })}` : explained;
  shown.setAttribute("aria-label", shown.title + " " + t("gauge_open"));
}

/** The dialog with the exact prompt of a reply. */
export async function showPrompt(replyId) {
  const body = el("div", { className: "f-dialog-body" });
  const close = button(t("close"), "close", () => dialog.close());
  const head = el("header", {}, el("h2", { id: "prompt-title" }, t("what_the_model_saw")), close);
  const dialog = el("dialog", { className: "f-dialog", aria: { labelledby: "prompt-title" }, onclose: () => dialog.remove() }, head, body);
  dialog.onclick = (event) => event.target === dialog && dialog.close();
  document.body.append(dialog);
  dialog.showModal();
  try {
    if (!replyId) throw new Error(t("nothing_sent"));
    const seen = await get(`/api/replies/${replyId}/prompt`);
    const text = seen.prompt ?? seen.messages.map((message) => `${message.role}: ${message.content}`).join("\n\n");
    const tokens = (seen.exact ? "" : "±") + seen.prompt_tokens.toLocaleString();
    const copying = button(t("copy"), "copy", () => copy(text, copying), { label: true });
    const length = seen.context_length?.toLocaleString() ?? t("unknown");
    body.append(
      el("p", {}, t("prompt_tokens", { tokens, length })),
      el("p", { className: seen.left_out ? "f-warning" : "f-muted" }, seen.left_out ? t("left_out", { count: seen.left_out }) : t("nothing_left_out")),
      el("div", { className: "f-row" }, el("h3", {}, t(seen.prompt === null ? "messages_sent" : "exact_prompt")), copying),
      el("pre", { tabIndex: 0 }, text),
      el("p", {}, el("a", { href: `/prompt?c=${where().id}` }, t("reads_open"))),
    );
  } catch (error) {
    body.append(el("p", {}, error.message));
  }
}

export function mount(element) {
  shown = el("button", { type: "button", className: "f-gauge", hidden: true, onclick: () => showPrompt(where().last) }, el("i"), el("span"));
  element.replaceChildren(shown);
  options.onChange(() => measure());
  models.onChoice(() => measure(50));
  measure(50);
}
