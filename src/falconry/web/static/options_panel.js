// The panel of options at the right: opened by a button in the top bar and by a shortcut, and what stands at its fields.
import { send } from "./api.js";
import { button, el, present, t } from "./dom.js";
import * as models from "./models.js";
import * as options from "./options.js";
import { spoken } from "./shortcuts.js";
import { nameSliders } from "./slider_names.js";

const OVER = "(max-width: 1179px)"; // narrower than this it lies over the page
const PARAM = { json_schema: "grammar" }; // what `supports` calls a field; all others by their own names
const root = document.documentElement;
const KEYS = "Alt+Shift+O"; // page_shortcuts.js
let opener = null; // what had the focus

export const isOpen = () => root.hasAttribute("data-options");

export function toggle(open = !isOpen()) {
  if (open === isOpen()) return;
  if (open) opener = document.activeElement;
  root.toggleAttribute("data-options", open);
  arrange();
  const panel = document.getElementById("options");
  if (open) panel?.querySelector("#options-close")?.focus({ preventScroll: true });
  else if (opener?.isConnected) opener.focus({ preventScroll: true });
}

/** Lets go of the page where it lies over it. */
export function giveWay() {
  if (matchMedia(OVER).matches) toggle(false);
}

/** Over the page it is a dialog: nothing behind it can be reached meanwhile. */
function arrange() {
  const over = isOpen() && matchMedia(OVER).matches;
  for (const id of ["main", "side"]) {
    const part = document.getElementById(id);
    if (part) part.inert = over;
  }
  const panel = document.getElementById("options");
  panel?.setAttribute("role", over ? "dialog" : "region");
  if (over) panel?.setAttribute("aria-modal", "true");
  else panel?.removeAttribute("aria-modal");
}

/** The head of the panel, and all that is added to Gradio's fields. */
export async function mount(element) {
  const panel = await present("#options");
  panel.setAttribute("aria-label", t("advanced_options"));
  const close = button(t("close"), "close", () => toggle(false));
  close.id = "options-close";
  element.replaceChildren(el("h2", {}, t("advanced_options")), close);
  nameSliders("#option-temperature");
  const veil = el("div", { className: "f-options-veil", onclick: () => toggle(false) });
  document.body.append(veil);
  panel.addEventListener("keydown", (event) => {
    // An open list of choices is closed first, by Gradio.
    if (event.key !== "Escape" || event.isComposing || event.target.getAttribute("aria-expanded") === "true") return;
    event.stopPropagation(); // Escape elsewhere stops a reply
    toggle(false);
  });
  matchMedia(OVER).addEventListener("change", arrange);
  const fields = await Promise.all(Object.entries(options.labels()).map(dress));
  const show = () => fields.forEach((field) => field());
  options.onChange(show);
  models.onChoice(show);
  options.onChange(watchSchema);
  show();
  watchSchema();
}

/** Adds to a field the way back to its default, and a place for what is to be said of it. Gives what shows both. */
async function dress([name, label]) {
  const block = await present(`#option-${name.replaceAll("_", "-")}`);
  const input = await present(`#option-${name.replaceAll("_", "-")} :is(textarea, input)`);
  const back = button(t("back_to_default"), "undo", () => { options.resetOne(name); input.focus(); }, { className: "f-back" });
  back.setAttribute("aria-description", label);
  const note = el("p", { className: "f-field-note", id: `option-note-${name}` });
  block.append(back, note);
  const inputs = () => block.querySelectorAll("textarea, input");
  return () => {
    const wrong = options.problem(name);
    const known = name === "system" ? null : models.supports();
    const missing = Boolean(known) && !known.includes(PARAM[name] ?? name);
    back.hidden = options.value(name) === options.baseline(name);
    note.textContent = wrong ?? (missing ? t(name === "json_schema" ? "unsupported_schema" : "unsupported_field") : "");
    note.hidden = !note.textContent;
    note.classList.toggle("f-wrong", Boolean(wrong));
    note.classList.toggle("f-warning", !wrong && options.value(name) !== options.defaults()[name]);
    block.classList.toggle("f-unsupported", missing);
    for (const one of inputs()) {
      one.setAttribute("aria-describedby", note.id);
      one.setAttribute("aria-invalid", String(Boolean(wrong)));
    }
  };
}

let timer;
let asked = "";

/** Asks the server whether replies can be held to the schema in the field, a moment after the last change. */
function watchSchema() {
  const text = options.value("json_schema");
  if (text === asked) return;
  asked = text;
  clearTimeout(timer);
  if (!text.trim() || options.problem("json_schema")) return;
  timer = setTimeout(async () => {
    let said = null;
    try {
      await send("POST", "/api/json-schema/check", { json_schema: JSON.parse(text) });
    } catch (error) {
      said = error.message;
    }
    options.judged(text, said);
  }, 400);
}

/** The button in the top bar. */
export function mountButton(element) {
  const made = button(t("advanced_options"), "sliders", () => toggle());
  made.id = "options-button";
  made.setAttribute("aria-controls", "options");
  made.title = `${t("advanced_options")} (${spoken(KEYS)})`;
  const tell = () => {
    made.setAttribute("aria-expanded", String(isOpen()));
    made.classList.toggle("f-changed", options.differs());
  };
  options.onChange(tell);
  new MutationObserver(tell).observe(root, { attributeFilter: ["data-options"] });
  tell();
  element.replaceChildren(made);
}

/** The line under the fields: which of them the chosen model's server does not understand. */
export function mountNote(element) {
  const line = el("p", { className: "f-muted" });
  element.replaceChildren(line);
  const show = () => {
    const known = models.supports();
    const names = models.names();
    const missing = known ? Object.keys(names).filter((name) => !known.includes(name)) : [];
    line.textContent = missing.length ? t("unsupported", { names: missing.map((name) => names[name]).join(t("comma")) }) : "";
  };
  models.onChoice(show);
  show();
}
