// The box: what is typed, what is beside it, and when it is sent.
//
// Enter sends and Shift+Enter breaks the line; with a touch keyboard Enter breaks the line, as it does elsewhere on phones.
// Enter of an input method does neither.
import { announce, button, el, icon, notice, present, t, type } from "./dom.js";
import { SlashMenu, replaceSelection } from "./slash_menu.js";
import * as drafts from "./drafts.js";
import { listen } from "./drop.js";
import { FillIn } from "./fill_in.js";
import { registerAll } from "./page_shortcuts.js";
import { help, spoken } from "./shortcuts.js";
import { Tray } from "./tray.js";

const LONG_PASTE = 4000; // characters, from which on a pasted text is a file
const touch = matchMedia("(hover: none) and (pointer: coarse)");

export class Composer {
  /** `blind` gives the title of the model that will answer, where it sees no pictures. */
  constructor({ send, stop, clear, changed, blind = () => null }) {
    this.actions = { send, stop, clear, changed, blind };
    this.id = null;
    this.composed = null; // when an input method has ended, and its key is still to come
    this.confirmed = false; // whether its last key was Enter
    this.opening = true; // what is put into the box is no draft yet
    this.ready = this.find();
  }

  async find() {
    this.box = await present("#prompt textarea");
    this.submit = await present("#submit");
    this.stopping = await present("#stop");
    this.clearing = await present("#clear");
    const card = await present("#card");
    const buttons = await present("#composer-buttons");
    this.tray = new Tray({ changed: () => this.altered(), putBack: (text) => this.putBack(text) });
    this.menu = new SlashMenu(this.box, { insert: (text) => this.insert(text), personaTaken: () => this.box.focus() });
    this.fill = new FillIn(this.box);
    this.persona = el("div", { className: "f-persona-chip", hidden: true });
    this.unseen = el("p", { className: "f-unseen", hidden: true, role: "status" });
    card.prepend(this.persona, this.tray.element, this.unseen);
    card.append(this.menu.element);
    this.addButtons(buttons);
    this.listen();
    registerAll(this);
    this.showPersona().catch(console.error);
    this.altered();
  }

  addButtons(row) {
    const chosen = el("input", { type: "file", multiple: true, hidden: true, tabIndex: -1 });
    chosen.addEventListener("change", () => {
      this.tray.add([...chosen.files]);
      chosen.value = ""; // the same file again is a choice, too
      this.focus();
    });
    this.attaching = button(t("files_attach"), "clip", () => chosen.click());
    this.attaching.id = "attach";
    this.attaching.title = `${t("files_attach")} (${spoken("Alt+Shift+U")})`;
    const keys = button(t("shortcuts"), "keyboard", () => help());
    keys.id = "shortcuts";
    keys.title = `${t("shortcuts")} (?)`;
    row.prepend(this.attaching, chosen);
    this.stopping.before(keys);
  }

  listen() {
    // In the capture phase, before Gradio's own idea of Enter.
    const field = document.getElementById("prompt");
    field.addEventListener("keydown", (event) => this.keydown(event), true);
    field.addEventListener("keypress", (event) => event.key === "Enter" && event.stopPropagation(), true);
    this.box.addEventListener("compositionend", (event) => { this.composed = this.confirmed ? null : event.timeStamp; });
    this.box.addEventListener("keyup", () => { this.composed = null; });
    this.box.addEventListener("input", (event) => {
      if (!event.isComposing) this.menu.update();
      this.altered();
    });
    this.box.addEventListener("compositionend", () => this.menu.update());
    this.submit.addEventListener("click", () => this.trySend());
    this.stopping.addEventListener("click", () => this.actions.stop());
    this.clearing.addEventListener("click", () => this.actions.clear());
    document.addEventListener("keydown", (event) => this.escape(event));
    document.addEventListener("paste", (event) => this.paste(event));
    document.addEventListener("keydown", (event) => { this.plain = event.shiftKey && event.code === "KeyV"; }, true);
    listen((files) => this.tray.add(files));
    touch.addEventListener("change", () => this.hint());
    this.hint();
    keepAboveKeyboard();
  }

  /** What a touch keyboard writes on its Enter key. */
  hint() {
    this.box.enterKeyHint = touch.matches ? "enter" : "send";
  }

  // -- keys

  keydown(event) {
    if (this.composes(event)) return;
    if (this.menu.keydown(event) || this.fill.keydown(event)) return;
    if (event.key === "ArrowUp" && !this.box.value && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey) return this.editLast(event);
    if (event.key !== "Enter") return;
    event.stopPropagation();
    const anyway = event.ctrlKey || event.metaKey;
    if (event.shiftKey || event.altKey || (touch.matches && !anyway)) return;
    event.preventDefault();
    this.trySend();
  }

  /**
   * Whether the key belongs to an input method. Most browsers say so by `isComposing`, some by the code 229 alone, and
   * Safari ends the composition before it tells of the Enter that ended it: no key has come up in between.
   */
  composes(event) {
    if (event.isComposing || event.keyCode === 229) {
      this.confirmed = event.key === "Enter";
      if (this.confirmed) event.stopPropagation();
      this.composed = null;
      return true;
    }
    const just = this.composed !== null && event.timeStamp - this.composed < 500;
    this.composed = null;
    if (!just || event.key !== "Enter") return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** Escape stops the reply; in a dialog, a menu or another field it means something else. */
  escape(event) {
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || !this.running) return;
    const elsewhere = event.target.closest?.("dialog, [role=menu], input, select, [contenteditable]") || (event.target.closest?.("textarea") && event.target !== this.box);
    if (!elsewhere && !document.querySelector("dialog[open]")) this.actions.stop();
  }

