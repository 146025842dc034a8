// "Recently deleted": what can be had back, and what shall go for good.
import { post, send } from "./api.js";
import { announce, button, dialog, el, language, notice, t } from "./dom.js";
import { Listing, refresh, titleOf } from "./conversation_store.js";
import { arrange } from "./list_sections.js";

const when = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en", { dateStyle: "medium", timeStyle: "short" });

export async function open() {
  const listing = new Listing({ deleted: "true" });
  const list = el("ul", { className: "f-trash" });
  const entries = new Map(); // by id; they stay, so that what has been pressed once stays pressed
  const more = button(t("show_more"), null, () => show(() => listing.more()), { label: true, className: "f-solid" });
  const empty = button(t("empty_trash"), "trash", () => sure(empty, t("really_empty_trash"), () => show(() => removeAll(listing))), { label: true, className: "f-solid f-danger" });
  const note = el("p", { className: "f-muted" }, t("trash_note"));
  const shown = dialog(t("recently_deleted"), note, list, el("div", { className: "f-row" }, more, empty));

  /** Does something with the list, and shows what it is then. */
  async function show(action) {
    try {
      await action();
    } catch (error) {
      notice(error.message, { kind: "error" });
    }
    arrange(list, listing.items.map((conversation) => {
      if (!entries.has(conversation.id)) entries.set(conversation.id, entry(conversation, listing, show));
      return entries.get(conversation.id);
    }));
    note.textContent = listing.items.length ? t("trash_note") : t("trash_empty");
    more.hidden = !listing.next;
    empty.hidden = !listing.items.length;
    if (!shown.contains(document.activeElement)) (list.querySelector("button") ?? shown.querySelector("header button")).focus();
  }

  await show(() => listing.more());
}

/** The first press asks, the second one does it. */
function sure(pressed, question, action) {
  if (pressed.dataset.sure) return action();
  const label = pressed.querySelector("span");
  const text = label.textContent;
  pressed.dataset.sure = "1";
  label.textContent = question;
  announce(question);
  pressed.addEventListener("blur", () => {
    delete pressed.dataset.sure;
    label.textContent = text;
  }, { once: true });
  return undefined;
}

function entry(conversation, listing, show) {
  const title = titleOf(conversation);
  const act = (ask) => show(async () => {
    await ask();
    listing.drop(conversation.id);
    refresh();
  });
  const path = `/api/conversations/${conversation.id}`;
  const restore = button(t("restore"), "again", () => act(() => post(`${path}/restore`)), { label: true });
  const forever = button(t("delete_forever"), "trash", () => sure(forever, t("really_delete"), () => act(() => send("DELETE", `${path}?forever=true`))), { label: true, className: "f-danger" });
  for (const made of [restore, forever]) made.setAttribute("aria-describedby", `trashed-${conversation.id}`);
  return el("li", {},
    el("span", { id: `trashed-${conversation.id}` }, el("span", { className: "f-title", dir: "auto" }, title),
      el("time", { className: "f-muted", dateTime: conversation.deleted_at }, when.format(new Date(conversation.deleted_at)))),
    restore, forever);
}

async function removeAll(listing) {
  do {
    while (listing.items.length) {
      await send("DELETE", `/api/conversations/${listing.items[0].id}?forever=true`);
      listing.items.shift();
    }
    await listing.more();
  } while (listing.items.length);
}
