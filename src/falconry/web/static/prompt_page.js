// How a model reads a conversation: the exact prompt, token by token. The conversation is the address's, or an example
// that can be changed.
import { get, post } from "./api.js";
import { button, copy, el, language, present, t } from "./dom.js";
import { NOTHING, section } from "./forms.js";
import * as models from "./models.js";
import { Example } from "./prompt_example.js";
import { tokenView } from "./prompt_tokens.js";

const PAUSE = 300; // ms after the last key until the model is asked
const VIEWS = { tokens: "reads_tokens", text: "reads_text", template: "reads_template" };
const FORMATS = { template: "reads_format_template", plain: "reads_format_plain" };

class PromptPage {
  constructor(conversation) {
    this.conversation = conversation;
    this.view = "tokens";
    this.asked = 0;
    this.about = el("p", { className: "f-muted", role: "status" });
    this.result = el("div", { className: "f-prompt-result" });
    this.tabs = el("div", { className: "f-tabs", role: "group", aria: { label: t("reads_view") } }, ...Object.keys(VIEWS).map((name) => this.tab(name)));
    this.copying = button(t("copy"), "copy", () => copy(this.shown(), this.copying), { label: true });
    this.example = conversation ? null : new Example(() => this.later());
    this.next = el("textarea", { rows: 1, value: t("reads_next_example"), maxLength: 20000, oninput: () => this.later() });
    const given = conversation ? el("label", { className: "f-field" }, el("span", {}, t("reads_next")), this.next) : this.example.element;
    this.head = el("h1", {}, t("reads_title"));
    this.element = el(
      "div", { className: "f-sheet f-wide" }, this.head, el("p", { className: "f-muted" }, t("reads_intro")),
      section(t(conversation ? "reads_conversation" : "reads_example"), given),
      section(t("reads_read"), this.about, el("div", { className: "f-row" }, this.tabs, this.copying), this.result),
    );
  }

  tab(name) {
    return el("button", {
      type: "button", className: "f-button", dataset: { view: name }, aria: { pressed: String(name === this.view) },
      onclick: () => {
        this.view = name;
        this.show();
      },
    }, el("span", {}, t(VIEWS[name])));
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  async ask() {
    const turn = ++this.asked;
    const model = models.current();
    if (!model) return;
    this.about.textContent = t("reads_reading", { model: models.list().find(({ name }) => name === model)?.title ?? model });
    const options = this.conversation ? { conversation_id: this.conversation, draft: this.next.value } : { messages: this.example.messages() };
    try {
      const found = await post(`/api/prompt?lang=${language}`, { model, ...options });
      if (turn !== this.asked) return;
      this.found = found;
      this.show();
    } catch (error) {
      if (turn !== this.asked) return;
      this.found = null;
      this.about.textContent = error.message;
      this.result.replaceChildren();
    }
  }

  show() {
    const { found } = this;
    for (const each of this.tabs.children) each.setAttribute("aria-pressed", String(each.dataset.view === this.view));
    if (!found) return;
    const length = found.context_length?.toLocaleString() ?? t("unknown");
    const parts = [t("prompt_tokens", { tokens: (found.exact ? "" : "±") + found.count.toLocaleString(), length }), t(FORMATS[found.format])];
    if (found.left_out) parts.push(t("left_out", { count: found.left_out }));
    this.about.textContent = parts.join(" · ");
    this.result.replaceChildren(this.shape());
    this.copying.hidden = !this.shown();
  }

  /** What is copied: what is shown, as text. */
  shown() {
    return this.found?.[this.view === "template" ? "template" : "text"] ?? "";
  }

  shape() {
    const { found, view } = this;
    if (view === "tokens" && found.tokens) return tokenView(found.tokens, found.count);
    const text = view === "template" ? found.template : found.text;
    if (text !== null && view !== "tokens") return el("pre", { className: "f-prompt-text", tabIndex: 0 }, text || NOTHING);
    return el("p", { className: "f-muted" }, t(view === "template" && found.format === "plain" ? "reads_no_template" : "reads_untold"));
  }
}

export async function mount(element) {
  const id = new URL(location.href).searchParams.get("c");
  const page = new PromptPage(/^[0-9a-f]{32}$/.test(id ?? "") ? id : null);
  element.replaceChildren(page.element);
  document.title = `${t("reads_title")} · Falconry`;
  models.onChoice(() => page.ask());
  if (page.conversation) {
    get(`/api/conversations/${page.conversation}`).then(({ title }) => title && page.head.append(": ", el("bdi", {}, title))).catch(console.error);
  }
  await present("#model input");
  page.ask();
}
