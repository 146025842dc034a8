// The message log: turns in order, scrolling, pages on demand in both directions, and the first screen.
import { button, el, t } from "./dom.js";
import { firstScreen } from "./first_screen.js";
import { LeftOut, unsent } from "./left_out.js";
import { Question } from "./question.js";
import { Reply } from "./reply.js";

const NEAR = 48; // pixels from the bottom that still count as being there
const MARKED = 2400; // milliseconds that a message is marked which somebody was led to
const SOON = 400; // pixels from either end at which the next page is asked for

export class Log {
  constructor(element, actions) {
    this.actions = actions;
    this.turns = new Map(); // message id to Question or Reply, oldest first
    this.stuck = true; // to the bottom
    this.hasLater = false; // newer messages of this branch are not here: somebody jumped to an old one
    this.top = 0;
    this.height = 0;
    this.earlier = button(t("earlier"), null, () => actions.earlier(), { label: true, className: "f-earlier" });
    this.later = button(t("later"), null, () => actions.later(), { label: true, className: "f-earlier" });
    this.heading = el("h1", { className: "f-hidden" });
    this.column = el("div", { className: "f-column", role: "log", aria: { live: "off", label: t("messages") } });
    this.leftOut = new LeftOut(() => actions.showLeftOut());
    this.empty = firstScreen(actions.suggest);
    this.inner = el("div", { className: "f-inner" }, this.heading, this.earlier, this.empty, this.column, this.later);
    this.scroller = el("div", { className: "f-scroller", tabIndex: -1 }, this.inner);
    this.jump = button(t("jump"), "down", () => actions.toEnd(), { className: "f-jump" });
    this.earlier.hidden = this.later.hidden = this.jump.hidden = true;
    element.replaceChildren(this.scroller, this.jump);
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // The one place that follows the bottom: whatever makes the column or the window change its size.
    const follow = new ResizeObserver(() => (this.stuck ? this.toBottom() : this.scrolled()));
    follow.observe(this.column);
    follow.observe(this.scroller);
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const below = scrollHeight - scrollTop - clientHeight;
    // Off the bottom only by scrolling up: new text and late sizes move the bottom away by themselves. Where turns that
    // come into sight turn out smaller than was guessed, the whole shrinks meanwhile.
    if (below < NEAR && !this.hasLater) this.stuck = true;
    else if (scrollTop - this.top < Math.min(0, scrollHeight - this.height) - 1) this.stuck = false;
    this.top = scrollTop;
    this.height = scrollHeight;
    this.jump.hidden = this.stuck;
    if (scrollTop < SOON && !this.earlier.hidden) this.actions.earlier();
    else if (below < SOON && this.hasLater) this.actions.later();
  }

  toBottom() {
    this.stuck = true;
    this.jump.hidden = true;
    this.scroller.scrollTop = 1e9; // more than there is: reading scrollHeight would cost a layout
  }

  /**
   * Shows a page of messages and what follows it. Where the page begins with a message that is here, those before it
   * stay: they are its ancestors. What is there already stays in place, and what one reads does not move.
   */
  show({ messages, has_earlier, has_later = false }) {
    const first = messages[0]?.id;
    const ids = [...this.turns.keys()];
    const kept = this.turns.has(first) ? ids.slice(0, ids.indexOf(first)) : [];
    if (!kept.length) this.earlier.hidden = !has_earlier;
    this.settle(() => {
      messages.forEach((message) => this.place(message));
      this.arrange([...kept, ...messages.map((message) => message.id)]);
    });
    this.setLater(has_later);
  }

  prepend({ messages, has_earlier }) {
    const here = [...this.turns.keys()];
    this.earlier.hidden = !has_earlier;
    this.settle(() => {
      messages.forEach((message) => this.place(message));
      this.arrange([...new Set([...messages.map((message) => message.id), ...here])]);
    });
  }

  append({ messages, has_later }) {
    const here = [...this.turns.keys()];
    messages.forEach((message) => this.place(message));
    this.arrange([...new Set([...here, ...messages.map((message) => message.id)])]);
    this.setLater(has_later);
  }

  setLater(hasLater) {
    this.hasLater = hasLater;
    this.later.hidden = !hasLater;
    if (hasLater) this.stuck = false;
    this.jump.hidden = this.stuck;
  }

