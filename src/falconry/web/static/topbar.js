// The buttons at the left of the top bar: they open and close the left side, and stand in for it while it is closed.
import { button, t } from "./dom.js";
import { isOpen, newChat, toggle } from "./sidebar.js";

export function mount(element) {
  const menu = button(t("menu"), "menu", () => toggle());
  menu.id = "menu";
  const fresh = button(t("new_chat"), "plus", () => newChat());
  fresh.id = "new-chat-top";
  const tell = () => {
    menu.setAttribute("aria-expanded", isOpen());
    fresh.hidden = isOpen();
  };
  new MutationObserver(tell).observe(document.documentElement, { attributeFilter: ["data-side", "data-drawer"] });
  matchMedia("(max-width: 899px)").addEventListener("change", tell);
  tell();
  element.replaceChildren(menu, fresh);
}
