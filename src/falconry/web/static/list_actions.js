// What can be done with a conversation or a folder of the left side: the entries of their menus, and what they do.
import { announce, button, dialog, el, notice, t } from "./dom.js";
import * as store from "./conversation_store.js";
import { editInPlace } from "./edit_in_place.js";
import { rows, sectionOf } from "./list_sections.js";
import { openMenu } from "./menu.js";
import * as transfer from "./transfer.js";

const UNDO_SECONDS = 10;
let trashed = []; // what Undo would bring back
let offered = {}; // the notice that says so
let chat; // {open, current} of the chat page

export const connect = (page) => { chat = page; };

export async function rename(row) {
  const { id, title } = row.conversation;
  const text = await editInPlace(row.link, title, { label: t("rename") });
  if (text !== null) await store.rename(id, text);
}

export function pin({ id, pinned }) {
  announce(t(pinned ? "unpinned" : "pinned_now"));
  return store.pin(id, !pinned);
}

export async function move({ id }, folder) {
  announce(folder ? t("moved_to", { name: folder.name }) : t("moved_out"));
  await store.move(id, folder?.id ?? null);
}

/** Asks for a name, makes the folder, and moves a conversation into it where there is one. */
export function newFolder(conversation = null) {
  const name = el("input", { type: "text", maxLength: 100, id: "folder-name", autocomplete: "off" });
  const make = el("button", { type: "submit", className: "f-press" }, t("create"));
  const form = el("form", { className: "f-row" }, name, make);
  name.setAttribute("aria-label", t("folder_name"));
  const asked = dialog(t("new_folder"), form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!name.value.trim()) return name.focus();
    asked.close();
    const folder = await store.createFolder(name.value.trim());
    if (folder && conversation) await move(conversation, folder);
    sectionOf(`folder-${folder?.id}`)?.element.scrollIntoView({ block: "nearest" });
  });
  name.focus();
}

function moveEntries(conversation) {
  return [
    ...store.state.folders.map((folder) => ({
      name: folder.name,
      icon: "folder",
      checked: folder.id === conversation.folder_id,
      run: () => move(conversation, folder),
    })),
    ...(conversation.folder_id ? [{ name: t("no_folder"), icon: "close", run: () => move(conversation, null) }] : []),
    { name: t("new_folder"), icon: "plus", run: () => newFolder(conversation) },
  ];
}

export function rowMenu(row, anchor) {
  const { conversation } = row;
  openMenu(anchor, [
    { name: t("rename"), icon: "edit", run: () => rename(row) },
    { name: t(conversation.pinned ? "unpin" : "pin"), icon: "pin", run: () => pin(conversation) },
    { name: t("move_to_folder"), icon: "folder", entries: () => moveEntries(conversation) },
    null,
    ...transfer.menu(conversation),
    null,
    { name: t("delete_conversation"), icon: "trash", danger: true, run: () => remove(conversation) },
  ], { label: t("conversation_menu", { title: store.titleOf(conversation) }) });
}

/** Into the trash, with a word that brings it back; several at a time are one word. */
export async function remove(conversation) {
  const entry = { wasOpen: chat?.current === conversation.id, removed: store.remove(conversation.id) };
  trashed.push(entry);
  offerUndo();
  if (await entry.removed) return;
  trashed = trashed.filter((other) => other !== entry);
  offerUndo();
}

function offerUndo() {
  clearTimeout(offered.timer);
  offered.takeAway?.();
  offered = {};
  if (!trashed.length) return;
  offered.takeAway = notice(t("deleted", { count: trashed.length }), { seconds: 0, action: { name: t("undo"), run: undo } });
  offered.timer = setTimeout(() => {
    trashed = [];
    offerUndo();
  }, UNDO_SECONDS * 1000);
}

export async function undo() {
  const entries = trashed;
  trashed = [];
  offerUndo();
  const removed = await Promise.all(entries.map((entry) => entry.removed)); // which may be under way
  const restored = removed.filter(Boolean).map((conversation) => store.restore(conversation)); // which shows it at once
  if (document.activeElement === document.body) focusRow(removed.findLast(Boolean)?.id); // the button is gone
  await Promise.all(restored);
  if (entries.length) announce(t("restored", { count: entries.length }));
  const shown = removed.find((conversation, index) => conversation && entries[index].wasOpen);
  if (shown && chat?.open && chat.current === null) chat.open(shown.id, { push: true });
}

const focusRow = (id) => rows().find((row) => row.conversation.id === id)?.link.focus();

export function folderMenu(section, anchor) {
  const { folder } = section;
  openMenu(anchor, [
    { name: t("rename"), icon: "edit", run: () => renameFolder(section) },
    { name: t("delete_folder"), icon: "trash", danger: true, run: () => removeFolder(folder) },
  ], { label: t("folder_menu", { name: folder.name }) });
}

export async function renameFolder({ folder, toggle }) {
  const name = await editInPlace(toggle, folder.name, { label: t("folder_name"), maxLength: 100 });
  if (name !== null) await store.renameFolder(folder.id, name);
}

/** Its conversations stay; so only where there are some is there something to say. */
export function removeFolder(folder) {
  if (!folder.count) return store.removeFolder(folder.id);
  const really = button(t("delete_folder"), "trash", () => {
    asked.close();
    store.removeFolder(folder.id);
  }, { label: true, className: "f-solid f-danger" });
  const asked = dialog(t("delete_folder"), el("p", {}, t("delete_folder_note", { name: folder.name, count: folder.count })), el("div", { className: "f-row f-end-row" }, really));
  return really.focus();
}
