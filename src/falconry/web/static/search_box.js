// Search over titles and messages: a box above the list, whose hits take the list's place while there is a text in it.
import { get } from "./api.js";
import { announce, button, el, icon, locale, t } from "./dom.js";

const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium" });
const PAUSE = 160; // ms after a key

let box;
let clearing; // the button that empties it
let hits; // the list of them
let below; // what they take the place of
let open;
let asked = 0; // the newest question; answers to older ones are not shown
let timer;
let next = null;
let chosen = -1;
let scrolled = 0;

/** Gives the box; `list` is hidden while there are hits, `opened(event, id, message)` opens one. */
export function mount(list, opened) {
  below = list;
  open = opened;
  box = el("input", { type: "search", id: "search", placeholder: t("search"), maxLength: 500, autocomplete: "off", spellcheck: false });
  hits = el("div", { id: "hits", role: "listbox", hidden: true, aria: { label: t("search_results") } });
  for (const [name, value] of Object.entries({ role: "combobox", "aria-label": t("search"), "aria-controls": "hits", "aria-expanded": "false", "aria-autocomplete": "list" })) {
    box.setAttribute(name, value);
  }
  box.addEventListener("input", (event) => event.isComposing || typed());
  box.addEventListener("compositionend", typed);
  box.addEventListener("keydown", keydown);
  hits.addEventListener("click", (event) => follow(event, event.target.closest(".f-hit")));
  hits.addEventListener("scroll", () => next && hits.scrollTop + hits.clientHeight > hits.scrollHeight - 400 && more(), { passive: true });
  clearing = button(t("search_clear"), "close", () => { clear(); box.focus(); });
  clearing.hidden = true;
  return [el("div", { className: "f-search" }, icon("search"), box, clearing, el("kbd", { aria: { hidden: "true" } }, "/")), hits];
}

export function focus() {
  box.focus();
  box.select();
}

function typed() {
  clearTimeout(timer);
  clearing.hidden = !box.value;
  if (!box.value.trim()) return close();
  timer = setTimeout(() => ask(box.value.trim()), PAUSE);
  return undefined;
}

function clear() {
  box.value = "";
  clearing.hidden = true;
  close();
}

/** The list is back; what is still being asked for comes too late. */
function close() {
  asked += 1;
  next = null;
  clearTimeout(timer);
  hits.replaceChildren();
  choose(-1);
  show(false);
}

function show(shown) {
  if (hits.hidden === !shown) return;
  if (shown) scrolled = below.scrollTop;
  hits.hidden = !shown;
  below.hidden = shown;
  if (!shown) below.scrollTop = scrolled; // which what is hidden forgets
  box.setAttribute("aria-expanded", String(shown));
}

/** Some hits from `before` on; a page of the server's may be empty and not be the last. */
async function page(text, before = null) {
  const found = await get(`/api/search?${new URLSearchParams({ q: text, limit: "30", ...(before && { before }) })}`);
  return found.hits.length || !found.next ? found : page(text, found.next);
}

async function ask(text) {
  asked += 1;
  const question = asked;
  let found;
  try {
    found = await page(text);
  } catch (error) {
    found = { hits: [], next: null, error };
  }
  if (question !== asked) return;
  next = found.next;
  hits.scrollTop = 0;
  const said = found.error?.message ?? (found.hits.length ? null : t("search_none", { text }));
  hits.replaceChildren(...(said ? [el("p", { className: "f-muted f-none" }, said)] : found.hits.map(hit)));
  choose(-1);
  show(true);
  announce(said ?? t(next ? "search_found_more" : "search_found", { count: found.hits.length }));
}

async function more() {
  const question = asked;
  const before = next;
  next = null;
  const found = await page(box.value.trim(), before).catch(() => null);
  if (!found || question !== asked) return;
  next = found.next;
  hits.append(...found.hits.map(hit));
}

/** A hit as a link: in a message, with what stands around it, or in a title, which then says it all. */
function hit({ conversation_id: id, message_id: message, title, created_at: time, role, snippet }, index) {
  const marked = snippet.map(({ text, hit: found }) => (found ? el("mark", {}, text) : text));
  const name = el("b", { className: "f-title", dir: "auto" }, ...(message ? [title || t("untitled")] : marked));
  const speaker = () => el("span", { className: "f-muted" }, `${t(role === "user" ? "you" : "assistant")}: `);
  return el(
    "a",
    {
      id: `hit-${asked}-${hits.childElementCount}-${index}`, className: "f-hit", role: "option", tabIndex: -1,
      href: message ? `/?c=${id}&m=${message}` : `/?c=${id}`, dataset: { id, ...(message && { message }) }, aria: { selected: "false" },
    },
    el("span", { className: "f-row" }, name, el("time", { className: "f-muted", dateTime: time }, day.format(new Date(time)))),
    message ? el("span", { className: "f-snippet", dir: "auto" }, speaker(), ...marked) : null,
  );
}

const all = () => [...hits.querySelectorAll(".f-hit")];

/** Marks a hit as the one that Enter opens. */
function choose(index) {
  const found = all();
  found[chosen]?.setAttribute("aria-selected", "false");
  chosen = found.length ? Math.max(-1, Math.min(found.length - 1, index)) : -1;
  const element = found[chosen];
  element?.setAttribute("aria-selected", "true");
  element?.scrollIntoView({ block: "nearest" });
  if (element) box.setAttribute("aria-activedescendant", element.id);
  else box.removeAttribute("aria-activedescendant");
}

function follow(event, element) {
  if (!element) return;
  choose(all().indexOf(element));
  open(event, element.dataset.id, element.dataset.message);
}

function keydown(event) {
  if (event.isComposing || event.keyCode === 229) return;
  const keys = {
    ArrowDown: () => choose(chosen + 1),
    ArrowUp: () => choose(chosen - 1),
    Enter: () => enter(event),
    Escape: () => (box.value ? clear() : box.blur()),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  event.stopPropagation(); // Escape elsewhere stops a reply
  keys[event.key]();
}

/** Opens the chosen hit, or the first one; with Ctrl in a tab of its own, as the link would. */
async function enter({ ctrlKey, metaKey, shiftKey }) {
  clearTimeout(timer);
  if (chosen < 0 && box.value.trim()) await ask(box.value.trim());
  const element = all()[Math.max(0, chosen)];
  element?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
}
