// ‹ 2/3 ›: the versions of a question or a reply, and the way to the others.
import { button, el, t } from "./dom.js";

export class Versions {
  /** `go` gets the id of the version to show and where it was asked for: "back" or "forward". */
  constructor(go) {
    this.go = go;
    this.ids = [];
    this.index = 0;
    this.back = button(t("version_back"), "back", () => this.step(-1));
    this.forward = button(t("version_forward"), "forward", () => this.step(1));
    this.place = el("span", { className: "f-place" });
    this.element = el("span", { className: "f-versions", hidden: true, role: "group", aria: { label: t("versions") } }, this.back, this.place, this.forward);
  }

  update({ id, versions }) {
    this.ids = versions ?? [id];
    this.index = Math.max(0, this.ids.indexOf(id));
    const many = this.ids.length > 1;
    this.element.hidden = !many;
    if (!many) return;
    this.place.textContent = `${this.index + 1}/${this.ids.length}`;
    this.element.setAttribute("aria-label", t("version_of", { number: this.index + 1, count: this.ids.length }));
    // Not `disabled`: whoever steps through by keyboard would lose the focus at the end.
    this.back.setAttribute("aria-disabled", this.index === 0);
    this.forward.setAttribute("aria-disabled", this.index === this.ids.length - 1);
  }

  step(by) {
    const id = this.ids[this.index + by];
    if (id) this.go(id, by < 0 ? "back" : "forward");
  }
}
