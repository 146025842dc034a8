// The vote on one question's answers: of two which is better, of more which ones are best.
import { button, el, t } from "./dom.js";
import { LETTERS } from "./compare_answer.js";

const key = (name) => el("kbd", { aria: { hidden: "true" } }, name);

export class VoteBar {
  /** `vote` is called with the places of the best answers. */
  constructor(places, vote) {
    this.places = places;
    this.vote = vote;
    this.chosen = new Set();
    this.said = el("p", { className: "f-vote-said f-muted", role: "status" });
    this.buttons = places === 2 ? this.forTwo() : this.forMore();
    this.row = el("div", { className: "f-vote-row", role: "group", aria: { label: t("compare_which") } }, ...this.buttons.map(({ element }) => element));
    this.element = el("div", { className: "f-vote", dataset: { places } }, this.said, this.row);
    this.show(null, { ready: false });
  }

  choice(label, shortcut, best, run) {
    const element = button(label, null, run ?? (() => this.vote(best)), { label: true, className: "f-choice" });
    element.append(key(shortcut));
    element.setAttribute("aria-keyshortcuts", shortcut);
    return { element, shortcut: shortcut.toLowerCase(), best, run: run ?? (() => this.vote(best)) };
  }

  forTwo() {
    return [
      this.choice(t("compare_left"), "1", [0]),
      this.choice(t("compare_tie"), "T", [0, 1]),
      this.choice(t("compare_bad"), "B", []),
      this.choice(t("compare_right"), "2", [1]),
    ];
  }

  forMore() {
    const all = Array.from({ length: this.places }, (_, place) => place);
    const toggle = (place) => () => {
      if (!this.chosen.delete(place)) this.chosen.add(place);
      this.mark();
    };
    this.done = this.choice(t("compare_vote"), "Enter", null, () => this.chosen.size && this.vote([...this.chosen].sort()));
    this.done.element.classList.add("f-done");
    return [
      ...all.map((place) => ({ ...this.choice(t("compare_letter", { letter: LETTERS[place] }), String(place + 1), [place], toggle(place)), place })),
      this.done,
      this.choice(t("compare_tie"), "T", all),
      this.choice(t("compare_all_bad"), "B", []),
    ];
  }

  /** Shows a vote, or null; `ready`: all answers are there; `final`: it cannot be changed any more. */
  show(vote, { ready, final = false }) {
    this.given = vote;
    this.chosen = new Set(this.places > 2 && vote && vote.length < this.places ? vote : []);
    this.element.hidden = !ready;
    this.final = final;
    this.row.hidden = final;
    this.said.textContent = vote ? `${t("compare_voted")} ${this.words(vote)}` : t(this.places === 2 ? "compare_which" : "compare_which_ones");
    this.element.classList.toggle("f-voted", vote !== null);
    this.mark();
  }

  words(best) {
    if (!best.length) return t(this.places === 2 ? "compare_bad" : "compare_all_bad");
    if (best.length === this.places) return t("compare_tie");
    return best.map((place) => t("compare_letter", { letter: LETTERS[place] })).join(t("comma"));
  }

  mark() {
    const same = (best) => best && this.given && best.length === this.given.length && best.every((place, index) => place === this.given[index]);
    for (const { element, best, place } of this.buttons) {
      const pressed = place === undefined ? same(best) : this.chosen.has(place);
      element.setAttribute("aria-pressed", String(Boolean(pressed)));
    }
    if (this.done) {
      this.done.element.removeAttribute("aria-pressed");
      this.done.element.disabled = !this.chosen.size;
    }
  }

  /** A key was pressed somewhere on the page; says whether it meant something here. */
  press(name) {
    if (this.element.hidden || this.final) return false;
    const found = this.buttons.find(({ shortcut }) => shortcut === name.toLowerCase());
    found?.run();
    return Boolean(found);
  }
}
