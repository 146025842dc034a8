// A curve of the last minutes, as SVG. It is drawn anew for every figure; only the pointer moves within it.
import { el, t } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 168, LEFT = 36, RIGHT = 6, TOP = 10, BOTTOM = 24;

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** The next round number above a value, so that the axis does not tremble. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((round) => round >= value);
}

/**
 * A plot of one or two series. `series` is [{ name, values, kind }], kind "area" or "line"; all have the same length,
 * the newest value last, `step` seconds apart.
 */
export class Plot {
  constructor(title) {
    this.title = title;
    this.readout = el("span", { className: "f-muted f-figure" });
    this.drawing = svg("svg", { class: "f-plot", role: "img" });
    this.drawing.addEventListener("pointermove", (event) => this.point(event));
    this.drawing.addEventListener("pointerleave", () => this.point(null));
    this.element = el("figure", { className: "f-figurebox" }, el("figcaption", { className: "f-row" }, el("span", {}, title), this.readout), this.drawing);
  }

  draw(series, step) {
    this.series = series;
    this.step = step;
    this.width = this.drawing.clientWidth || 480;
    this.drawing.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    const most = ceiling(Math.max(2, ...series.flatMap(({ values }) => values)));
    const points = series[0].values.length;
    const x = (index) => LEFT + (index / (points - 1)) * (this.width - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - TOP - BOTTOM);
    const parts = [0, 0.5, 1].flatMap((share) => [
      svg("line", { x1: LEFT, x2: this.width - RIGHT, y1: y(most * share), y2: y(most * share), class: "f-grid" }),
      svg("text", { x: LEFT - 8, y: y(most * share) + 4, "text-anchor": "end" }, String(most * share)),
    ]);
    const minutes = Math.round(((points - 1) * step) / 60);
    for (let minute = 0; minute <= minutes; minute += 1) {
      const at = x(points - 1 - (minute * 60) / step);
      const anchor = minute === 0 ? "end" : at - LEFT < 24 ? "start" : "middle";
      if (at >= LEFT - 1) parts.push(svg("text", { x: Math.max(at, LEFT), y: HEIGHT - 6, "text-anchor": anchor }, minute ? t("minutes_ago", { count: minute }) : t("now")));
    }
    for (const { values, kind, role } of series) {
      const line = values.map((value, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`).join("");
      if (kind === "area") parts.push(svg("path", { d: `${line}L${x(points - 1)} ${y(0)}L${x(0)} ${y(0)}Z`, class: "f-area" }));
      parts.push(svg("path", { d: line, class: `f-line f-${role}` }));
    }
    this.cursor = svg("line", { y1: TOP, y2: HEIGHT - BOTTOM, class: "f-cursor", visibility: "hidden" });
    this.drawing.replaceChildren(...parts, this.cursor);
    this.x = x;
    this.tell(this.at ?? points - 1);
    const last = series.map(({ name, values }) => `${name} ${values[points - 1]}`).join(", ");
    this.drawing.setAttribute("aria-label", `${this.title}: ${last}`);
  }

  /** Says the values at a moment; the newest ones where nobody points. */
  tell(index) {
    const seconds = (this.series[0].values.length - 1 - index) * this.step;
    const values = this.series.map(({ name, values }) => (this.series.length > 1 ? `${name} ${values[index]}` : values[index].toLocaleString()));
    this.readout.textContent = values.join(" · ") + (this.at === null || this.at === undefined ? "" : ` · ${t("seconds_ago", { count: seconds })}`);
    const pointed = this.at !== null && this.at !== undefined;
    this.cursor.setAttribute("visibility", pointed ? "visible" : "hidden");
    if (pointed) for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(index));
  }

  point(event) {
    if (!this.series) return;
    const points = this.series[0].values.length;
    if (!event) this.at = null;
    else {
      const box = this.drawing.getBoundingClientRect();
      const share = (((event.clientX - box.left) / box.width) * this.width - LEFT) / (this.width - LEFT - RIGHT);
      this.at = Math.min(points - 1, Math.max(0, Math.round(share * (points - 1))));
    }
    this.tell(this.at ?? points - 1);
  }
}
