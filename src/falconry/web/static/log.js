// The message log: turns in order, scrolling, older ones on demand, and the first screen.
import { button, el, mark, t } from "./dom.js";
import { Question, Reply } from "./turns.js";

const NEAR = 48; // pixels from the bottom that still count as being there

export class Log {
  constructor(element, actions) {
    this.actions = actions;
    this.turns = new Map(); // message id to Question or Reply, oldest first
    this.stuck = true; // to the bottom
    this.top = 0;
    this.height = 0;
    this.earlier = button(t("earlier"), null, () => actions.earlier(), { label: true, className: "f-earlier" });
    this.earlier.hidden = true;
    this.column = el("div", { className: "f-column", role: "log", aria: { live: "off", label: t("messages") } });
    this.empty = firstScreen(actions.suggest);
    this.scroller = el("div", { className: "f-scroller", tabIndex: -1 }, el("div", { className: "f-inner" }, this.earlier, this.empty, this.column));
    this.jump = button(t("jump"), "down", () => this.toBottom(), { className: "f-jump" });
    this.jump.hidden = true;
    element.replaceChildren(this.scroller, this.jump);
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // The one place that follows the bottom: whatever makes the column or the window change its size.
    const follow = new ResizeObserver(() => (this.stuck ? this.toBottom() : this.scrolled()));
    follow.observe(this.column);
    follow.observe(this.scroller);
  }

  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    // Off the bottom only by scrolling up: new text and late sizes move the bottom away by themselves.
    if (scrollHeight - scrollTop - clientHeight < NEAR) this.stuck = true;
    else if (scrollTop < this.top && scrollHeight >= this.height) this.stuck = false;
    this.top = scrollTop;
    this.height = scrollHeight;
    this.jump.hidden = this.stuck;
    if (scrollTop < 200 && !this.earlier.hidden) this.actions.earlier();
  }

  toBottom() {
    this.stuck = true;
    this.jump.hidden = true;
    this.scroller.scrollTop = 1e9; // more than there is: reading scrollHeight would cost a layout
  }

  /** Shows exactly these messages; what is there already stays in place. */
  show(messages, hasEarlier) {
    const keep = new Set(messages.map((message) => message.id));
    for (const [id, turn] of this.turns) {
      if (!keep.has(id)) {
        turn.element.remove();
        this.turns.delete(id);
      }
    }
    messages.forEach((message) => this.put(message));
    this.column.append(...messages.map((message) => this.turns.get(message.id).element));
    this.turns = new Map(messages.map((message) => [message.id, this.turns.get(message.id)]));
    this.earlier.hidden = !hasEarlier;
    this.changed();
  }

  prepend(messages, hasEarlier) {
    const height = this.scroller.scrollHeight;
    const old = this.turns;
    this.turns = new Map();
    messages.forEach((message) => this.put(message));
    this.column.prepend(...[...this.turns.values()].map((turn) => turn.element));
    old.forEach((turn, id) => this.turns.set(id, turn));
    this.earlier.hidden = !hasEarlier;
    this.changed();
    this.scroller.scrollTop += this.scroller.scrollHeight - height;
  }

  /** Adds a message at the end, or updates it. */
  put(message) {
    const known = this.turns.get(message.id);
    if (known) {
      known.update(message);
    } else {
      const turn = message.role === "user" ? new Question(message) : new Reply(message, this.actions);
      this.turns.set(message.id, turn);
      this.column.append(turn.element);
    }
    this.changed();
  }

  /** Takes away everything after a message: another reply to it begins. */
  cutAfter(id) {
    let found = false;
    for (const [key, turn] of this.turns) {
      if (found) {
        turn.element.remove();
        this.turns.delete(key);
      }
      found ||= key === id;
    }
  }

  get(id) {
    return this.turns.get(id);
  }

  get last() {
    return [...this.turns.values()].at(-1);
  }

  first() {
    return this.turns.keys().next().value;
  }

  clear() {
    this.show([], false);
  }

  /** Notices about what was left out, and which reply is the last. */
  changed() {
    this.empty.hidden = this.turns.size > 0;
    for (const turn of this.turns.values()) {
      turn.element.classList.remove("f-last");
      const { parent_id, role, left_out } = turn.message;
      if (role === "assistant") this.turns.get(parent_id)?.leftOut?.(left_out);
    }
    this.last?.element.classList.add("f-last");
  }
}

function firstScreen(suggest) {
  const chips = ["suggestion_savanna", "suggestion_mathematics", "suggestion_who", "suggestion_falconry"].map((key) =>
    el("button", { type: "button", className: "f-chip", onclick: () => suggest(t(key)) }, t(key)));
  return el("section", { className: "f-empty" }, mark(), el("h1", {}, t("welcome")), el("p", { className: "f-muted" }, t("welcome_more")), el("div", { className: "f-chips" }, ...chips));
}
