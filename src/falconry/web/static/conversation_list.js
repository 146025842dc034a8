// The list of conversations on the left side: shown, scrolled, walked through by keys. Refreshing it keeps the place
// that is looked at, the focus, and whatever is being renamed or dragged.
import { el, t } from "./dom.js";
import { more, onChange, refresh, state, folderList } from "./conversation_store.js";
import { untilMidnight } from "./date_groups.js";
import { editing } from "./edit_in_place.js";
import { rows, showSections } from "./list_sections.js";
import * as actions from "./list_actions.js";
import * as drag from "./list_drag.js";

const ROW = 36; // px
const AHEAD = 800; // px below what is seen that are read
const STOPS = ".f-item > :is(a, .f-folder, .f-rest)"; // what the arrow keys go through

let scroller;
let end; // what comes after the last one: seen, it is time for more
let none;
let open; // a link has been pressed
let current = null;
let stop = null; // the one that Tab leads to
let waiting = false; // something is to be shown when nothing is renamed or dragged any more

export function mount(opened) {
  open = opened;
  end = el("div", { className: "f-list-end" });
  none = el("p", { className: "f-muted f-none", hidden: true }, t("no_conversations"));
  scroller = el("div", { id: "conversations" }, none, end);
  scroller.addEventListener("click", click);
  scroller.addEventListener("dblclick", doubleClick);
  scroller.addEventListener("keydown", keydown);
  scroller.addEventListener("focusin", ({ target }) => settle(target.closest(".f-item")?.querySelector(STOPS)));
  scroller.addEventListener("focusout", () => waiting && queueMicrotask(show));
  drag.connect(scroller, () => waiting && show());
  scroller.addEventListener("scroll", loadMore, { passive: true });
  new ResizeObserver(loadMore).observe(scroller);
  onChange(show);
  atMidnight();
  return scroller;
}

function atMidnight() {
  setTimeout(() => { show(); atMidnight(); }, untilMidnight());
}

/** Reads the list again, as far down as it is looked at. */
export function renew() {
  if (!scroller.clientHeight) return refresh(); // behind the hits of a search, or closed
  const below = scroller.scrollTop + scroller.clientHeight;
  return refresh(Math.max(100, Math.ceil((below / ROW + 50) / 100) * 100));
}

const nearEnd = () => scroller.clientHeight > 0 && end.getBoundingClientRect().top < scroller.getBoundingClientRect().bottom + AHEAD;

/** Again and again: what was read may all stand in folders. */
async function loadMore() {
  while (state.main.next && !state.main.loading && nearEnd()) await more(state.main);
}

export function showCurrent(id) {
  current = id;
  for (const row of rows()) row.mark(id);
}

/** Shows what the store knows. */
function show() {
  waiting = editing() || drag.dragging();
  if (waiting) return;
  const focus = focused();
  const anchor = place();
  const shown = showSections(scroller, current, [none, end]);
  none.hidden = shown > 0 || state.main.next === undefined;
  putBack(anchor);
  refocus(focus);
  loadMore();
}

const visible = (element) => element.isConnected && !element.closest("[hidden]");
const stops = () => [...scroller.querySelectorAll(STOPS)].filter(visible);

function focused() {
  const element = document.activeElement?.closest("#conversations .f-item") ? document.activeElement : null;
  if (!element) return null;
  const item = element.closest(".f-item").querySelector(STOPS);
  return { element, id: item.dataset.id, at: stops().indexOf(item) };
}

/** The focus stays where it is, goes along with its conversation, or to what has come in its place. */
function refocus(focus) {
  if (!stop || !visible(stop)) settle(scroller.querySelector("a[aria-current]") ?? stops()[0]);
  if (!focus || document.activeElement === focus.element) return;
  const all = stops();
  const same = visible(focus.element) ? focus.element : all.find((other) => focus.id && other.dataset.id === focus.id);
  (same ?? all[Math.min(focus.at, all.length - 1)])?.focus({ preventScroll: true });
}

/** The first line that is seen, and where; null at the top, where new ones shall be seen. */
function place() {
  if (scroller.scrollTop < 4) return null;
  const { left, top } = scroller.getBoundingClientRect();
  const item = [4, 24].map((down) => document.elementFromPoint(left + 40, top + down)?.closest("#conversations .f-item")).find(Boolean);
  return item && { item, at: item.getBoundingClientRect().top };
}

function putBack(anchor) {
  if (anchor?.item.isConnected) scroller.scrollTop += anchor.item.getBoundingClientRect().top - anchor.at;
}

/** Tab leads to this one from now on, and from it to the button of its menu. */
function settle(next) {
  if (!next || next === stop) return;
  for (const [element, tabIndex] of [[stop, -1], [next, 0]]) {
    if (!element) continue;
    element.tabIndex = tabIndex;
    const button = element.parentElement?.querySelector(":scope > .f-row-menu");
    if (button) button.tabIndex = tabIndex;
  }
  stop = next;
}

const rowOf = (target) => target.closest("li.f-item")?.row;
const folderOf = (target) => target.closest("h2.f-item")?.parentElement.section.folder;

function click(event) {
  const row = rowOf(event.target);
  if (event.target.closest(".f-row-menu")) {
    const button = event.target.closest(".f-row-menu");
    if (row) actions.rowMenu(row, button);
    else actions.folderMenu(button.closest(".f-group").section, button);
  } else if (event.target.closest(".f-rest")) {
    more(folderList(event.target.closest(".f-group").section.folder.id));
  } else if (row && event.target.closest("a")) {
    if (event.detail > 1) event.preventDefault(); // the second press of two
    else open(event, row.conversation.id);
  }
}

function doubleClick(event) {
  const row = rowOf(event.target);
  if (row && event.target.closest("a")) actions.rename(row);
}

function go(target, by) {
  const all = stops();
  const at = all.indexOf(target);
  const next = all[Math.max(0, Math.min(all.length - 1, by === Infinity || by === -Infinity ? by : at + by))];
  next?.focus();
}

function keydown(event) {
  if (event.target.closest(".f-name-box") || event.altKey) return;
  const item = event.target.closest(".f-item");
  if (!item) return;
  const target = item.querySelector(STOPS);
  const button = item.querySelector(":scope > .f-row-menu");
  const row = rowOf(target);
  const folder = folderOf(target);
  const section = item.closest(".f-group").section;
  const keys = {
    ArrowDown: () => go(target, 1),
    ArrowUp: () => go(target, -1),
    Home: () => go(target, -Infinity),
    End: () => go(target, Infinity),
    ArrowRight: () => (folder && section.list.hidden ? target.click() : button?.focus()),
    ArrowLeft: () => {
      if (event.target !== target) target.focus();
      else if (folder && !section.list.hidden) target.click();
      else section.toggle?.focus();
    },
    F2: () => (row ? actions.rename(row) : folder && actions.renameFolder(section)),
    Delete: () => (row ? actions.remove(row.conversation) : folder && actions.removeFolder(folder)),
    ContextMenu: () => button?.click(),
    F10: () => event.shiftKey && button?.click(),
  };
  const undo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
  if (!undo && (!keys[event.key] || event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  if (undo) actions.undo();
  else keys[event.key]();
}
