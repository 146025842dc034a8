// The page's keyboard shortcuts: who has one registers it here, and the help sheet shows them all.
//
// Letters come with Alt and Shift, which neither browsers nor screen readers take; what is typed on a Mac with them does
// not matter, since the key's place decides where its character is no letter.
import { dialog, el, t } from "./dom.js";

export const MAC = /^(Mac|iP)/.test(navigator.platform);
const entries = [];

/**
 * Adds a shortcut. `name` is shown, `keys` are like "Alt+Shift+N", "Mod+/" (Ctrl, on a Mac Cmd) or "?"; without `action`
 * it is handled elsewhere and only shown. `group` is "chat" or "page".
 */
export function register({ name, keys, action = null, group = "page" }) {
  entries.push({ name, keys: [keys].flat(), action, group });
}

const SYMBOLS = MAC
  ? { Mod: "⌘", Ctrl: "⌃", Alt: "⌥", Shift: "⇧", Enter: "↩", ArrowUp: "↑", Escape: "esc" }
  : { Mod: "Ctrl", ArrowUp: "↑", Escape: "Esc" };

/** The keys of a shortcut, as they stand on this platform's keyboards. */
export const caps = (keys) => keys.split(/\+(?=.)/).map((part) => SYMBOLS[part] ?? part);

/** For tooltips: "Alt+Shift+N", "⌥⇧N". */
export const spoken = (keys) => caps(keys).join(MAC ? "" : "+");

function typing(target) {
  return Boolean(target.closest?.("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=button])"));
}

function matches(keys, event) {
  const parts = keys.split(/\+(?=.)/);
  const wanted = parts.pop();
  const need = (name) => parts.includes(name);
  const mod = need("Mod");
  if ((MAC ? event.metaKey : event.ctrlKey) !== mod || (MAC ? event.ctrlKey : event.metaKey)) return false;
  if (event.altKey !== need("Alt")) return false;
  if (wanted.length === 1 && !/[a-z]/i.test(wanted)) return event.key === wanted && (mod || !typing(event.target));
  if (event.shiftKey !== need("Shift")) return false;
  return /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() === wanted : event.code === `Key${wanted}`;
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const found = entries.find(({ keys, action }) => action && keys.some((each) => matches(each, event)));
  if (!found) return;
  event.preventDefault();
  found.action(event);
});

const row = ({ name, keys }) => {
  const ways = keys.flatMap((each, index) => [index ? ` ${t("or")} ` : null, el("span", { className: "f-keys" }, ...caps(each).map((cap) => el("kbd", {}, cap)))]);
  return el("div", {}, el("dt", {}, name), el("dd", {}, ...ways));
};

/** The sheet with all of them. */
export function help() {
  const part = (group, title) => {
    const rows = entries.filter((entry) => entry.group === group).map(row);
    return rows.length ? el("section", {}, el("h3", {}, title), el("dl", {}, ...rows)) : null;
  };
  const shown = dialog(t("shortcuts"), el("div", { className: "f-shortcuts" }, part("chat", t("shortcuts_writing")), part("page", t("shortcuts_page"))));
  shown.classList.remove("f-small");
  shown.querySelector(".f-dialog-body").tabIndex = 0; // to be scrolled by keyboard where it does not fit
  return shown;
}

register({ name: t("shortcut_help"), keys: ["?", "Mod+/"], action: help });