  /** Makes a change while the first turn in sight stays where it is. */
  settle(change) {
    const { top } = this.scroller.getBoundingClientRect();
    const anchor = this.stuck ? null : [...this.turns.values()].find(({ element }) => element.getBoundingClientRect().bottom > top);
    const before = anchor?.element.getBoundingClientRect().top;
    change();
    if (!anchor?.element.isConnected) return;
    const moved = anchor.element.getBoundingClientRect().top - before;
    if (moved) this.scroller.scrollTop += moved;
  }

  /** Exactly these turns in this order, moving none that stands right: one that moves would lose focus and selection. */
  arrange(ids) {
    const turns = new Map(ids.map((id) => [id, this.turns.get(id)]));
    for (const [id, turn] of this.turns) if (!turns.has(id)) turn.element.remove();
    let next = this.column.firstElementChild;
    for (const { element } of turns.values()) {
      if (next === this.leftOut.element) next = next.nextElementSibling;
      if (next === element) next = next.nextElementSibling;
      else this.column.insertBefore(element, next);
    }
    this.turns = turns;
    this.changed();
  }

  /** Makes or updates a message's turn, which is not in its place yet. */
  place(message) {
    const known = this.turns.get(message.id);
    if (known) known.update(message);
    else this.turns.set(message.id, message.role === "user" ? new Question(message, this.actions) : new Reply(message, this.actions));
  }

  /** Adds a message at the end, or updates it. */
  put(message) {
    this.place(message);
    this.arrange([...this.turns.keys()]);
  }

  /** Takes away a message and everything after it, or with `keep` only what is after: another version begins. */
  cut(id, { keep = false } = {}) {
    const ids = [...this.turns.keys()];
    const from = ids.indexOf(id);
    if (from >= 0) this.arrange(ids.slice(0, from + (keep ? 1 : 0)));
  }

  get(id) {
    return this.turns.get(id);
  }

  get last() {
    return [...this.turns.values()].at(-1);
  }

  get firstId() {
    return this.turns.keys().next().value;
  }

  /** The id of the first turn in sight. */
  get inSight() {
    const { top } = this.scroller.getBoundingClientRect();
    return [...this.turns.values()].find(({ element }) => element.getBoundingClientRect().bottom > top)?.message.id;
  }

  clear() {
    this.show({ messages: [], has_earlier: false });
  }

  /** Goes to a message and marks it for a moment; who reads by ear goes on from there. */
  mark(id) {
    const turn = this.turns.get(id);
    if (!turn) return;
    this.stuck = false;
    turn.element.classList.remove("f-marked");
    const go = () => turn.element.scrollIntoView({ block: turn.element.offsetHeight > this.scroller.clientHeight * 0.8 ? "start" : "center" });
    go();
    // What comes into sight takes its real size only then, so the place is looked for once more.
    requestAnimationFrame(() => requestAnimationFrame(() => {
      go();
      turn.element.classList.add("f-marked");
      turn.element.focus({ preventScroll: true });
      this.scrolled();
    }));
    setTimeout(() => turn.element.classList.remove("f-marked"), MARKED);
  }

  /** Which turn is the last, and what the model no longer sees. */
  changed() {
    this.empty.hidden = this.turns.size > 0;
    const turns = [...this.turns.values()];
    this.column.querySelector(".f-last")?.classList.remove("f-last");
    turns.at(-1)?.element.classList.add("f-last");
    const { start, above, between } = this.window();
    this.leftOut.place(above, this.turns.get(start)?.element);
    turns.forEach((turn) => turn.setUnsent?.(between.includes(turn)));
  }

  /**
   * What the newest reply's model saw: where it began, how many messages above were left out, and those in between.
   * `start` is null where it began with the first message.
   */
  window() {
    const turns = [...this.turns.values()];
    const newest = turns.findLastIndex(({ message }) => message.role === "assistant" && (message.left_out > 0 || message.text));
    const { left_out = 0, start_id = null } = turns[newest]?.message ?? {};
    const from = start_id ? turns.findIndex(({ message }) => message.id === start_id) : 0;
    if (!left_out || this.hasLater || from < 0) return { start: start_id, above: 0, between: [], count: left_out };
    const between = unsent(turns.slice(from, newest));
    return { start: start_id, above: start_id ? left_out - between.length : 0, between, count: left_out };
  }
}
