// Good or bad, and what the answer should have been: fine-tuning will learn from it.
import { button, dialog, el, store, t } from "./dom.js";

export class Rating {
  /** `rate(rating, correction)` stores both; `text()` is the reply's own text. */
  constructor(rate, text) {
    this.rate = rate;
    this.text = text;
    this.good = button(t("good"), "good", () => this.press(1));
    this.bad = button(t("bad"), "bad", () => this.press(-1));
    this.corrected = button(t("corrected"), "check", () => this.correct(), { label: true });
    this.element = el("span", { className: "f-rating" }, this.good, this.bad, this.corrected);
  }

  update({ id, rating, correction }) {
    Object.assign(this, { id, rating: rating ?? null, correction: correction ?? null });
    this.good.setAttribute("aria-pressed", rating === 1);
    this.bad.setAttribute("aria-pressed", rating === -1);
    this.corrected.hidden = !correction;
  }

  /** Shown at once, so that a second press means what it says; taken back where the server refuses. */
  async press(rating) {
    const before = { id: this.id, rating: this.rating, correction: this.correction };
    const next = this.rating === rating ? null : rating;
    this.update({ ...before, rating: next });
    if (!(await this.rate(next, this.correction))) this.update(before);
    else if (next === -1) this.correct();
  }

  /** Asks for the better answer, beginning with the one that is there. */
  correct() {
    const key = `correction.${this.id}`;
    const before = this.correction ?? this.text();
    const box = el("textarea", { id: "correction", value: store.get(key) ?? before, rows: 12, dir: "auto", maxLength: 100_000 });
    box.oninput = () => store.set(key, box.value === before ? null : box.value); // a slip must not cost what was written
    const done = async (correction) => {
      if (!(await this.rate(this.rating, correction))) return;
      store.set(key, null);
      shown.close();
    };
    const save = () => done(box.value.trim() && box.value !== this.text() ? box.value : null);
    const shown = dialog(
      t("correct_title"),
      el("p", { className: "f-muted" }, t("correct_explained")),
      el("label", { htmlFor: "correction" }, t("correct_label")), box,
      el("div", { className: "f-dialog-foot" },
        this.correction ? button(t("correct_remove"), null, () => done(null), { label: true, className: "f-solid" }) : null,
        button(t("correct_skip"), null, () => shown.close(), { label: true, className: "f-solid" }),
        button(t("correct_save"), null, save, { label: true, className: "f-primary" })),
    );
    shown.classList.remove("f-small");
    shown.classList.add("f-correct");
    box.focus();
    box.setSelectionRange(0, 0);
    box.scrollTop = 0;
  }
}
