// The catalogue for a language and an amount of memory, as a person chose them, and what of it is here already.
import { get } from "./api.js";
import { language, store } from "./dom.js";
import { isActive } from "./downloads.js";
import { Source } from "./models_data.js";

const ANY = "any"; // what is remembered of a choice that was taken back

/** Amounts of memory to ask for beside this machine's own, in bytes. */
export const REACH = [4, 8, 16, 24, 32, 64].map((size) => size * 2 ** 30);

export class CatalogData extends Source {
  constructor(models, downloads) {
    super(() => get(`/api/catalog?${this.query()}`));
    const known = (name, among) => among.find((value) => value === store.get(`catalog.${name}`)) ?? "";
    const spoken = store.get("catalog.language") ?? (language === "zh" ? "zh" : ""); // who reads Chinese here wants to chat in it
    this.wish = { language: ["en", "zh"].includes(spoken) ? spoken : "", memory: known("memory", REACH.map(String)), wish: known("wish", ["speed"]) };
    this.present = [];
    this.fetched = [];
    const tell = () => this.value && this.listeners.forEach((listener) => listener(this.value));
    models.onChange((present) => {
      this.present = present;
      tell();
    });
    downloads.onChange((fetched) => {
      this.fetched = fetched;
      tell();
    });
  }

  query() {
    return new URLSearchParams(Object.entries(this.wish).filter(([, value]) => value));
  }

  /** Another language, amount of memory, or what matters more; it is remembered in this browser. */
  setWish(wish) {
    this.wish = wish;
    for (const [name, value] of Object.entries(wish)) store.set(`catalog.${name}`, value || ANY);
    return this.refresh();
  }

  /** The name under which a variant can be chosen already, or null. */
  hereAs(variant) {
    const fetched = this.fetched.find((download) => download.wanted === variant.wanted && download.state === "done")?.model;
    const stem = stemOf(variant.wanted ?? "");
    const model = this.present.find(({ name, problem }) => !problem && (name === fetched || name.split("/").at(-1).toLowerCase() === stem));
    return model?.name ?? null;
  }

  /** The download of a variant that is on its way, or undefined. */
  downloadOf(variant) {
    return this.fetched.find((download) => download.wanted === variant.wanted && isActive(download));
  }
}

/** What the file of a variant is called, without its ending: "org/Name-GGUF:Q4_K_M" has Name-Q4_K_M.gguf. */
function stemOf(wanted) {
  const found = /([^/]+?)(?:-gguf)?:([^:/]+)$/.exec(wanted.toLowerCase());
  return found ? `${found[1]}-${found[2]}` : null;
}
