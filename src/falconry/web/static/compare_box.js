// The prompt box of the compare page. Enter sends, Shift+Enter breaks the line, Enter of an input method does neither.
import { present, store, type } from "./dom.js";

const DRAFT = "draft.compare";

export class Box {
  constructor({ send, stop }) {
    this.actions = { send, stop };
    this.running = false;
    this.ready = this.find();
  }

  async find() {
    this.box = await present("#prompt textarea");
    this.submit = await present("#submit");
    const stopping = await present("#stop");
    // In the capture phase, before Gradio's own idea of Enter.
    document.getElementById("prompt").addEventListener("keydown", (event) => this.keydown(event), true);
    this.box.addEventListener("input", () => {
      store.set(DRAFT, this.box.value);
      this.refresh();
    });
    this.submit.addEventListener("click", () => this.actions.send());
    stopping.addEventListener("click", () => this.actions.stop());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.running && !document.querySelector("dialog[open]")) this.actions.stop();
    });
    this.value = store.get(DRAFT) ?? "";
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

  get value() {
    return this.box?.value ?? "";
  }

  set value(text) {
    type(this.box, text);
    store.set(DRAFT, text);
    this.refresh();
  }

  /** Stop takes Submit's place while answers are written. */
  setRunning(running) {
    this.running = running;
    document.documentElement.toggleAttribute("data-running", running);
  }

  refresh() {
    this.submit?.setAttribute("aria-disabled", String(!this.value.trim()));
  }

  focus() {
    if (matchMedia("(pointer: fine)").matches) this.box?.focus();
  }
}
