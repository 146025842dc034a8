// The files beside the message that is being written: a chip for each, from choosing it to sending it.
import { getText, send } from "./api.js";
import { announce, button, el, fileSize, icon, notice, t } from "./dom.js";
import { addLater } from "./drafts.js";
import { isPicture, prepared, saysPicture, thumbnail } from "./pictures.js";
import { limits, unsent, upload } from "./upload.js";

export class Tray {
  /** `changed` is called whenever there are other files, or one is in another state. `putBack` takes a pasted text. */
  constructor({ changed, putBack }) {
    this.changed = changed;
    this.putBack = putBack;
    this.chips = [];
    this.owner = null; // the conversation whose files these are
    this.element = el("ul", { className: "f-tray", hidden: true, aria: { label: t("files_beside") } });
  }

  /** What goes with the message: {id, name, size, characters, …} of each. */
  get files() {
    return this.chips.filter(({ state }) => state === "ready").map(({ file }) => file);
  }

  get pictures() {
    return this.files.filter(isPicture);
  }

  get uploading() {
    return this.chips.some(({ state }) => state === "uploading");
  }

  get failed() {
    return this.chips.some(({ state }) => state === "failed");
  }

  /** Attaches files as the browser has them. `pasted`: a text that was too long for the box. */
  async add(files, { pasted = false } = {}) {
    const { files: most, pictures: mostPictures } = await limits().catch(() => ({ files: 20, pictures: 16 }));
    const room = Math.max(0, most - this.chips.length);
    if (files.length > room) notice(t("files_too_many", { most }), { kind: "error" });
    let left = mostPictures - this.chips.filter(({ picture }) => picture).length;
    for (const source of [...files].slice(0, room)) {
      if (saysPicture(source) && --left < 0) {
        notice(t("pictures_too_many", { most: mostPictures }), { kind: "error" });
        continue;
      }
      const chip = new Chip(this, { name: source.name, size: source.size, pasted }, source);
      this.put(chip);
      chip.begin();
    }
  }

  put(chip) {
    this.chips.push(chip);
    this.element.append(chip.element);
    this.tell();
  }

  /**
   * Shows the files of another conversation's draft. Those that the server has thrown away since say so. What is still
   * being uploaded goes on, and is found with its own draft.
   */
  restore(owner, files) {
    const early = this.owner === null ? this.chips : []; // chosen while the page was still being put together
    if (early.length) this.chips = [];
    this.chips.forEach((chip) => { chip.abort = null; });
    this.clear();
    this.owner = owner;
    for (const file of files) this.put(new Chip(this, file));
    for (const chip of early) this.put(Object.assign(chip, { owner }));
    if (files.length) this.check().catch(() => { /* sending will tell */ });
  }

  /** An upload has ended that was begun before another conversation was opened. */
  late(chip) {
    if (chip.owner === this.owner) this.put(chip);
    else addLater(chip.owner, chip.file);
  }

  async check() {
    const there = await unsent();
    for (const chip of this.chips) {
      if (chip.state === "ready" && !there.has(chip.file.id)) chip.fail(t("file_gone"));
    }
  }

  /** Away with all chips; what was sent stays with its message. */
  clear() {
    this.chips.forEach((chip) => chip.abort?.());
    this.chips = [];
    this.element.replaceChildren();
    this.tell();
  }

  remove(chip) {
    const at = this.chips.indexOf(chip);
    this.chips.splice(at, 1);
    chip.abort?.();
    chip.element.remove();
    if (chip.file.id) send("DELETE", `/api/attachments/${chip.file.id}`).catch(() => { /* thrown away within a day */ });
    this.tell();
    const next = this.chips[at] ?? this.chips[at - 1];
    if (next) next.removing.focus();
    return next;
  }

  tell() {
    this.element.hidden = !this.chips.length;
    this.changed();
  }
}

class Chip {
  /** `file` is what is known of it, with an id where it is uploaded; `source` the browser's File. */
  constructor(tray, file, source = null) {
    Object.assign(this, { tray, file, source, owner: tray.owner, state: file.id ? "ready" : "uploading" });
    this.sign = icon("file");
    this.name = el("bdi", { className: "f-upload-name" });
    this.facts = el("span", { className: "f-upload-facts" });
    this.bar = el("progress", { max: 1, value: 0, aria: { label: t("file_uploading", { name: file.name }) } });
    this.retry = button(t("try_again"), "again", () => this.begin());
    this.back = button(t("file_to_text"), "text", () => this.toText());
    this.removing = button(t("file_remove", { name: file.name }), "close", () => this.tray.remove(this) ?? this.tray.putBack(""));
    this.element = el(
      "li", { className: "f-upload" },
      this.sign,
      el("span", { className: "f-upload-text" }, this.name, this.facts),
      this.bar, this.back, this.retry, this.removing,
    );
    this.show();
  }

  async begin() {
    this.state = "uploading";
    this.bar.removeAttribute("value"); // that it is being read takes a moment more than to send it
    this.show();
    this.tray.changed();
    const { done, abort } = upload(() => this.wanted(), (share) => { if (share < 1) this.bar.value = share; else this.bar.removeAttribute("value"); });
    this.abort = abort;
    try {
      this.file = { ...(await done), pasted: this.file.pasted };
      this.state = "ready";
      this.show();
      if (!this.tray.chips.includes(this)) return void this.tray.late(this);
      announce(t("file_attached", { name: this.file.name }));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.retriable = !/^(file|pdf|picture)_|^request_too_large$/.test(error.code ?? "");
      this.fail(error.message);
    }
    this.abort = null;
    this.tray.changed();
  }

  /** The file to upload. */
  async wanted() {
    this.fit ??= await prepared(this.source);
    return this.fit;
  }

  get picture() {
    return isPicture(this.file) || Boolean(this.source && saysPicture(this.source));
  }

  fail(reason) {
    const focused = this.element.contains(document.activeElement);
    this.state = "failed";
    this.file = { ...this.file, id: null };
    this.reason = reason;
    this.show();
    if (focused) this.removing.focus();
    announce(`${this.file.name}: ${reason}`);
    this.tray.changed();
  }

  /** A pasted text goes back into the box, where it can be changed. */
  async toText() {
    try {
      const text = this.source ? await this.source.text() : await getText(`/api/attachments/${this.file.id}`);
      this.tray.remove(this);
      this.tray.putBack(text);
    } catch (error) {
      notice(error.message, { kind: "error" });
    }
  }

  show() {
    const { name, size, characters, warning, pasted } = this.file;
    this.name.textContent = this.name.title = name.replace(/\p{C}/gu, ""); // the server's own one comes later
    this.element.dataset.state = this.state;
    const sign = this.state === "ready" && isPicture(this.file) ? thumbnail(this.file) : icon("file");
    this.sign.replaceWith(sign);
    this.sign = sign;
    this.bar.hidden = this.state !== "uploading";
    this.retry.hidden = this.state !== "failed" || !this.source || !this.retriable;
    this.back.hidden = !pasted || this.state === "uploading";
    const counted = characters === undefined || isPicture(this.file) ? null : t("characters", { count: characters.toLocaleString() });
    const facts = [fileSize(size), counted].filter(Boolean).join(" · ");
    this.facts.textContent = this.state === "failed" ? this.reason : [facts, warning].filter(Boolean).join(" · ");
    const told = this.state === "failed" ? "failure" : warning && this.state === "ready" ? "warning" : null;
    if (told) this.element.dataset.told = told;
    else delete this.element.dataset.told;
    this.facts.title = this.facts.textContent;
  }
}
