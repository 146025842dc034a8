// The catalogue: models that are known to be good, what each needs, and whether this machine has it.
import { el, icon, t } from "./dom.js";
import { CatalogEntry } from "./catalog_entry.js";
import { fetchBox } from "./downloads.js";
import { arrange } from "./forms.js";

export class Catalog {
  constructor(admin, catalog) {
    this.admin = admin;
    this.catalog = catalog;
    this.entries = new Map(); // by id
    this.search = el("input", { type: "search", placeholder: t("catalog_search"), aria: { label: t("catalog_search") }, maxLength: 200, oninput: () => this.filter() });
    this.fits = check(t("catalog_fits"), () => this.filter());
    this.unbound = check(t("catalog_unbound"), () => this.filter());
    this.spoken = el("select", { className: "f-select", aria: { label: t("catalog_language") }, onchange: () => this.filter() },
      el("option", { value: "" }, t("catalog_every_language")), el("option", { value: "en" }, t("language_en")), el("option", { value: "zh" }, t("language_zh")));
    this.count = el("p", { className: "f-muted f-figure", role: "status" });
    this.list = el("ul", { className: "f-models", aria: { label: t("catalog") } });
    this.element = el(
      "div", { className: "f-stack" }, admin ? fetchBox() : null,
      el("div", { className: "f-filters" },
        el("label", { className: "f-find" }, icon("search"), this.search), this.spoken, this.fits.element, this.unbound.element),
      this.count, this.list,
    );
    catalog.onChange((value) => this.show(value));
  }

  show({ entries, memory, recommended }) {
    for (const entry of entries) {
      const known = this.entries.get(entry.id) ?? new CatalogEntry(this.admin, this.catalog);
      this.entries.set(entry.id, known);
      known.update(entry, memory);
    }
    for (const id of this.entries.keys()) if (!entries.some((entry) => entry.id === id)) this.entries.delete(id);
    const first = (id) => (id === recommended?.id ? 0 : 1);
    this.order = entries.toSorted((a, b) => first(a.id) - first(b.id)).map(({ id }) => this.entries.get(id));
    this.filter();
  }

  filter() {
    const words = this.search.value.trim().toLowerCase().split(/\s+/);
    const wanted = ({ entry }) => {
      const text = [entry.name, entry.id, entry.description, entry.license?.name].join(" ").toLowerCase();
      return words.every((word) => text.includes(word))
        && (!this.spoken.value || entry.languages?.includes(this.spoken.value))
        && (!this.fits.input.checked || entry.variants.some((variant) => variant.fits))
        && (!this.unbound.input.checked || entry.license?.conditions === false);
    };
    const shown = (this.order ?? []).filter(wanted);
    arrange(this.list, shown.map(({ element }) => element));
    this.count.textContent = t("catalog_count", { count: shown.length });
  }
}

function check(label, onchange) {
  const input = el("input", { type: "checkbox", onchange });
  return { input, element: el("label", { className: "f-check" }, input, el("span", {}, label)) };
}
