// The left side: new chat, search, conversations, the other pages. On a narrow screen it is a drawer.
import { Live } from "./api.js";
import { button, el, icon, mark, store, t } from "./dom.js";
import * as actions from "./list_actions.js";
import * as list from "./conversation_list.js";
import { openMenu } from "./menu.js";
import * as search from "./search_box.js";
import { sideFoot } from "./side_foot.js";
import { openExport, openImport } from "./transfer.js";
import * as trash from "./trash.js";

export { switchTheme } from "./side_foot.js";

const root = document.documentElement;
const chat = { open: null, current: null }; // chat.js puts itself in here
let mounted = false;

/** The chat page tells how to open a conversation without loading the page anew. */
export function connect(open) {
  chat.open = open;
}

export function showCurrent(id) {
  chat.current = id;
  if (mounted) list.showCurrent(id);
}

/** Something of the list is other than it was. */
export function refresh() {
  if (mounted) list.renew();
}

/** Follows a link to a conversation, to a message of it, or with null to a new one: in the page where that can be done. */
function visit(event, id, message) {
  if (!chat.open || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  closeDrawer();
  chat.open(id, { push: true, ...(message && { message }) });
}

export function newChat() {
  document.getElementById("new-chat").click();
}

const narrow = matchMedia("(max-width: 899px)");
export const isOpen = () => (narrow.matches ? root.hasAttribute("data-drawer") : root.dataset.side === "open");

/** While the drawer is open, nothing beside it can be reached. */
function setDrawer(open) {
  const was = root.hasAttribute("data-drawer");
  root.toggleAttribute("data-drawer", open);
  const beside = document.getElementById("main");
  if (beside) beside.inert = open;
  if (open) document.getElementById("new-chat").focus();
  else if (was) document.getElementById("menu")?.focus();
}

const closeDrawer = () => setDrawer(false);

export function toggle() {
  if (narrow.matches) setDrawer(!isOpen());
  else {
    root.dataset.side = isOpen() ? "closed" : "open";
    store.set("side", root.dataset.side);
  }
  if (isOpen()) refresh();
}

export function focusSearch() {
  if (!isOpen()) toggle();
  search.focus();
}

function keydown(event) {
  const letter = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest?.("input, textarea, select, [contenteditable], [role=menu]");
  if ((letter || slash) && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    focusSearch();
  }
}

/** Escape closes the drawer before it reaches anything else: elsewhere it stops a reply. */
function escape(event) {
  if (event.key !== "Escape" || !narrow.matches || !isOpen() || event.target.closest?.("input, [role=menu], dialog")) return;
  event.stopPropagation();
  closeDrawer();
}

function showMenu(anchor) {
  openMenu(anchor, [
    { name: t("new_folder"), icon: "folder", run: () => actions.newFolder() },
    { name: t("recently_deleted"), icon: "trash", run: () => trash.open() },
    null,
    { name: t("import_conversations"), icon: "upload", run: openImport },
    { name: t("export_all"), icon: "download", run: openExport },
  ], { label: t("more_menu") });
}

export function mount(element) {
  const fresh = el("a", { href: "/", id: "new-chat", className: "f-button" }, icon("plus"), el("span", {}, t("new_chat")));
  fresh.onclick = (event) => visit(event, null);
  const more = button(t("more_menu"), "dots", () => showMenu(more));
  more.setAttribute("aria-haspopup", "menu");
  const conversations = list.mount(visit);
  const [box, hits] = search.mount(conversations, visit);
  actions.connect(chat);
  element.replaceChildren(el(
    "nav", { aria: { label: t("conversations") } },
    el("div", { className: "f-brand" }, mark(), el("span", {}, "Falconry"), more),
    fresh, box, conversations, hits, sideFoot(),
  ));
  document.body.append(el("div", { className: "f-veil", onclick: closeDrawer }));
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  document.addEventListener("keydown", keydown);
  document.addEventListener("keydown", escape, true);
  narrow.addEventListener("change", closeDrawer);
  mounted = true;
  list.showCurrent(chat.current);
  refresh();
  // These pages have a connection of their own, which tells of the list as well.
  if (!["/", "/compare", "/models"].includes(location.pathname)) new Live(null, refresh, () => {});
}
