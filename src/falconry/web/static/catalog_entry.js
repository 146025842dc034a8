// One model of the catalogue: the variant that suits this machine, and unfolded all of them with what each needs.
import { post } from "./api.js";
import { el, fileSize, icon, locale, store, t } from "./dom.js";
import { attempt, day, table, NOTHING } from "./forms.js";
import { fetchModel, fetchState, fetching } from "./downloads.js";
import { speed } from "./models_advice.js";
import { memorySize, number, parameters } from "./models_figures.js";

export class CatalogEntry {
  constructor(admin, catalog) {
    this.admin = admin;
    this.catalog = catalog;
    this.name = el("bdi", { className: "f-model-name" });
    this.mark = el("span", { className: "f-state" });
    this.about = el("p", {});
    this.facts = el("p", { className: "f-muted f-figure" });
    this.act = el("div", { className: "f-acts" });
    this.summary = el("summary", {}, el("span", {}, t("catalog_more")));
    this.body = el("div", { className: "f-stack" });
    this.fold = el("details", { className: "f-fold", ontoggle: () => this.fold.open && this.unfold() }, this.summary, this.body);
    this.element = el(
      "li", { className: "f-model" },
      el("div", { className: "f-model-line" },
        el("div", { className: "f-model-what" }, el("div", { className: "f-model-head" }, this.name, this.mark), this.about, this.facts), this.act),
      this.fold,
    );
  }

