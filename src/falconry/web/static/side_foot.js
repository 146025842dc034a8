// The lower end of the left side: the other pages, whoever is here, language, log out, and dark or light.
import { get, logOut } from "./api.js";
import { button, el, icon, language, store, t } from "./dom.js";

const root = document.documentElement;

/** Dark where it is light, and the other way round. */
export function switchTheme() {
  store.set("theme", root.dataset.theme === "dark" ? "light" : "dark");
  window.dispatchEvent(new Event("falconry:theme"));
}

function themeButton() {
  const made = button("", "moon", switchTheme);
  const show = () => {
    const dark = root.dataset.theme === "dark";
    made.replaceChildren(icon(dark ? "sun" : "moon"));
    made.title = t(dark ? "theme_light" : "theme_dark");
    made.setAttribute("aria-label", made.title);
  };
  new MutationObserver(show).observe(root, { attributeFilter: ["data-theme"] });
  show();
  return made;
}

function languageButton() {
  const other = language === "zh" ? "en" : "zh";
  const made = button(other === "zh" ? "中文" : "English", null, () => {
    store.set("language", other);
    location.reload();
  }, { label: true });
  made.lang = other === "zh" ? "zh-CN" : "en";
  made.id = "language";
  return made;
}

function pageLink(name, href, iconName) {
  const link = el("a", { href, className: "f-button f-page" }, icon(iconName), el("span", {}, name));
  if (href === location.pathname) link.setAttribute("aria-current", "page");
  return link;
}

function leaveButton() {
  return button(t("log_out"), "leave", async () => {
    await logOut();
    store.forget();
    location.assign("/login");
  });
}

/** What depends on who is here: shown as it was last time, until the server has said who it is. */
async function showPerson(links, prefs) {
  let shown;
  const show = (me) => {
    if (JSON.stringify(me) === shown) return;
    shown = JSON.stringify(me);
    const account = me.login ? pageLink(me.name, "/account", "person") : pageLink(t("page_api"), "/account", "code");
    links.replaceChildren(account, pageLink(t("reads_short"), "/prompt", "tokens"), ...(me.role === "admin" ? [pageLink(t("page_admin"), "/admin", "pulse")] : []));
    prefs.replaceChildren(languageButton(), ...(me.login ? [leaveButton()] : []), themeButton());
  };
  show(JSON.parse(store.get("me") ?? "{}"));
  const { login, name, role } = await get("/api/me");
  store.set("me", JSON.stringify({ login, name, role }));
  show({ login, name, role });
}

export function sideFoot() {
  const links = el("div", { className: "f-links" });
  const prefs = el("div", { className: "f-prefs" });
  showPerson(links, prefs).catch(() => { /* the conversations tell that nobody answers */ });
  return el("div", { className: "f-side-foot" },
    el("div", { className: "f-pages" },
      pageLink(t("page_chat"), "/", "chat"),
      pageLink(t("page_complete"), "/complete", "text"),
      pageLink(t("page_compare"), "/compare", "columns"),
      pageLink(t("page_models"), "/models", "box")),
    links, prefs);
}
