// Small helpers: texts, elements, storage, notices.
const base = document.querySelector("meta[name=falconry-assets]").content;
export const language = document.documentElement.dataset.language;
/** As Intl and the server know the language. */
export const locale = language === "zh" ? "zh-CN" : "en";
export const percent = new Intl.NumberFormat(locale, { style: "percent" });
const texts = await (await fetch(`${base}/${language}.json`)).json();

/** The text of a key in the page's language, its {fields} filled in; of one thing English speaks by `key_one`. */
export function t(key, fields = {}) {
  const one = Number(fields.count) === 1 ? texts[key + "_one"] : undefined;
  return (one ?? texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => fields[name] ?? "");
}

/** A new element: properties, `dataset` and `aria` as objects, then children (strings become text, never HTML). */
export function el(tag, { dataset, aria, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, dataset);
  for (const [name, value] of Object.entries(aria ?? {})) element.setAttribute("aria-" + name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const PATHS = {
  copy: "M9 9h10v11H9zM5 15V4h10v2",
  alert: "M12 4.5 21 20H3zM12 10.5v4M12 17.3h.01",
  check: "m5 12.5 4.5 4.5L19 7.5",
  again: "M20 11a8 8 0 1 0-2.3 6.2M20 4.5V11h-6.5",
  resume: "M5 5v14M9 6l10 6-10 6z",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 14.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6z",
  plus: "M12 5v14M5 12h14",
  tokens: "M3.5 6.5h6v5h-6zM12.5 6.5h8v5h-8zM3.5 14.5h9v5h-9zM15.5 14.5h5v5h-5z",
  menu: "M4 6.5h16M4 12h16M4 17.5h16",
  down: "M12 5v14M6 13l6 6 6-6",
  text: "M5 6h14M5 12h14M5 18h8",
  chat: "M4 5h16v11H10l-4.5 4v-4H4z",
  sun: "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3 19 19M5 19l1.7-1.7M17.3 6.7 19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
  close: "M6 6l12 12M18 6 6 18",
  edit: "M4 20h4L19.5 8.5l-4-4L4 16zM13 7l4 4",
  trash: "M4.5 6.5h15M9.5 6.5V4h5v2.5M6.5 6.5 7.5 20h9l1-13.5M10 10.5v6M14 10.5v6",
  good: "M7.5 10.5v9.5H4v-9.5zM7.5 10.5 11.5 3c1.7 0 2.7 1.2 2.4 2.9L13.3 9h5c1.4 0 2.3 1.2 1.9 2.6l-1.9 6.6c-.3 1.1-1.2 1.8-2.3 1.8H7.5",
  bad: "M7.5 13.5V4H4v9.5zM7.5 13.5l4 7.5c1.7 0 2.7-1.2 2.4-2.9L13.3 15h5c1.4 0 2.3-1.2 1.9-2.6l-1.9-6.6C18 4.7 17.1 4 16 4H7.5",
  back: "M14.5 5.5 8 12l6.5 6.5",
  forward: "M9.5 5.5 16 12l-6.5 6.5",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.6-4 3.6-6 7.5-6s6.9 2 7.5 6",
  code: "M8.5 7 3.5 12l5 5M15.5 7l5 5-5 5",
  pulse: "M3 12.5h4l2.5-7 5 13 2.5-6h4",
  leave: "M10 4.5H5v15h5M15 8l4 4-4 4M19 12H9.5",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 20 20",
  dots: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  pin: "M9 4h6l-.8 6.5 3.3 3V15h-11v-1.5l3.3-3zM12 15v5.5",
  folder: "M3.5 6.5v12h17v-10h-8.5l-2-2.5h-6z",
  columns: "M4 5h16v14H4zM12 5v14",
  clip: "M19.5 11.5 12 19a4.6 4.6 0 0 1-6.5-6.5l8-8a3.1 3.1 0 0 1 4.4 4.4l-7.9 7.9a1.6 1.6 0 0 1-2.2-2.2l7-7",
  keyboard: "M3 6.5h18v11H3zM6.5 10h.01M10 10h.01M14 10h.01M17.5 10h.01M8 14h8",
  box: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
  chart: "M4 20h16M7 16.5V11M12 16.5V5M17 16.5v-8",
  sliders: "M4 7.5h9M19 7.5h1M4 16.5h1M11 16.5h9M16 10a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 19a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  download: "M12 4v11M7 10.5l5 5 5-5M4.5 20h15",
  upload: "M12 16V5M7 9.5l5-5 5 5M4.5 20h15",
  pause: "M9 5.5v13M15 5.5v13",
  undo: "M4.5 5v5.5H10M5 10.5a7.5 7.5 0 1 1 .5 6",
  link: "M9.5 14.5l5-5M10.5 7.5l2.3-2.3a4.2 4.2 0 0 1 6 6l-2.3 2.3M13.5 16.5l-2.3 2.3a4.2 4.2 0 0 1-6-6l2.3-2.3",
};

/** One of our line icons, 24 by 24. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "f-icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** The falcon. */
export const mark = () => el("img", { src: `${base}/falcon.svg`, className: "f-mark", alt: "" });

/**
 * A dialog above everything, closed by its button, by Escape and by a press beside it. Gives the element to fill; its
 * `close()` ends it.
 */
export function dialog(title, ...children) {
  const label = el("h2", { id: "dialog-title", dir: "auto" }, title);
  const made = el("dialog", { className: "f-dialog f-small", aria: { labelledby: label.id }, onclose: () => made.remove() });
  const body = el("div", { className: "f-dialog-body" }, ...children);
  // Who has only a keyboard scrolls what has the focus.
  new ResizeObserver(() => { body.tabIndex = body.scrollHeight > body.clientHeight ? 0 : -1; }).observe(body);
  made.append(el("header", {}, label, button(t("close"), "close", () => made.close())), body);
  made.addEventListener("click", (event) => event.target === made && made.close()); // onclick would forbid what gives false
  document.body.append(made);
  made.showModal();
  return made;
}

/** A button with an icon and a name, which is shown as a tooltip where `label` is not. */
export function button(name, iconName, onclick, { label = false, className = "" } = {}) {
  const made = el("button", { type: "button", className: `f-button ${className}`, onclick, title: label ? "" : name });
  if (iconName) made.append(icon(iconName));
  if (label) made.append(el("span", {}, name));
  else made.setAttribute("aria-label", name);
  return made;
}

/** Waits until Gradio has put an element into the page. */
export async function present(selector) {
  for (;;) {
    const found = document.querySelector(selector);
    if (found) return found;
    await new Promise((next) => setTimeout(next, 15));
  }
}

/** Sets an input of Gradio's as if a person had typed it. */
export function type(input, value) {
  if (input.value === value) return;
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** localStorage that never throws: private windows and full disks must not break the page. */
export const store = {
  get: (key) => { try { return localStorage.getItem("falconry." + key); } catch { return null; } },
  set: (key, value) => {
    try {
      if (value === null || value === "") localStorage.removeItem("falconry." + key);
      else localStorage.setItem("falconry." + key, value);
    } catch { /* it is then remembered for this page only */ }
  },
  /** Drafts and choices are a person's own: who logs out takes them along. How the page looks may stay. */
  forget: () => {
    try {
      const kept = ["falconry.theme", "falconry.language", "falconry.side"];
      Object.keys(localStorage).filter((key) => key.startsWith("falconry.") && !kept.includes(key)).forEach((key) => localStorage.removeItem(key));
      Object.keys(sessionStorage).filter((key) => key.startsWith("falconry.")).forEach((key) => sessionStorage.removeItem(key));
    } catch { /* nothing was remembered */ }
  },
};

const units = ["byte", "kilobyte", "megabyte", "gigabyte"];

/** Bytes as people say it: "12 kB". */
export function fileSize(bytes) {
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const format = { style: "unit", unit: units[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: 1 };
  return new Intl.NumberFormat(language === "zh" ? "zh-CN" : "en", format).format(bytes / 1000 ** step);
}

/** Copies text and shows so on the button for a moment. */
export async function copy(text, pressed) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Plain http on another host has no clipboard API.
    const area = el("textarea", { value: text, className: "f-hidden" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  pressed.classList.add("copied");
  announce(t("copied"));
  setTimeout(() => pressed.classList.remove("copied"), 1600);
}

const region = el("div", { className: "f-hidden", role: "status", aria: { live: "polite" } });
document.body.append(region);

/** Tells screen readers. */
export function announce(text) {
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
}

const shelf = el("div", { className: "f-notices", role: "status", aria: { live: "polite" } });
document.body.append(shelf);

/**
 * A notice above everything. Gives a function that takes it away; with `seconds` it goes by itself. `action`, as
 * `{name, run}`, is a button in it, whose press takes it away as well.
 */
export function notice(text, { seconds = 8, kind = "info", action = null } = {}) {
  const made = el("div", { className: "f-notice", dataset: { kind } }, el("span", {}, text));
  const remove = () => made.remove();
  if (action) made.append(button(action.name, null, () => { remove(); action.run(); }, { label: true, className: "f-notice-action" }));
  made.append(button(t("close"), "close", remove));
  shelf.append(made);
  if (seconds) setTimeout(remove, seconds * 1000);
  return remove;
}