  update(entry, memory) {
    const best = bestOf(entry, this.catalog.value.recommended);
    const drawn = JSON.stringify([entry, memory, entry.variants.map((variant) => [this.catalog.hereAs(variant), this.catalog.downloadOf(variant)?.done]), best]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.entry = entry;
    this.memory = memory;
    this.name.textContent = entry.name;
    this.about.textContent = entry.description ?? "";
    this.facts.textContent = entryLine(entry);
    this.summary.setAttribute("aria-label", `${t("catalog_more")}: ${entry.name}`);
    this.showBest(best);
    if (this.fold.open) this.unfold();
    else this.offered = null;
  }

  showBest(best) {
    const { recommended } = this.catalog.value;
    const chosen = recommended?.id === this.entry.id;
    const least = Math.min(...this.entry.variants.map(({ memory }) => memory));
    this.mark.textContent = best ? (chosen ? t("catalog_recommended") : "") : t("catalog_too_large", { size: memorySize(least) });
    this.mark.dataset.state = best ? "ready" : "unloaded";
    this.mark.hidden = !this.mark.textContent;
    this.act.replaceChildren(...(best ? this.press(best, { size: true }) : []));
  }

  /** What can be done with a variant: get it, or chat with it where it is here. */
  press(variant, { size = false } = {}) {
    const here = this.catalog.hereAs(variant);
    const label = `${this.entry.name} ${variant.quantization}`;
    if (here) {
      const chat = el("a", { className: "f-button f-solid f-go", href: "/", aria: { label: `${t("chat_with")}: ${label}` }, onclick: () => store.set("model", here) }, icon("chat"), el("span", {}, t("chat_with")));
      return [chat];
    }
    const coming = this.catalog.downloadOf(variant);
    if (coming) return [el("span", { className: "f-state", dataset: { state: "loading" } }, el("i"), fetchState(coming))];
    if (!this.admin || !variant.wanted) return [];
    const text = size ? t("fetch_size", { size: fileSize(variant.size) }) : t("fetch");
    const made = el("button", { type: "button", className: variant.fits === false ? "f-button" : "f-button f-solid", aria: { label: `${text}: ${label}` } }, icon("download"), el("span", {}, text));
    made.onclick = () => fetching(made, () => fetchModel(variant.wanted));
    return [made];
  }

  unfold() {
    const { entry } = this;
    const columns = [t("variant_quantization"), t("variant_size"), t("variant_memory"), t("variant_fits"), t("variant_speed"), ""];
    const rows = entry.variants.map((variant) => [
      el("b", {}, variant.quantization),
      variant.size ? fileSize(variant.size) : NOTHING,
      variant.memory ? memorySize(variant.memory) : NOTHING,
      this.verdict(variant),
      variant.tokens_per_second ? t("about_speed", { rate: speed(variant.tokens_per_second) }) : NOTHING,
      el("span", { className: "f-acts" }, ...this.press(variant)),
    ]);
    this.offers = el("div", { className: "f-stack", role: "status" });
    this.body.replaceChildren(
      table(columns, rows, t("variants_of", { name: entry.name })), this.offers, el("p", { className: "f-muted f-small-print" }, t("catalog_estimates")), ...sources(entry));
    // What is free now is known of this machine only.
    if (!this.catalog.wish.memory && entry.variants.every((variant) => variant.fits === false)) this.askOffers();
  }

  verdict(variant) {
    if (variant.fits === null || variant.fits === undefined) return t("unknown");
    return el("span", { className: variant.fits ? "f-yes" : "f-no" }, icon(variant.fits ? "check" : "close"), el("span", {}, t(variant.fits ? "fits_yes" : "fits_no")));
  }

  /** Where nothing fits: what would. */
  async askOffers() {
    const found = await attempt(() => post("/api/models/fit", { model: this.entry.id }));
    if (!found?.offers?.length) return;
    this.offers.replaceChildren(el("p", {}, t("offers")), el("ul", {}, ...found.offers.map((offer) => el("li", {}, offerLine(offer)))));
  }
}

const offerLine = (offer) => (offer.context_length
  ? t("offer_context", { number: number(offer.context_length), size: memorySize(offer.total) })
  : t("offer_quantization", { name: offer.quantization, size: memorySize(offer.total) }));

/** The variant that is offered at once: the recommended one, else the largest that fits. */
function bestOf(entry, recommended) {
  const fitting = entry.variants.filter((variant) => variant.fits);
  if (recommended?.id === entry.id) return fitting.find(({ quantization }) => quantization === recommended.quantization) ?? fitting[0];
  return fitting.find(({ quantization }) => quantization === "Q4_K_M") ?? fitting.sort((a, b) => b.size - a.size)[0];
}

function entryLine(entry) {
  const languages = new Intl.DisplayNames(locale, { type: "language" });
  const spoken = (entry.languages ?? []).slice(0, 3).map((code) => languages.of(code));
  const more = (entry.languages ?? []).length - spoken.length;
  const listed = spoken.join(t("comma")) + (more > 0 ? ` ${t("and_more", { count: more })}` : "");
  return [
    entry.parameters ? t("parameter_count", { number: parameters(entry.parameters) }) : null,
    listed || null,
    entry.context_length ? t("context_tokens", { number: number(entry.context_length) }) : null,
    entry.license?.name,
    entry.license?.conditions ? t("license_conditions") : null,
  ].filter(Boolean).join(" · ");
}

const FACTS = {
  shape: "fact_shape",
  license: "fact_license",
  gguf: "fact_gguf",
  languages: "fact_languages",
  context_length: "fact_context",
  released: "fact_released",
};

/** Each source once, with what it is the source of. */
function sources(entry) {
  const byUrl = new Map();
  for (const { what, url, date } of entry.facts ?? []) {
    const known = byUrl.get(url) ?? { date, facts: [] };
    byUrl.set(url, known);
    known.facts.push(t(FACTS[what] ?? "fact_other"));
  }
  if (!byUrl.size) return [];
  const lines = [...byUrl].map(([url, { date, facts }]) => el(
    "li", {}, `${facts.join(t("comma"))}${t("colon")}`, el("a", { href: url, rel: "noreferrer", target: "_blank" }, el("bdi", {}, host(url))), date ? ` · ${day(date)}` : ""));
  return [el("div", { className: "f-small-print f-muted" }, el("p", {}, t("catalog_sources")), el("ul", {}, ...lines))];
}

const host = (url) => url.replace(/^https:\/\//, "");
