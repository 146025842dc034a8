// The left side: new chat, recent conversations, the other pages, language, log out and theme.
import { get, send } from "./api.js";
import { button, el, icon, language, mark, store, t } from "./dom.js";

const root = document.documentElement;
let list;
let timer;
const chat = { open: null, current: null }; // chat.js puts itself in here

/** The chat page tells how to open a conversation without loading the page anew. */
export function connect(open) {
  chat.open = open;
}

export function showCurrent(id) {
  chat.current = id;
  list?.querySelectorAll("a").forEach((link) => mark_current(link));
}

function mark_current(link) {
  if (link.dataset.id === chat.current) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}

/** Reads the list again; while something runs elsewhere, every few seconds. */
export async function refresh() {
  clearTimeout(timer);
  if (!list) return;
  const { conversations } = await get("/api/conversations").catch(() => ({ conversations: null }));
  if (!conversations) return;
  list.replaceChildren(...conversations.map(entry));
  if (!conversations.length) list.append(el("li", { className: "f-muted f-none" }, t("no_conversations")));
  if (conversations.some((conversation) => conversation.running)) timer = setTimeout(refresh, 3000);
}

function entry({ id, title, running }) {
  const link = el("a", { href: `/?c=${id}`, dataset: { id } }, el("span", {}, title || t("untitled")));
  if (running) link.append(el("i", { className: "f-running", title: t("running"), role: "img", aria: { label: t("running") } }));
  mark_current(link);
  link.onclick = (event) => visit(event, id);
  return el("li", {}, link);
}

function visit(event, id) {
  if (!chat.open || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  closeDrawer();
  chat.open(id, { push: true });
}

const narrow = matchMedia("(max-width: 899px)");
const closeDrawer = () => root.removeAttribute("data-drawer");
export const isOpen = () => (narrow.matches ? root.hasAttribute("data-drawer") : root.dataset.side === "open");

export function toggle() {
  if (narrow.matches) return root.toggleAttribute("data-drawer");
  root.dataset.side = isOpen() ? "closed" : "open";
  return store.set("side", root.dataset.side);
}

function theme_button() {
  const made = button("", "moon", () => {
    store.set("theme", root.dataset.theme === "dark" ? "light" : "dark");
    window.dispatchEvent(new Event("falconry:theme"));
    show();
  });
  const show = () => {
    const dark = root.dataset.theme === "dark";
    made.replaceChildren(icon(dark ? "sun" : "moon"));
    made.title = t(dark ? "theme_light" : "theme_dark");
    made.setAttribute("aria-label", made.title);
  };
  show();
  return made;
}

function language_button() {
  const other = language === "zh" ? "en" : "zh";
  const made = button(other === "zh" ? "中文" : "English", null, () => {
    store.set("language", other);
    location.reload();
  }, { label: true });
  made.lang = other === "zh" ? "zh-CN" : "en";
  made.id = "language";
  return made;
}

function page_link(name, href, iconName) {
  const link = el("a", { href, className: "f-button f-page" }, icon(iconName), el("span", {}, name));
  if (href === location.pathname) link.setAttribute("aria-current", "page");
  return link;
}

function leave_button() {
  return button(t("log_out"), "leave", async () => {
    await send("POST", "/logout");
    store.forget();
    location.assign("/login");
  });
}

/** What depends on who is here: shown as it was last time, until the server has said who it is. */
async function show_person(links, prefs) {
  let shown;
  const show = (me) => {
    if (JSON.stringify(me) === shown) return;
    shown = JSON.stringify(me);
    const account = me.login ? page_link(me.name, "/account", "person") : page_link(t("page_api"), "/account", "code");
    links.replaceChildren(account, ...(me.role === "admin" ? [page_link(t("page_admin"), "/admin", "pulse")] : []));
    prefs.replaceChildren(language_button(), ...(me.login ? [leave_button()] : []), theme_button());
  };
  show(JSON.parse(store.get("me") ?? "{}"));
  const { login, name, role } = await get("/api/me");
  store.set("me", JSON.stringify({ login, name, role }));
  show({ login, name, role });
}

export function mount(element) {
  const fresh = el("a", { href: "/", id: "new-chat", className: "f-button" }, icon("plus"), el("span", {}, t("new_chat")));
  fresh.onclick = (event) => visit(event, null);
  list = el("ul", { id: "conversations" });
  const links = el("div", { className: "f-links" });
  const prefs = el("div", { className: "f-prefs" });
  const nav = el(
    "nav", { aria: { label: t("conversations") } },
    el("div", { className: "f-brand" }, mark(), el("span", {}, "Falconry")),
    fresh,
    el("h2", { className: "f-muted" }, t("recent")),
    list,
    el("div", { className: "f-side-foot" },
      page_link(t("page_chat"), "/", "chat"),
      page_link(t("page_complete"), "/complete", "text"),
      links, prefs),
  );
  element.replaceChildren(nav);
  const veil = el("div", { className: "f-veil", onclick: closeDrawer });
  document.body.append(veil);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  refresh();
  show_person(links, prefs).catch(() => { /* the conversations tell that nobody answers */ });
}
