// On top of the models page: what this machine is, and the model to begin with.
import { el, fileSize, store, t } from "./dom.js";
import { choice } from "./forms.js";
import { REACH } from "./catalog_data.js";
import { fetchModel, fetchState, fetching } from "./downloads.js";
import { fetchTime, memorySize, number, parameters } from "./models_figures.js";

export class Advice {
  constructor(admin, catalog) {
    this.admin = admin;
    this.catalog = catalog;
    this.machine = el("p", { className: "f-machine f-muted f-figure" });
    const wishes = {
      language: choice(t("advice_language"), [["", t("advice_any")], ["en", t("language_en")], ["zh", t("language_zh")]]),
      wish: choice(t("advice_wish"), [["", t("advice_quality")], ["speed", t("advice_speed")]]),
      memory: choice(t("advice_memory"), [["", t("advice_this_machine")], ...REACH.map((size) => [String(size), memorySize(size)])]),
    };
    const wish = () => Object.fromEntries(Object.entries(wishes).map(([name, { input }]) => [name, input.value]));
    for (const [name, { input }] of Object.entries(wishes)) {
      input.value = catalog.wish[name];
      input.onchange = () => catalog.setWish(wish()).catch((error) => this.fail(error));
    }
    this.above = el("small", { className: "f-muted" }, t("advice"));
    this.title = el("h2", {});
    this.reason = el("p", {});
    this.figures = el("p", { className: "f-muted f-figure" });
    this.tight = el("p", { className: "f-warning", hidden: true });
    this.press = el("button", { type: "button", className: "f-press", hidden: true, onclick: () => this.act() });
    this.time = el("small", { className: "f-muted" });
    this.wrong = el("p", { className: "f-wrong", role: "alert", hidden: true });
    // Its place is kept until it is known.
    this.best = el(
      "div", { className: "f-advice-best f-away" },
      el("div", { aria: { live: "polite" } }, this.above, this.title, this.reason, this.figures, this.tight),
      el("div", { className: "f-advice-get" }, this.press, this.time));
    this.element = el(
      "section", { className: "f-advice", aria: { label: t("advice") } },
      el("div", { className: "f-advice-wish" }, ...Object.values(wishes).map(({ element }) => element)),
      this.best,
      this.wrong,
    );
    catalog.onChange(() => this.show());
  }

  fail(error) {
    this.wrong.textContent = error.message;
    this.best.hidden = !this.chosen;
    this.wrong.hidden = false;
  }

  show() {
    const { machine, entries, recommended } = this.catalog.value;
    const entry = recommended && entries.find(({ id }) => id === recommended.id);
    const variant = entry?.variants.find(({ quantization }) => quantization === recommended.quantization);
    this.wrong.hidden = true;
    this.best.hidden = false;
    this.best.classList.remove("f-away");
    this.machine.textContent = machineLine(machine);
    this.chosen = variant ?? null;
    this.press.hidden = !variant || !this.admin;
    this.time.hidden = this.press.hidden;
    this.showModel(entry, variant, recommended?.reason);
    this.showRoom(variant, machine);
    if (variant) this.showWay(variant);
  }

  /** Screen readers are told of it, so it is only touched when it is another one. */
  showModel(entry, variant, reason) {
    const texts = variant ? [entry.name, reason ?? "", variantLine(entry, variant)] : [t("advice_none"), t("advice_none_more"), ""];
    if (this.drawn === texts.join("\n")) return;
    this.drawn = texts.join("\n");
    this.above.hidden = !variant;
    this.title.replaceChildren(el("bdi", {}, texts[0]));
    this.reason.textContent = texts[1];
    this.figures.textContent = texts[2];
  }

  /** What fits into this machine's memory need not fit into what other programs leave of it. What models of ours take
   * is given back for it. */
  showRoom(variant, { free_memory: free, gpus }) {
    const ours = this.catalog.present.reduce((sum, { memory }) => sum + (memory ?? 0), 0);
    const known = variant && !this.catalog.wish.memory && free !== null && !gpus?.length;
    this.tight.hidden = !known || variant.memory <= free + ours;
    this.tight.textContent = this.tight.hidden ? "" : t("advice_not_free", { free: memorySize(free + ours) });
  }

  /** The way to chatting with it. */
  showWay(variant) {
    this.here = this.catalog.hereAs(variant);
    const coming = this.catalog.downloadOf(variant);
    this.press.disabled = Boolean(coming);
    this.press.textContent = this.here ? t("chat_with") : coming ? fetchState(coming) : t("fetch_size", { size: fileSize(variant.size) });
    this.time.textContent = this.here ? t("advice_here") : coming ? "" : fetchTime(variant.size);
  }

  act() {
    if (this.here) {
      store.set("model", this.here);
      return location.assign("/");
    }
    return fetching(this.press, () => fetchModel(this.chosen.wanted));
  }
}

/** "5.1 GB of 16 GB memory free · 4 cores · NVIDIA T4, 15 GB" */
function machineLine(machine) {
  const gpus = (machine.gpus ?? []).map((gpu) => [gpu.name, gpu.total_memory ? memorySize(gpu.total_memory) : null].filter(Boolean).join(t("comma")));
  const known = machine.free_memory !== null && machine.total_memory !== null;
  return [
    known ? t("machine_memory", { free: memorySize(machine.free_memory), total: memorySize(machine.total_memory) }) : t("machine_unknown"),
    t("machine_cores", { count: machine.cores }),
    ...(gpus.length ? gpus : [t("machine_no_gpu")]),
  ].join(" · ");
}

/** What a variant costs and gives, in one line. */
export function variantLine(entry, variant) {
  return [
    entry.parameters ? t("parameter_count", { number: parameters(entry.parameters) }) : null,
    variant.quantization,
    variant.memory ? t("needs_memory", { size: memorySize(variant.memory) }) : null,
    variant.tokens_per_second ? t("about_speed", { rate: speed(variant.tokens_per_second) }) : null,
    entry.context_length ? t("context_tokens", { number: number(entry.context_length) }) : null,
  ].filter(Boolean).join(" · ");
}

export const speed = (value) => number(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
