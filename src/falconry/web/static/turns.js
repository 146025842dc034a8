// The turns of a conversation as elements: what a person said, and replies in all their states.
import { Blocks } from "./blocks.js";
import { button, copy, el, language, t } from "./dom.js";
import { showPrompt } from "./gauge.js";

const when = (iso) => new Date(iso).toLocaleString(language === "zh" ? "zh-CN" : "en");

/** What a person said: plain text, exactly as it was written. */
export class Question {
  constructor(message) {
    this.message = message;
    this.notice = el("p", { className: "f-left-out", hidden: true });
    this.element = el(
      "article", { className: "f-turn f-question", dataset: { id: message.id }, aria: { label: t("you") } },
      this.notice,
      el("div", { className: "f-bubble", title: when(message.created_at) }, message.text),
    );
  }

  leftOut(count) {
    this.notice.hidden = !count;
    this.notice.textContent = count ? t("left_out", { count }) : "";
  }

  update(message) {
    this.message = message;
  }
}

/** A reply: waiting, streaming, complete, stopped, interrupted or failed. */
export class Reply {
  constructor(message, actions) {
    this.actions = actions;
    this.thinking = new Blocks("f-thinking-text");
    this.text = new Blocks("f-text");
    this.summary = el("summary");
    this.details = el("details", { className: "f-thinking", hidden: true }, this.summary, this.thinking.element);
    this.dots = el("div", { className: "f-dots", role: "img", aria: { label: t("waiting") } }, el("i"), el("i"), el("i"));
    this.ending = el("div", { className: "f-ending", hidden: true });
    this.copying = button(t("copy"), "copy", () => copy(this.message.text, this.copying));
    this.again = button(t("regenerate"), "again", () => actions.regenerate(this.message.id));
    this.resume = button(t("continue"), "resume", () => actions.resume(this.message.id), { label: true });
    this.seen = button(t("what_the_model_saw"), "eye", () => showPrompt(this.message.id));
    this.facts = el("span", { className: "f-facts f-muted" });
    this.foot = el("footer", { className: "f-actions" }, this.resume, this.copying, this.again, this.seen, this.facts);
    this.element = el(
      "article", { className: "f-turn f-reply", dataset: { id: message.id }, aria: { label: t("assistant") } },
      this.details, this.text.element, this.dots, this.ending, this.foot,
    );
    this.update(message);
  }

  /** Shows the message as it is stored. */
  update(message) {
    if (message.thinking_seconds === undefined) message.thinking_seconds = this.message?.thinking_seconds;
    this.message = message;
    this.text.set(0, message.html);
    this.thinking.set(0, message.thinking_html);
    this.show();
  }

  /** A reply that goes on, as a whole. */
  snapshot(news) {
    this.message.status = "running";
    this.text.set(0, []);
    this.thinking.set(0, []);
    this.patch(news);
  }

  patch(news) {
    if (news.text) this.text.patch(news.text);
    if (news.thinking) this.thinking.patch(news.thinking);
    if (news.left_out !== undefined) this.message.left_out = news.left_out;
    if (news.thinking_seconds !== undefined) this.message.thinking_seconds = news.thinking_seconds;
    this.show();
  }

  show() {
    const { status, finish_reason, thinking_seconds } = this.message;
    const running = status === "running";
    const hasText = this.text.html.length > 0 || Boolean(this.text.tail);
    const hasThinking = this.thinking.html.length > 0 || Boolean(this.thinking.tail);
    const key = [status, finish_reason, hasText, hasThinking, thinking_seconds, this.message.tokens].join();
    if (key === this.key) return; // nearly every patch brings only text
    this.key = key;
    this.element.dataset.status = status;
    this.element.setAttribute("aria-busy", running);
    this.dots.hidden = !running || hasText || hasThinking;
    this.details.hidden = !hasThinking;
    if (hasThinking) {
      const busy = running && !hasText;
      this.details.classList.toggle("f-busy", busy);
      this.summary.textContent = busy ? t("thinking") : thinking_seconds ? t("thought_for", { seconds: thinking_seconds }) : t("thought");
    }
    this.showEnding(status, finish_reason, hasText);
    this.foot.hidden = running;
    this.copying.hidden = !hasText;
    this.resume.hidden = !(["interrupted", "stopped"].includes(status) || finish_reason === "length") || !hasText;
    const { model, tokens, tokens_per_second, created_at } = this.message;
    const parts = [model, tokens && t("tokens", { count: tokens }), tokens_per_second && t("speed", { rate: tokens_per_second })];
    this.facts.textContent = parts.filter(Boolean).join(" · ");
    this.facts.title = when(created_at);
  }

  showEnding(status, finish_reason, hasText) {
    const { error_text, error_code } = this.message;
    const text = {
      stopped: t("ended_stopped"),
      interrupted: error_text || t("ended_interrupted"),
      failed: error_text || t("ended_failed"),
      complete: finish_reason === "length" ? t("ended_length") : hasText ? "" : t("ended_empty"),
    }[status];
    this.ending.hidden = !text;
    this.ending.replaceChildren(text ?? "");
    this.ending.setAttribute("role", status === "failed" ? "alert" : "note");
    if (error_code === "context_length_exceeded") {
      this.ending.append(button(t("put_back"), null, () => this.actions.putBack(this.message.parent_id), { label: true, className: "f-solid" }));
    } else if (status === "failed") {
      this.ending.append(button(t("try_again"), "again", () => this.actions.regenerate(this.message.id), { label: true, className: "f-solid" }));
    }
  }
}
