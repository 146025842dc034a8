// Parts that the account's and the admin's page have in common: sections, fields, tables, dates, copying.
import { button, copy, el, locale, notice, t } from "./dom.js";

/** A titled part of a page. */
export function section(title, ...children) {
  return el("section", { className: "f-section" }, el("h2", {}, title), ...children);
}

/** A labelled input; `more` are properties of the input. */
export function field(label, more = {}) {
  const input = el("input", { type: "text", required: true, ...more });
  return { input, element: el("label", { className: "f-field" }, el("span", {}, label), input) };
}

/** A labelled choice of [value, text]. */
export function choice(label, options, more = {}) {
  const input = el("select", more, ...options.map(([value, text]) => el("option", { value }, text)));
  return { input, element: el("label", { className: "f-field" }, el("span", {}, label), input) };
}

/** A form whose button is off while `submit` works, and whose failures are told beside the button. */
export function form(parts, label, submit, { danger = false } = {}) {
  const press = el("button", { type: "submit", className: danger ? "f-press f-danger" : "f-press" }, label);
  const wrong = el("p", { className: "f-wrong", role: "alert", hidden: true });
  const made = el("form", { className: "f-form", noValidate: false }, ...parts, press, wrong);
  made.onsubmit = async (event) => {
    event.preventDefault();
    press.disabled = true;
    wrong.hidden = true;
    try {
      await submit();
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
    press.disabled = false;
  };
  return made;
}

/** What stands where there is nothing to tell; on a narrow screen such a line is left out. */
export const NOTHING = "–";

/** A table; on a narrow screen each row is a card whose lines bear the columns' names. */
export function table(columns, rows, label) {
  const head = el("tr", {}, ...columns.map((column) => el("th", { scope: "col" }, column)));
  const cellOf = (cell, index) => el("td", { dataset: { label: columns[index], ...(cell === NOTHING ? { empty: "" } : {}) } }, cell);
  const lines = rows.map((cells) => el("tr", {}, ...cells.map(cellOf)));
  return el("table", { className: "f-table", aria: { label } }, el("thead", {}, head), el("tbody", {}, ...lines));
}

/** A text with a button that copies it. */
export function code(text, label) {
  const pressed = button(label ?? t("copy"), "copy", () => copy(text, pressed));
  return el("div", { className: "f-code" }, el("pre", { tabIndex: 0 }, text), pressed);
}

export const day = (iso) => new Date(iso).toLocaleDateString(locale, { year: "numeric", month: "short", day: "numeric" });

/** How long ago, in words. */
export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (-seconds >= length) return words.format(Math.round(seconds / length), unit);
  }
  return t("just_now");
}

/** Runs something that a button asks for, and tells what went wrong. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    return void notice(error.message, { kind: "error", seconds: 12 });
  }
}

/** Makes elements the children of a list; those that are in their place already stay, with their focus. */
export function arrange(list, elements) {
  let next = list.firstElementChild;
  for (const element of elements) {
    if (element === next) next = next.nextElementSibling;
    else list.insertBefore(element, next);
  }
  while (next) {
    const after = next.nextElementSibling;
    next.remove();
    next = after;
  }
}
