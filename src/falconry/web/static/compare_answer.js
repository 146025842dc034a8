// One model's answer in a comparison: its name or letter, thinking, text, and how it ended.
import { Blocks } from "./blocks.js";
import { button, copy, el, t } from "./dom.js";
import { figures, tellEnding } from "./endings.js";
import { nameOf, titleOf } from "./model_list.js";

export const LETTERS = ["A", "B", "C", "D"];

export class Answer {
  /** `actions` has retry(place) and chat(place). */
  constructor(place, model, actions) {
    this.place = place;
    this.letter = LETTERS[place];
    this.thinking = new Blocks("f-thinking-text");
    this.text = new Blocks("f-text");
    this.summary = el("summary");
    this.details = el("details", { className: "f-thinking", hidden: true }, this.summary, this.thinking.element);
    this.dots = el("div", { className: "f-dots", role: "img", aria: { label: t("waiting") } }, el("i"), el("i"), el("i"));
    this.ending = el("div", { className: "f-ending", hidden: true });
    this.again = button(t("try_again"), "again", () => actions.retry(place), { label: true, className: "f-solid" });
    this.copying = button(t("copy"), "copy", () => copy(this.shown.text, this.copying));
    this.chat = button(t("compare_continue"), "chat", () => actions.chat(place));
    this.facts = el("span", { className: "f-facts f-muted" });
    this.foot = el("footer", { className: "f-actions" }, this.copying, this.chat, this.facts);
    this.best = el("span", { className: "f-best", hidden: true }, t("compare_best"));
    const name = model ? titleOf(model) : t("compare_hidden_name");
    this.element = el(
      "article", { className: "f-answer f-reply", tabIndex: -1, aria: { label: t("compare_answer", { letter: this.letter, model: name }) } },
      el("header", { className: "f-answer-head" }, el("b", { className: "f-letter" }, this.letter),
        el("h3", { className: model ? "" : "f-muted" }, model ? nameOf(model) : el("bdi", {}, name)), this.best),
      el("div", { className: "f-answer-body" }, this.details, this.text.element, this.dots, this.ending),
      this.foot,
    );
  }

  /** As it is stored. `voted` answers are not tried again. */
  update(shown) {
    this.shown = shown;
    this.text.set(0, shown.html);
    this.thinking.set(0, shown.thinking_html);
    this.show();
  }

  snapshot(news) {
    this.shown = { ...this.shown, status: "running", text: "", error_text: null };
    this.text.set(0, []);
    this.thinking.set(0, []);
    this.patch(news);
  }

  patch(news) {
    if (news.text) this.text.patch(news.text);
    if (news.thinking) this.thinking.patch(news.thinking);
    this.show();
  }

  /** What may be done with it now: `retry` and `chat` as booleans; `best`: it was voted best. */
  allow({ retry, chat, best }) {
    this.best.hidden = !best;
    this.element.classList.toggle("f-won", best);
    this.retry = retry;
    this.chat.hidden = !chat;
    this.show();
  }

  show() {
    const { status, finish_reason, error_text } = this.shown;
    const running = status === "running";
    const hasText = this.text.html.length > 0 || Boolean(this.text.tail);
    const hasThinking = this.thinking.html.length > 0 || Boolean(this.thinking.tail);
    const key = [status, hasText, hasThinking, this.retry, error_text, finish_reason].join();
    if (key === this.key) return; // nearly every patch brings only text
    this.key = key;
    this.element.dataset.status = status;
    this.element.setAttribute("aria-busy", running);
    this.dots.hidden = !running || hasText || hasThinking;
    this.details.hidden = !hasThinking;
    this.details.classList.toggle("f-busy", running && !hasText);
    this.summary.textContent = running && !hasText ? t("thinking") : t("thought");
    tellEnding(this.ending, this.shown, hasText);
    if (this.retry && ["stopped", "interrupted", "failed"].includes(status)) this.ending.append(this.again);
    this.foot.hidden = running;
    this.copying.hidden = !hasText;
    this.facts.textContent = figures(this.shown).join(" · ");
  }
}
