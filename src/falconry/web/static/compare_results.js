// What all votes say: win rates and strengths with their intervals, as sentence, plot and table.
import { get, post } from "./api.js";
import { IntervalPlot } from "./compare_plot.js";
import { button, el, t } from "./dom.js";
import { attempt, table } from "./forms.js";
import { titleOf } from "./model_list.js";

const percent = (share) => `${Math.round(share * 100)} %`;
const points = (value) => String(Math.round(value));
const between = (interval, format) => t("compare_interval", { value: format(interval.value), low: format(interval.low), high: format(interval.high) });

export class Results {
  constructor() {
    this.blind = el("input", { type: "checkbox", id: "compare-blind-only", onchange: () => attempt(() => this.refresh()) });
    this.found = el("div", { className: "f-stack", aria: { live: "polite" } });
    this.element = el(
      "div", { className: "f-sheet f-wide f-results" }, el("h1", {}, t("compare_results")),
      el("label", { className: "f-check" }, this.blind, t("compare_blind_only")), this.found,
    );
  }

  async refresh() {
    const found = await get(`/api/comparisons/results?blind=${this.blind.checked}`);
    this.found.replaceChildren(...this.parts(found).filter(Boolean));
  }

  parts(found) {
    const parts = [found.hidden_votes ? this.waiting(found.hidden_votes) : null];
    if (!found.votes) return [...parts, el("p", { className: "f-muted" }, t("compare_no_votes"))];
    const many = found.models.length > 2;
    parts.push(el("p", { className: "f-lead" }, t("compare_total", { count: found.votes })));
    if (!many) parts.push(el("p", { className: "f-lead" }, verdict(found.pairs[0])));
    if (!found.connected) parts.push(el("p", { className: "f-warning" }, t("compare_unconnected")));
    parts.push(this.plot(found, many), this.ranking(found, many));
    if (many) parts.push(el("h2", {}, t("compare_pairs")), this.pairs(found.pairs));
    parts.push(el("p", { className: "f-muted f-method" }, t(many ? "compare_method_many" : "compare_method_two")));
    return parts;
  }

  waiting(count) {
    const show = button(t("compare_reveal_all"), "eye", () => attempt(async () => {
      await post("/api/comparisons/reveal");
      await this.refresh();
    }), { label: true, className: "f-solid" });
    return el("div", { className: "f-waiting" }, el("span", {}, t("compare_waiting", { count })), show);
  }

  plot(found, many) {
    const rows = found.models.map(({ model, rate, strength }) => ({ name: titleOf(model), ...(many ? strength : rate) }));
    const made = new IntervalPlot(t(many ? "compare_strength" : "compare_rate"));
    // Drawn when it is in the page and has a width.
    requestAnimationFrame(() => made.draw(rows, many ? { format: points, middle: 1000 } : { format: percent, middle: 0.5, range: [0, 1] }));
    return made.element;
  }

  ranking(found, many) {
    const columns = [t("model"), t("compare_won"), t("compare_tied"), t("compare_lost"), t("compare_rate"), ...(many ? [t("compare_strength")] : [])];
    const rows = found.models.map(({ model, won, tied, lost, rate, strength }) => [
      el("b", {}, titleOf(model)), String(won), String(tied), String(lost), between(rate, percent), ...(many ? [between(strength, points)] : [])]);
    return table(columns, rows, t("compare_results"));
  }

  pairs(pairs) {
    const rows = pairs.map((pair) => [`${titleOf(pair.first)} ${t("compare_versus")} ${titleOf(pair.second)}`, String(pair.votes), between(pair.rate, percent), verdict(pair)]);
    return table([t("compare_pair"), t("compare_votes_column"), t("compare_rate_first"), t("compare_says")], rows, t("compare_pairs"));
  }
}

/** What the votes say of two models, in a sentence. */
function verdict({ first, second, verdict: said, needed }) {
  if (said === "first" || said === "second") {
    const [better, worse] = (said === "first" ? [first, second] : [second, first]).map(titleOf);
    return t("compare_better", { better, worse });
  }
  if (needed === null) return t("compare_even");
  return t(said === "few" ? "compare_few" : "compare_open", { count: needed });
}
