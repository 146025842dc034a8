// The chat page's own shortcuts. Those without an action are handled where they belong, and stand in the sheet.
import { t } from "./dom.js";
import * as options from "./options_panel.js";
import { register } from "./shortcuts.js";
import * as sidebar from "./sidebar.js";

/** A button of the newest reply, by its name. */
function pressed(name) {
  const found = [...document.querySelectorAll(`.f-reply [aria-label="${CSS.escape(name)}"]`)].at(-1);
  if (found && !found.closest("[hidden]")) found.click();
}

export function registerAll(composer) {
  const chat = (name, keys, action) => register({ name, keys, action, group: "chat" });
  const page = (name, keys, action) => register({ name, keys, action, group: "page" });
  chat(t("submit"), ["Enter", "Mod+Enter"]);
  chat(t("shortcut_line"), "Shift+Enter");
  chat(t("shortcut_stop"), "Escape");
  chat(t("shortcut_edit_last"), "ArrowUp");
  chat(t("shortcut_prompts"), "/");
  chat(t("shortcut_personas"), "@");
  chat(t("files_attach"), "Alt+Shift+U", () => composer.attaching.click());
  chat(t("shortcut_regenerate"), "Alt+Shift+R", () => pressed(t("regenerate")));
  chat(t("shortcut_copy"), "Alt+Shift+C", () => pressed(t("copy")));
  page(t("new_chat"), "Alt+Shift+N", () => sidebar.newChat());
  page(t("shortcut_search"), ["Mod+K", "/"]);
  page(t("shortcut_focus"), "Alt+Shift+P", () => composer.box.focus());
  page(t("shortcut_sidebar"), "Alt+Shift+S", () => sidebar.toggle());
  page(t("shortcut_options"), "Alt+Shift+O", () => options.toggle());
  page(t("shortcut_theme"), "Alt+Shift+L", () => sidebar.switchTheme());
}
