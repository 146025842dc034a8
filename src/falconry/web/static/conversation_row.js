// One line of the left side: a conversation's link, its running mark, and the button of its menu.
import { button, el, t } from "./dom.js";
import { titleOf } from "./conversation_store.js";

export class Row {
  constructor() {
    this.title = el("span", { className: "f-title", dir: "auto" });
    this.running = el("i", { className: "f-running", title: t("running"), role: "img", hidden: true, aria: { label: t("running") } });
    this.link = el("a", { draggable: true, tabIndex: -1 }, this.title, this.running);
    this.more = button("", "dots", null, { className: "f-row-menu" });
    Object.assign(this.more, { tabIndex: -1 });
    this.more.setAttribute("aria-haspopup", "menu");
    this.element = el("li", { className: "f-item" }, this.link, this.more);
    this.element.row = this;
  }

  /** Shows a conversation; touches only what is other than before. `again`: it stands further up, too. */
  update(conversation, current, again = false) {
    const was = this.conversation;
    this.conversation = conversation;
    this.again = again;
    if (was?.id !== conversation.id) {
      this.link.href = `/?c=${conversation.id}`;
      this.link.dataset.id = conversation.id;
    }
    if (!was || was.title !== conversation.title) {
      this.title.textContent = titleOf(conversation);
      this.link.title = titleOf(conversation);
      this.more.title = t("conversation_menu", { title: titleOf(conversation) });
      this.more.setAttribute("aria-label", this.more.title);
    }
    this.running.hidden = !conversation.running;
    this.mark(current);
    return this;
  }

  /** Only one link is said to be the current one. */
  mark(current) {
    const shown = this.conversation.id === current;
    if (shown && !this.again) this.link.setAttribute("aria-current", "page");
    else this.link.removeAttribute("aria-current");
    this.element.classList.toggle("f-current", shown);
  }
}
