// Estimates with their intervals, a line for each model, as SVG.
import { el } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const LINE = 40, TOP = 8, BOTTOM = 28, RIGHT = 16;

function svg(tag, attributes, ...children) {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Round steps for an axis between two values. */
function ticks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((round) => round * power).find((round) => round >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(value);
  return found;
}

/**
 * A plot of intervals. `rows` is [{ name, value, low, high }]; `format` makes a value's text; `middle` is where nothing
 * is better than anything. `range` are the ends of the axis, by default those of the intervals.
 */
export class IntervalPlot {
  constructor(title) {
    this.title = title;
    this.drawing = svg("svg", { class: "f-plot f-intervals", role: "img" });
    this.element = el("figure", { className: "f-figurebox" }, el("figcaption", {}, title), this.drawing);
    new ResizeObserver(() => this.rows && this.draw(this.rows, this.options)).observe(this.element);
  }

  draw(rows, options) {
    const width = Math.max(240, this.element.clientWidth - 34);
    this.rows = rows;
    this.options = options;
    const key = JSON.stringify([rows, width]);
    if (key === this.key) return;
    this.key = key;
    const { format, middle, range } = options;
    const left = Math.min(200, width * 0.34);
    const ends = range ?? [Math.min(middle, ...rows.map(({ low }) => low)), Math.max(middle, ...rows.map(({ high }) => high))];
    const spread = Math.max(1e-9, ends[1] - ends[0]) * (range ? 0 : 0.06);
    const [low, high] = [ends[0] - spread, ends[1] + spread];
    const x = (value) => left + ((value - low) / (high - low)) * (width - left - RIGHT);
    const height = TOP + rows.length * LINE + BOTTOM;
    const bottom = height - BOTTOM;
    const axis = ticks(low, high).flatMap((value) => [
      svg("line", { x1: x(value), x2: x(value), y1: TOP, y2: bottom, class: "f-grid" }),
      svg("text", { x: x(value), y: height - 8, "text-anchor": "middle" }, format(value)),
    ]);
    const lines = rows.flatMap((row, index) => {
      const y = TOP + (index + 0.5) * LINE;
      const letters = Math.floor((left - 12) / 7.2);
      const short = row.name.length > letters ? row.name.slice(0, letters - 1) + "…" : row.name;
      return [
        svg("text", { x: 0, y: y + 5, class: "f-name" }, short, svg("title", {}, row.name)),
        svg("line", { x1: x(row.low), x2: x(row.high), y1: y, y2: y, class: "f-whisker" }),
        ...[row.low, row.high].map((end) => svg("line", { x1: x(end), x2: x(end), y1: y - 5, y2: y + 5, class: "f-whisker" })),
        svg("circle", { cx: x(row.value), cy: y, r: 5, class: "f-dot" }),
      ];
    });
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawing.style.height = `${height}px`;
    this.drawing.replaceChildren(...axis, svg("line", { x1: x(middle), x2: x(middle), y1: TOP, y2: bottom, class: "f-even" }), ...lines);
    const words = rows.map((row) => `${row.name} ${format(row.value)} (${format(row.low)} – ${format(row.high)})`);
    this.drawing.setAttribute("aria-label", `${this.title}: ${words.join("; ")}`);
  }
}
