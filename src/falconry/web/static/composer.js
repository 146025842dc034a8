// The prompt box and its buttons. Enter sends, Shift+Enter breaks the line, Enter of an input method does neither.
import { present, store, type } from "./dom.js";

export class Composer {
  constructor({ send, stop, clear, changed }) {
    this.actions = { send, stop, clear, changed };
    this.key = "draft.new";
    this.ready = this.find();
  }

  async find() {
    this.box = await present("#prompt textarea");
    this.submit = await present("#submit");
    this.stopping = await present("#stop");
    const clearing = await present("#clear");
    // In the capture phase, before Gradio's own idea of Enter.
    document.getElementById("prompt").addEventListener("keydown", (event) => this.keydown(event), true);
    this.box.addEventListener("input", () => {
      store.set(this.key, this.box.value);
      this.refresh();
      this.actions.changed();
    });
    this.submit.addEventListener("click", () => this.actions.send());
    this.stopping.addEventListener("click", () => this.actions.stop());
    clearing.addEventListener("click", () => this.actions.clear());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.running && !document.querySelector("dialog[open]")) this.actions.stop();
    });
    this.refresh();
  }

  keydown(event) {
    if (event.key !== "Enter") return;
    event.stopPropagation();
    // While an input method composes, Enter confirms its suggestion. Safari says so only by the code 229.
    if (event.isComposing || event.keyCode === 229 || event.shiftKey) return;
    event.preventDefault();
    this.actions.send();
  }

  /** The draft of a conversation comes back with it. */
  async open(id) {
    await this.ready;
    this.key = `draft.${id ?? "new"}`;
    this.value = store.get(this.key) ?? "";
  }

  get value() {
    return this.box?.value ?? "";
  }

  set value(text) {
    type(this.box, text);
    store.set(this.key, text);
    this.refresh();
  }

  /** Stop takes Submit's place while a reply is written. */
  setRunning(running) {
    this.running = running;
    document.documentElement.toggleAttribute("data-running", running);
    this.refresh();
  }

  refresh() {
    if (!this.submit) return;
    this.submit.setAttribute("aria-disabled", String(!this.value.trim()));
  }

  focus() {
    if (matchMedia("(pointer: fine)").matches) this.box?.focus();
  }
}
