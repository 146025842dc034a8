// Before the first question: which models, blind or not, and the earlier comparisons.
import { get, remove } from "./api.js";
import { LETTERS } from "./compare_answer.js";
import { button, dialog, el, mark, store, t } from "./dom.js";
import { ago, attempt } from "./forms.js";
import { read as readModels, titleOf } from "./model_list.js";

const FEWEST = 2, MOST = 4, PAGE = 20;

/** What the browser remembers of the last choice. */
function remembered() {
  try {
    const found = JSON.parse(store.get("compare") ?? "{}");
    return { models: Array.isArray(found.models) ? found.models : [], blind: Boolean(found.blind) };
  } catch {
    return { models: [], blind: false };
  }
}

export class Start {
  /** `open` is called with the address of a comparison. */
  constructor(open) {
    this.open = open;
    this.known = [];
    this.gone = new Set(); // deleted here; a list that was asked for before may still have them
    this.pickers = el("div", { className: "f-pickers" });
    this.blind = el("input", { type: "checkbox", id: "compare-blind" });
    this.blind.onchange = () => this.keep();
    this.none = el("p", { className: "f-muted", hidden: true }, t("compare_one_model"));
    this.history = el("section", { className: "f-history", hidden: true }, el("h2", {}, t("compare_earlier")));
    this.element = el(
      "div", { className: "f-compare-start" },
      el("header", {}, mark(), el("h1", {}, t("compare_title")), el("p", { className: "f-muted" }, t("compare_intro"))),
      this.pickers, this.none,
      el("label", { className: "f-blind" }, this.blind, el("span", {}, el("b", {}, t("compare_blind")), el("small", { className: "f-muted" }, t("compare_blind_info")))),
      this.history,
    );
  }

  /** Reads models and earlier comparisons anew. */
  async refresh() {
    this.known = await readModels();
    const names = this.known.map(({ name }) => name);
    const { models, blind } = remembered();
    const kept = [...new Set(models)].filter((name) => names.includes(name)).slice(0, MOST);
    const first = this.known.find((model) => model.default)?.name ?? names[0];
    const filled = [...new Set([...kept, ...(kept.length < FEWEST ? [first, ...names] : [])])];
    this.models = filled.slice(0, Math.max(FEWEST, kept.length));
    this.blind.checked = blind;
    this.none.hidden = this.known.length >= FEWEST;
    this.show();
    await this.list();
  }

  get possible() {
    return this.known.length >= FEWEST;
  }

  chosen() {
    return { models: this.models, blind: this.blind.checked };
  }

  keep() {
    store.set("compare", JSON.stringify(this.chosen()));
  }

  show() {
    const cards = this.models.map((name, place) => this.picker(name, place));
    if (this.models.length < Math.min(MOST, this.known.length)) {
      cards.push(button(t("compare_add"), "plus", () => {
        this.models.push(this.known.find(({ name }) => !this.models.includes(name)).name);
        this.changed(this.models.length - 1);
      }, { label: true, className: "f-add" }));
    }
    this.pickers.replaceChildren(...cards);
    this.pickers.dataset.places = this.models.length;
  }

  changed(focus) {
    this.keep();
    this.show();
    this.pickers.querySelectorAll("select")[focus]?.focus();
  }

  picker(chosen, place) {
    const options = this.known.map(({ name, title }) =>
      el("option", { value: name, selected: name === chosen, disabled: name !== chosen && this.models.includes(name) }, title));
    const select = el("select", { aria: { label: t("compare_model", { letter: LETTERS[place] }) } }, ...options);
    select.onchange = () => {
      this.models[place] = select.value;
      this.changed(place);
    };
    const drop = button(t("compare_remove", { letter: LETTERS[place] }), "close", () => {
      this.models.splice(place, 1);
      this.changed(Math.max(0, place - 1));
    });
    drop.hidden = this.models.length <= FEWEST;
    return el("div", { className: "f-picker" }, el("b", { className: "f-letter", aria: { hidden: "true" } }, LETTERS[place]), select, drop);
  }

  // -- earlier comparisons

  async list(before = "") {
    const { comparisons } = await get(`/api/comparisons?limit=${PAGE}${before && "&before=" + before}`);
    if (!before) {
      this.entries = el("ul");
      this.more = button(t("show_more"), null, () => attempt(() => this.list(this.last)), { label: true });
      this.history.replaceChildren(this.history.firstChild, this.entries, this.more);
    }
    this.entries.append(...comparisons.filter(({ id }) => !this.gone.has(id)).map((each) => this.entry(each)));
    this.last = comparisons.at(-1)?.id;
    this.more.hidden = comparisons.length < PAGE;
    this.history.hidden = !this.entries.children.length;
  }

  entry({ id, title, models, votes, updated_at }) {
    const link = el("a", { href: `/compare?id=${id}` }, el("b", {}, title || t("compare_untitled")),
      el("span", { className: "f-muted" }, models ? models.map(titleOf).join(` ${t("compare_versus")} `) : t("compare_names_hidden")));
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      this.open(link.getAttribute("href"));
    };
    const facts = [votes ? t("compare_votes", { count: votes }) : t("compare_no_vote"), ago(updated_at)].join(" · ");
    return el("li", { dataset: { id } }, link, el("span", { className: "f-facts f-muted" }, facts),
      button(t("compare_delete", { title: title || t("compare_untitled") }), "trash", () => this.askDelete(id)));
  }

  askDelete(id) {
    const sure = el("button", { type: "button", className: "f-press f-danger" }, t("compare_delete_sure"));
    const made = dialog(t("compare_delete_title"), el("p", {}, t("compare_delete_note")), el("div", { className: "f-end" }, sure));
    sure.onclick = () => attempt(async () => {
      sure.disabled = true;
      await remove(`/api/comparisons/${id}`);
      this.gone.add(id);
      made.close();
      const item = this.entries.querySelector(`[data-id="${id}"]`); // the list may be another one by now
      const next = item?.nextElementSibling ?? item?.previousElementSibling;
      item?.remove();
      this.history.hidden = !this.entries.children.length;
      (next?.querySelector("a") ?? this.pickers.querySelector("select"))?.focus();
    });
    sure.focus();
  }
}
