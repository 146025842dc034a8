// A reply as an element, in all its states: waiting, thinking, streaming, complete, stopped, interrupted or failed.
import { Blocks } from "./blocks.js";
import { button, copy, el, percent, t } from "./dom.js";
import { figures, tellEnding } from "./endings.js";
import { showPrompt } from "./gauge.js";
import { nameOf } from "./model_list.js";
import { Rating } from "./rating.js";
import { Versions } from "./versions.js";
import { time } from "./when.js";

export class Reply {
  constructor(message, actions) {
    this.actions = actions;
    this.name = el("span");
    this.persona = el("p", { className: "f-persona", hidden: true }, this.name);
    this.thinking = new Blocks("f-thinking-text");
    this.text = new Blocks("f-text");
    this.summary = el("summary");
    this.details = el("details", { className: "f-thinking", hidden: true }, this.summary, this.thinking.element);
    this.dots = el("div", { className: "f-dots", role: "img", aria: { label: t("waiting") } }, el("i"), el("i"), el("i"));
    this.waiting = el("p", { className: "f-loading f-muted", hidden: true });
    this.ending = el("div", { className: "f-ending", hidden: true });
    this.unheard = el("p", { className: "f-unheard f-muted", role: "note", hidden: true });
    this.foot = this.makeFoot(message);
    this.element = el(
      "article", { className: "f-turn f-reply", dataset: { id: message.id }, tabIndex: -1, aria: { label: t("assistant") } },
      el("h2", { className: "f-hidden" }, t("assistant")), this.persona, this.details, this.text.element, this.dots, this.waiting, this.ending, this.unheard, this.foot,
    );
    this.update(message);
  }

  makeFoot(message) {
    const { actions } = this;
    const id = () => this.message.id;
    this.resume = button(t("continue"), "resume", () => actions.resume(id()), { label: true, className: "f-resume" });
    this.versions = new Versions((other, from) => actions.showVersion(other, from, id()));
    this.copying = button(t("copy"), "copy", () => copy(this.message.text, this.copying));
    this.again = button(t("regenerate"), "again", () => actions.regenerate(id()));
    this.rating = new Rating((rating, correction) => actions.rate(id(), rating, correction), () => this.message.text);
    this.seen = button(t("what_the_model_saw"), "eye", () => showPrompt(id()));
    this.deleting = button(t("delete_branch"), "trash", () => actions.remove(id()));
    this.facts = el("span");
    return el(
      "footer", { className: "f-actions" },
      this.resume, this.versions.element, this.copying, this.again, this.rating.element, this.seen, this.deleting,
      el("span", { className: "f-about f-muted" }, this.facts, time(message.created_at)),
    );
  }

  /** Shows the message as it is stored. */
  update(message) {
    // Of a reply that is being written the live events know more than what is stored.
    const writing = message.status === "running" && this.message?.status === "running";
    this.message = writing ? { ...message, thinking_seconds: this.message.thinking_seconds } : message;
    if (!writing) {
      this.text.set(0, message.html);
      this.thinking.set(0, message.thinking_html);
    }
    this.versions.update(message);
    this.rating.update(message);
    this.persona.hidden = !message.persona;
    this.name.textContent = message.persona ?? "";
    this.key = "";
    this.show();
  }

  /** Names of options that the model's server did not take. */
  setUnheard(names) {
    this.unheard.hidden = !names.length;
    this.unheard.textContent = names.length ? t("left_out_options", { names: names.join(t("comma")) }) : "";
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
    if (news.loading !== undefined) this.showLoading(news.loading);
    for (const name of ["left_out", "start_id", "thinking_seconds"]) {
      if (news[name] !== undefined) this.message[name] = news[name];
    }
    this.show();
  }

  /** Its model is not there yet: null when it is. */
  showLoading(loading) {
    this.waiting.hidden = !loading;
    if (!loading) return;
    const { title, progress } = loading;
    this.waiting.textContent = progress === null ? t("reply_loading", { model: title })
      : t("reply_loading_percent", { model: title, percent: percent.format(progress) });
  }

  show() {
    const { status, finish_reason, thinking_seconds } = this.message;
    const running = status === "running";
    const hasText = this.text.html.length > 0 || Boolean(this.text.tail);
    const hasThinking = this.thinking.html.length > 0 || Boolean(this.thinking.tail);
    const key = [status, finish_reason, hasText, hasThinking, thinking_seconds].join();
    if (key === this.key) return; // nearly every patch brings only text
    this.key = key;
    this.element.dataset.status = status;
    this.element.setAttribute("aria-busy", running);
    if (!running) this.showLoading(null);
    this.dots.hidden = !running || hasText || hasThinking;
    this.details.hidden = !hasThinking;
    if (hasThinking) {
      const busy = running && !hasText;
      this.details.classList.toggle("f-busy", busy);
      this.summary.textContent = busy ? t("thinking") : thinking_seconds ? t("thought_for", { seconds: thinking_seconds }) : t("thought");
    }
    this.showEnding(status, hasText);
    this.foot.hidden = running;
    for (const each of [this.copying, this.rating.element]) each.hidden = !hasText;
    this.resume.hidden = !(["interrupted", "stopped"].includes(status) || finish_reason === "length") || !hasText;
    this.showFacts();
  }

  /** Model, tokens and speed; their last one stands before the time. */
  showFacts() {
    const { model } = this.message;
    const parts = [model && nameOf(model), ...figures(this.message).map((part) => el("bdi", {}, part))];
    this.facts.replaceChildren(...parts.filter(Boolean).flatMap((part) => [part, " · "]));
  }

  showEnding(status, hasText) {
    const { error_code } = this.message;
    tellEnding(this.ending, this.message, hasText);
    if (error_code === "context_length_exceeded") {
      this.ending.append(button(t("put_back"), null, () => this.actions.putBack(this.message.parent_id), { label: true, className: "f-solid" }));
    } else if (status === "failed") {
      this.ending.append(button(t("try_again"), "again", () => this.actions.regenerate(this.message.id), { label: true, className: "f-solid" }));
    }
  }
}
