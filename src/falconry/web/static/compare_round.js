// One question of a comparison: the question, its answers side by side, and the vote.
import { attached } from "./attached.js";
import { el, t } from "./dom.js";
import { Answer } from "./compare_answer.js";
import { VoteBar } from "./compare_vote.js";

export class Round {
  /** `actions` has vote(turn, best), retry(place) and chat(place). */
  constructor({ turn, content, attachments }, models, places, actions) {
    this.turn = turn;
    this.answers = Array.from({ length: places }, (_, place) => new Answer(place, models?.[place] ?? null, actions));
    this.bar = new VoteBar(places, (best) => actions.vote(turn, best));
    this.row = el("div", { className: "f-answers", dataset: { places }, tabIndex: -1, role: "group", aria: { label: t("compare_answers") } },
      ...this.answers.map(({ element }) => element));
    this.element = el(
      "section", { className: "f-round", aria: { label: t("compare_question", { number: turn + 1 }) } },
      el("h2", { className: "f-hidden" }, t("compare_question", { number: turn + 1 })),
      el("div", { className: "f-question" }, attachments.length ? attached(attachments) : null,
        content.trim() ? el("div", { className: "f-bubble", dir: "auto" }, content) : null),
      this.row, this.bar.element,
    );
  }

  /** As the server tells it. `last`: it is the newest; `hidden`: names are not told. */
  update({ answers, vote }, { last, hidden }) {
    answers.forEach((shown, place) => this.answers[place].update(shown));
    this.last = last;
    this.hidden = hidden;
    this.setVote(vote);
  }

  setVote(vote) {
    this.vote = vote;
    this.show();
  }

  get running() {
    return this.answers.some(({ shown }) => shown.status === "running");
  }

  /** What may be done now. */
  show() {
    const ready = !this.running;
    const { vote, last, hidden } = this;
    for (const answer of this.answers) {
      answer.allow({
        retry: last && !vote && (ready || !hidden),
        chat: last && ready && !hidden,
        best: Boolean(vote?.best.includes(answer.place)) && vote.best.length < this.answers.length,
      });
    }
    this.bar.show(vote?.best ?? null, { ready, final: Boolean(vote?.blind) && !hidden });
  }
}
