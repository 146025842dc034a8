// The list above the box: a listbox that the box controls, as in the combobox pattern. The focus stays in the box.
import { announce, el, icon, notice, t } from "./dom.js";
import { asked, offered } from "./slash_entries.js";

export class SlashMenu {
  /** `box` is the textarea; `insert(text)` puts a prompt where the cursor is, `personaTaken` is told of a choice. */
  constructor(box, actions) {
    this.box = box;
    this.actions = actions;
    this.entries = [];
    this.at = 0;
    this.round = 0;
    this.element = el("div", { className: "f-slash", id: "slash-menu", role: "listbox", tabIndex: 0, hidden: true });
    this.element.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
    this.element.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.take([...this.element.children].indexOf(option));
    });
    box.setAttribute("aria-autocomplete", "list");
    box.setAttribute("aria-haspopup", "listbox");
    box.addEventListener("blur", () => this.close());
    document.addEventListener("selectionchange", () => {
      if (document.activeElement === box && !this.element.hidden) this.update();
    });
  }

  get open() {
    return !this.element.hidden;
  }

  /** After whatever was typed. What was closed by Escape stays closed until something else is asked. */
  async update() {
    const { value, selectionStart, selectionEnd } = this.box;
    const question = selectionStart === selectionEnd ? asked(value, selectionStart) : null;
    const key = question && `${question.sign}${question.start}`;
    if (!question || this.dismissed === key) {
      if (!question) this.dismissed = null;
      return this.close();
    }
    const text = key + question.query;
    if (text === this.wanted) return undefined; // shown already, or about to be
    const round = ++this.round;
    this.wanted = text;
    let entries = [];
    try {
      entries = await offered(question, this.actions);
    } catch (error) {
      this.dismissed = key;
      this.close();
      return notice(error.message, { kind: "error" });
    }
    if (round !== this.round) return undefined;
    this.question = question;
    this.key = key;
    if (!entries.length || document.activeElement !== this.box) return this.close();
    return this.show(entries);
  }

  show(entries) {
    this.entries = entries;
    this.at = 0;
    this.element.setAttribute("aria-label", this.question.sign === "/" ? t("prompts_offered") : t("personas_offered"));
    this.element.replaceChildren(...entries.map((entry, index) => option(entry, index)));
    this.element.hidden = false;
    this.box.setAttribute("aria-controls", this.element.id);
    this.mark();
    announce(t("offered", { count: entries.length }));
  }

  close() {
    this.round += 1;
    this.wanted = null;
    if (!this.open) return;
    this.element.hidden = true;
    this.element.replaceChildren();
    this.box.removeAttribute("aria-controls");
    this.box.removeAttribute("aria-activedescendant");
  }

  mark() {
    [...this.element.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === this.at)));
    const chosen = this.element.children[this.at];
    this.box.setAttribute("aria-activedescendant", chosen.id);
    chosen.scrollIntoView({ block: "nearest" });
  }

  /** Whether the key was for the list. */
  keydown(event) {
    if (!this.open || event.ctrlKey || event.metaKey || event.altKey) return false;
    const count = this.entries.length;
    const move = (to) => {
      this.at = (to + count) % count;
      this.mark();
    };
    const keys = {
      ArrowDown: () => move(this.at + 1),
      ArrowUp: () => move(this.at - 1),
      Enter: () => this.take(this.at),
      Tab: () => this.take(this.at),
      Escape: () => {
        this.dismissed = this.key;
        this.close();
      },
    };
    if (!keys[event.key] || event.shiftKey) return false;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
    return true;
  }

  /** The question goes, and what was chosen takes its place. */
  take(index) {
    const entry = this.entries[index];
    const { start } = this.question;
    this.close();
    this.box.focus();
    this.box.setSelectionRange(start, this.box.selectionEnd);
    replaceSelection(this.box, "");
    entry.take();
  }
}

function option({ name, hint, text, icon: sign, apart }, index) {
  const about = String(text ?? "").replace(/\s+/g, " ").slice(0, 160);
  const made = el(
    "div", { role: "option", id: `slash-${index}`, className: apart ? "f-slash-apart" : "" },
    icon(sign), el("bdi", { className: "f-slash-name" }, name), el("span", { className: "f-slash-hint" }, hint),
    el("span", { className: "f-slash-text", dir: "auto" }, about),
  );
  return made;
}

/** Types a text over what is selected, if it is not too long in a way that the browser can undo. */
export function replaceSelection(box, text) {
  const { selectionStart, selectionEnd } = box;
  if (selectionStart === selectionEnd && !text) return;
  // The only way that keeps undo. Chromium takes the square of the lines for it: 3 s for 700 of them.
  const short = text.length < 4000 && text.split("\n").length < 60;
  if (short && document.execCommand(text ? "insertText" : "delete", false, text)) return;
  box.setRangeText(text, selectionStart, selectionEnd, "end");
  box.dispatchEvent(new Event("input", { bubbles: true }));
}
