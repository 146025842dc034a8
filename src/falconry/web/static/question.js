// What a person said, as an element: the text as it was written, its files, its versions, and editing it in its place.
import { attached } from "./attached.js";
import { button, copy, el, t } from "./dom.js";
import { editBox } from "./edit_box.js";
import { Versions } from "./versions.js";
import { exact, time } from "./when.js";

const SHOWN = 12_000; // characters; of a longer text a beginning is shown at first
const PIECE = 4000; // characters that are laid out together: one long text at once takes a browser seconds

export class Question {
  constructor(message, actions) {
    this.actions = actions;
    this.files = el("div");
    this.bubble = el("div", { className: "f-bubble", dir: "auto" });
    this.note = el("p", { className: "f-unsent f-muted", hidden: true }, t("unsent"));
    this.versions = new Versions((id, from) => actions.showVersion(id, from, this.message.id));
    this.copying = button(t("copy"), "copy", () => copy(this.message.text, this.copying));
    this.editing = button(t("edit"), "edit", () => this.edit());
    this.deleting = button(t("delete_branch"), "trash", () => actions.remove(this.message.id));
    const when = el("span", { className: "f-about f-muted" }, time(message.created_at));
    this.foot = el("footer", { className: "f-actions" }, when, this.copying, this.editing, this.deleting, this.versions.element);
    this.element = el(
      "article", { className: "f-turn f-question", dataset: { id: message.id }, tabIndex: -1, aria: { label: t("you") } },
      el("h2", { className: "f-hidden" }, t("you")), this.files, this.bubble, this.note, this.foot,
    );
    this.bubble.title = exact(message.created_at);
    this.update(message);
  }

  update(message) {
    this.message = message;
    if (this.shown !== message.text) this.say(message.text);
    this.bubble.hidden = Boolean(this.box) || !message.text;
    const files = message.attachments ?? [];
    const key = files.map(({ id }) => id).join();
    if (key !== this.filesKey) this.files.replaceChildren(...(files.length ? [attached(files)] : []));
    this.filesKey = key;
    this.versions.update(message);
  }

  say(text) {
    this.shown = text;
    if (text.length <= SHOWN) return this.bubble.replaceChildren(text);
    const more = button(t("show_all", { number: text.length.toLocaleString() }), null, () => {
      const pieces = Array.from({ length: Math.ceil(text.length / PIECE) }, (_, n) => text.slice(n * PIECE, (n + 1) * PIECE));
      this.actions.hold();
      this.bubble.replaceChildren(...pieces.map((piece) => el("div", { className: "f-piece" }, piece)));
    }, { label: true, className: "f-more" });
    return this.bubble.replaceChildren(`${text.slice(0, PIECE)}…`, el("br"), more);
  }

  /** Whether later turns go without it: it got no answer. */
  setUnsent(unsent) {
    this.note.hidden = !unsent;
  }

  /** The text becomes a box, and the files can be taken away. */
  edit() {
    if (this.box) return this.box.querySelector("textarea").focus();
    let files = this.message.attachments ?? [];
    const show = (removable) => {
      const remove = (file) => {
        files = files.filter((other) => other !== file);
        show(true);
        this.box.querySelector("textarea").focus();
      };
      this.files.replaceChildren(...(files.length ? [attached(files, removable ? remove : null)] : []));
    };
    const close = () => {
      this.box?.remove();
      this.box = null;
      this.bubble.hidden = !this.message.text;
      this.foot.hidden = false;
      files = this.message.attachments ?? [];
      show(false);
      this.editing.focus();
    };
    const send = (text) => this.actions.edit(this.message.id, text, files.map((file) => file.id));
    this.box = editBox({ id: this.message.id, text: this.message.text, send, close, mayBeEmpty: () => files.length > 0 });
    this.bubble.hidden = true;
    this.foot.hidden = true;
    this.actions.hold();
    show(true);
    return this.bubble.after(this.box);
  }
}
