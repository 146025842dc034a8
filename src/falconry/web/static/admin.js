// How Falconry is doing, every second, and who may come in.
import { get } from "./api.js";
import { el, t } from "./dom.js";
import { NOTHING, section, table } from "./forms.js";
import { Plot } from "./plot.js";
import { Users } from "./users.js";

const seconds = (value) => (value === null ? NOTHING : value < 1 ? t("milliseconds", { count: Math.round(value * 1000) }) : t("seconds", { count: value.toFixed(1) }));
const bytes = (value) => (value === null ? NOTHING : value < 1e9 ? `${Math.round(value / 2 ** 20)} MiB` : `${(value / 2 ** 30).toFixed(1)} GiB`);

function span(value) {
  const [days, hours, minutes] = [Math.floor(value / 86400), Math.floor(value / 3600) % 24, Math.floor(value / 60) % 60];
  if (days) return t("days_hours", { days, hours });
  return hours ? t("hours_minutes", { hours, minutes }) : t("minutes", { count: minutes });
}

/** A figure with its name and a line below. */
class Tile {
  constructor(name) {
    this.value = el("b", { className: "f-figure" }, NOTHING);
    this.more = el("small", { className: "f-muted f-figure" });
    this.element = el("div", { className: "f-tile" }, el("span", { className: "f-muted" }, name), this.value, this.more);
  }

  show(value, more = "") {
    this.value.textContent = value;
    this.more.textContent = more;
  }
}

class Dashboard {
  constructor() {
    this.tiles = {
      speed: new Tile(t("figure_speed")),
      first: new Tile(t("figure_first_token")),
      load: new Tile(t("figure_running")),
      generations: new Tile(t("figure_generations")),
      memory: new Tile(t("figure_memory")),
    };
    this.speed = new Plot(t("figure_speed"));
    this.load = new Plot(t("figure_load"));
    this.models = el("div");
    this.state = el("p", { className: "f-muted", role: "status" });
    this.element = el(
      "div", { className: "f-stack" }, this.state,
      el("div", { className: "f-tiles" }, ...Object.values(this.tiles).map(({ element }) => element)),
      el("div", { className: "f-plots" }, this.speed.element, this.load.element),
      section(t("models"), this.models),
    );
  }

  show(figures) {
    const { tiles } = this;
    const { history, generations, memory } = figures;
    tiles.speed.show(figures.tokens_per_second.toLocaleString());
    tiles.first.show(seconds(figures.first_token.median), figures.first_token.p95 === null ? "" : t("figure_p95", { value: seconds(figures.first_token.p95) }));
    tiles.load.show(figures.running, t("figure_waiting", { count: figures.waiting }));
    tiles.generations.show(generations.recent.toLocaleString(), generations.failed ? t("figure_failed", { count: generations.failed }) : t("figure_total", { count: generations.total.toLocaleString() }));
    tiles.memory.show(bytes(memory.server), memory.engines ? t("figure_engines", { size: bytes(memory.engines) }) : "");
    this.state.textContent = t("figure_uptime", { time: span(figures.uptime) });
    this.speed.draw([{ name: t("figure_speed"), values: history.tokens, kind: "area", role: "accent" }], history.step);
    this.load.draw([
      { name: t("running_short"), values: history.running, kind: "area", role: "accent" },
      { name: t("waiting_short"), values: history.waiting, kind: "line", role: "muted" },
    ], history.step);
    const columns = [t("model"), t("model_engine"), t("model_state"), t("figure_speed"), t("figure_first_token")];
    const rows = figures.models.map((model) => [
      el("b", {}, model.title), model.engine, this.word(model), model.tokens_per_second ? model.tokens_per_second.toLocaleString() : NOTHING, seconds(model.first_token.median)]);
    const drawn = JSON.stringify(figures.models);
    if (drawn !== this.drawn) this.models.replaceChildren(table(columns, rows, t("models")));
    this.drawn = drawn;
  }

  word(model) {
    if (model.running || model.waiting) return t("model_busy", { running: model.running, waiting: model.waiting });
    return t(model.loaded ? "model_loaded" : "model_idle");
  }

  /** Follows the server's events; lets go of them in the background, where nobody looks. */
  follow() {
    let source = null;
    const close = () => {
      source?.close();
      source = null;
    };
    const open = () => {
      if (source || document.hidden) return;
      source = new EventSource("/api/admin/events");
      source.addEventListener("figures", (event) => this.show(JSON.parse(event.data)));
      source.onerror = async () => {
        this.state.textContent = t("reconnecting");
        if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
        close();
        await get("/api/me").catch(() => { /* who has to log in is on the way there */ });
        setTimeout(open, 1500);
      };
    };
    document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
    open();
  }
}

export async function mount(element) {
  const page = el("div", { className: "f-sheet f-wide" });
  element.replaceChildren(page);
  page.append(el("h1", {}, t("page_admin")));
  document.title = `${t("page_admin")} · Falconry`;
  const dashboard = new Dashboard();
  try {
    dashboard.show(await get("/api/admin/stats"));
  } catch (error) {
    page.append(el("p", { role: "alert" }, error.message));
    return;
  }
  const users = new Users();
  page.append(dashboard.element, users.element);
  dashboard.follow();
  await users.refresh();
}