  editLast(event) {
    const found = [...document.querySelectorAll(`.f-question [aria-label="${CSS.escape(t("edit"))}"]`)].at(-1);
    if (!found || this.running || this.tray.chips.length) return;
    event.preventDefault();
    found.click();
  }

  trySend() {
    if (this.running) return;
    if (this.tray.uploading) return void notice(t("files_wait"), { seconds: 4 });
    if (this.tray.failed) return void notice(t("files_failed"), { seconds: 6 });
    if (!this.unseen.hidden) return void notice(this.unseen.textContent, { seconds: 6 });
    this.menu.close();
    this.fill.end();
    const before = this.tray.files.length;
    // Refused: another tab may have sent or removed a file.
    Promise.resolve(this.actions.send()).then(() => before && this.tray.files.length && this.tray.check()).catch(() => { /* told by chat.js */ });
  }

  // -- what is put in

  paste(event) {
    const target = event.target;
    const elsewhere = target !== this.box && target.closest?.("input, textarea, select, [contenteditable], dialog");
    if (elsewhere || !event.clipboardData || document.querySelector("dialog[open]")) return;
    const text = event.clipboardData.getData("text/plain");
    const files = [...event.clipboardData.files];
    // Office programs put a picture of the text beside the text.
    const wanted = text ? files.filter(({ type: kind }) => !kind.startsWith("image/")) : files;
    if (wanted.length) {
      event.preventDefault();
      this.tray.add(wanted);
    } else if (text.length > LONG_PASTE && !this.plain) {
      event.preventDefault();
      this.tray.add([new File([text], this.pastedName(), { type: "text/plain" })], { pasted: true });
      announce(t("paste_as_file"));
    } else if (target !== this.box && text) {
      event.preventDefault();
      this.putBack(text);
    }
  }

  pastedName() {
    const names = new Set(this.tray.chips.map(({ file }) => file.name));
    for (let number = 1; ; number += 1) {
      const name = `${t("pasted_text")}${number > 1 ? ` ${number}` : ""}.txt`;
      if (!names.has(name)) return name;
    }
  }

  /** A prompt takes the place of what was asked for it. */
  insert(text) {
    this.box.focus();
    const start = this.box.selectionStart;
    replaceSelection(this.box, text);
    this.fill.begin(start);
  }

  /** A text at the cursor. */
  putBack(text) {
    this.box.focus();
    if (text) replaceSelection(this.box, text);
  }

  /** The persona that the next reply is written as, above the box. */
  async showPersona() {
    const personas = await import("./personas.js");
    const show = () => {
      const persona = personas.current();
      this.persona.hidden = !persona;
      if (!persona) return;
      const remove = button(t("persona_remove", { name: persona.name }), "close", () => {
        personas.choose(null);
        this.box.focus();
      });
      this.persona.replaceChildren(icon("person"), el("bdi", { title: persona.description ?? "" }, persona.name), remove);
    };
    personas.onChoice(show);
    show();
  }

  // -- drafts

  /** The draft of a conversation comes back with it, and so do its files. */
  async open(id) {
    await this.ready;
    const next = id ?? "new";
    const early = this.id === null ? this.box.value : ""; // typed while the page was still being put together
    this.opening = true;
    if (this.id !== null && next !== this.id) drafts.leave(); // of a page just loaded it is the draft to show
    this.id = next;
    const { text, files } = drafts.read(next);
    this.fill.end();
    this.menu.close();
    type(this.box, text + early);
    this.tray.restore(next, files);
    this.opening = false;
    this.altered();
  }

  /** Something is other than it was: remembered, and shown. */
  altered() {
    if (!this.opening) drafts.keep(this.id, { text: this.box.value, files: this.tray.files });
    this.refresh();
    this.actions.changed();
  }

  /** What was sent goes: the text and the files. */
  take() {
    this.tray?.clear();
    if (this.box) this.value = "";
  }

  get attachments() {
    return this.tray?.files ?? [];
  }

  get value() {
    return this.box?.value ?? "";
  }

  set value(text) {
    type(this.box, text);
    this.menu.close();
    this.altered();
  }

  // -- state

  /** Stop takes Submit's place while a reply is written. */
  setRunning(running) {
    this.running = running;
    document.documentElement.toggleAttribute("data-running", running);
    this.refresh();
  }

  refresh() {
    if (!this.tray) return;
    const { uploading, failed, files } = this.tray;
    const blind = this.tray.pictures.length ? this.actions.blind() : null;
    this.unseen.hidden = blind === null;
    this.unseen.textContent = blind === null ? "" : t("pictures_unseen", { model: blind });
    const sendable = !uploading && !failed && blind === null && (this.box.value.trim() || files.length);
    this.submit.setAttribute("aria-disabled", String(!sendable));
    this.submit.title = uploading ? t("files_wait") : failed ? t("files_failed") : this.unseen.textContent;
  }

  focus() {
    if (matchMedia("(pointer: fine)").matches) this.box?.focus();
  }
}

/** Safari lays its keyboard over the page, whatever the page's height is. */
function keepAboveKeyboard() {
  const seen = window.visualViewport;
  if (!seen || !touch.matches) return;
  const fit = () => {
    const covered = innerHeight - seen.height > 120 && seen.scale < 1.05;
    document.documentElement.style.setProperty("--f-height", covered ? `${seen.height}px` : "");
    if (covered) scrollTo(0, 0);
  };
  seen.addEventListener("resize", fit);
}
