// A menu beside a button: arrow keys, Enter, Escape and first letters; an entry may lead to further ones.
import { el, icon, t } from "./dom.js";

let shown = null; // the one menu, and what it belongs to
let pressed = null; // whose menu the press that is going on has closed

document.addEventListener("pointerdown", () => { pressed = shown?.anchor ?? null; }, true);

/**
 * Shows a menu beside `anchor`, or takes it away where it is shown there already.
 *
 * Entries are `{name, icon, run}`; with `href` (and `download`) a link; with `entries`, a function that gives more of
 * them, or a promise, what they lead to; `checked` is a choice that is on or off; `danger` warns; null is a line
 * between. Focus is back at `anchor` when `run` is called.
 */
export function openMenu(anchor, entries, { label }) {
  const again = pressed === anchor;
  pressed = null;
  if (again) return;
  const box = el("div", { className: "f-menu", role: "menu", popover: "auto", aria: { label } });
  const menu = { anchor, box, trail: [] };
  box.addEventListener("keydown", (event) => keydown(event, menu));
  box.addEventListener("contextmenu", (event) => event.preventDefault()); // the key that opened it may still send one
  box.addEventListener("toggle", (event) => event.newState === "closed" && gone(menu));
  const away = () => box.hidePopover();
  window.addEventListener("resize", away, { once: true });
  menu.forget = () => window.removeEventListener("resize", away);
  document.body.append(box);
  box.showPopover();
  shown = menu;
  anchor.setAttribute("aria-expanded", "true");
  fill(menu, entries);
}

function gone(menu) {
  menu.forget();
  menu.box.remove();
  menu.anchor.setAttribute("aria-expanded", "false");
  if (shown === menu) shown = null;
}

function close(menu) {
  menu.box.hidePopover();
  menu.anchor.focus({ preventScroll: true });
}

function fill(menu, entries, chosen = 0) {
  menu.entries = entries;
  const made = entries.map((entry) => (entry ? item(menu, entry) : el("hr", {})));
  if (menu.trail.length) made.unshift(item(menu, { name: t("menu_back"), icon: "back", run: null }));
  menu.box.replaceChildren(...made);
  place(menu);
  items(menu)[chosen]?.focus({ preventScroll: true });
}

function item(menu, entry) {
  const role = entry.checked === undefined ? "menuitem" : "menuitemradio";
  const made = el(entry.href ? "a" : "button", { role, tabIndex: -1, className: "f-menu-item" }, icon(entry.icon ?? "check"), el("span", {}, entry.name));
  if (entry.href) Object.assign(made, { href: entry.href, download: entry.download ?? "" });
  else made.type = "button";
  if (entry.checked !== undefined) made.setAttribute("aria-checked", String(entry.checked));
  if (entry.danger) made.classList.add("f-danger");
  if (entry.entries) {
    made.setAttribute("aria-haspopup", "menu");
    made.append(icon("forward"));
  }
  made.entry = entry;
  made.addEventListener("click", () => choose(menu, entry));
  return made;
}

async function choose(menu, entry) {
  if (entry.entries) return further(menu, entry);
  if (entry.run === null) return back(menu);
  close(menu);
  return entry.run?.();
}

async function further(menu, entry) {
  menu.trail.push([menu.entries, items(menu).findIndex((made) => made.entry === entry)]);
  const found = await entry.entries();
  if (shown === menu) fill(menu, found, found.length ? 1 : 0);
}

function back(menu) {
  fill(menu, ...menu.trail.pop());
}

const items = (menu) => [...menu.box.querySelectorAll(".f-menu-item")];

function keydown(event, menu) {
  event.stopPropagation(); // Escape elsewhere stops a reply
  const all = items(menu);
  const at = all.indexOf(document.activeElement);
  const go = (index) => all[(index + all.length) % all.length]?.focus();
  const keys = {
    ArrowDown: () => go(at + 1),
    ArrowUp: () => go(at < 0 ? -1 : at - 1),
    Home: () => go(0),
    End: () => go(-1),
    ArrowRight: () => all[at]?.entry.entries && further(menu, all[at].entry),
    ArrowLeft: () => menu.trail.length && back(menu),
    Escape: () => (menu.trail.length ? back(menu) : close(menu)),
  };
  if (event.key === "Tab") return close(menu); // and on from there
  if (keys[event.key]) {
    event.preventDefault();
    return keys[event.key]();
  }
  if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  const begins = (made) => made.entry.name.toLowerCase().startsWith(event.key.toLowerCase());
  return [...all.slice(at + 1), ...all.slice(0, at + 1)].find(begins)?.focus();
}

/** Below what it belongs to, or above where there is more room; never beyond the window. */
function place({ anchor, box }) {
  const edge = 8;
  const at = anchor.getBoundingClientRect();
  const below = innerHeight - at.bottom - edge;
  const above = at.top - edge;
  const height = box.scrollHeight + 2;
  const under = height <= below || below >= above;
  box.style.maxHeight = `${Math.max(under ? below : above, 96)}px`;
  box.style.left = `${Math.max(edge, Math.min(at.left, innerWidth - box.offsetWidth - edge))}px`;
  box.style.top = `${under ? at.bottom + 4 : Math.max(edge, at.top - Math.min(height, above) - 4)}px`;
}
