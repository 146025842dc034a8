// What can be done with a conversation or a folder of the left side: the entries of their menus, and what they do.
import { announce, button, dialog, el, notice, t } from "./dom.js";
import * as store from "./conversation_store.js";
import { editInPlace } from "./edit_in_place.js";
import { sectionOf } from "./list_sections.js";
import { openMenu } from "./menu.js";
import * as transfer from "./transfer.js";

const UNDO_SECONDS = 10;
const trashed = { conversations: [], timer: null, gone: null }; // what Undo would bring back
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
  const make = button(t("create"), null, null, { label: true, className: "f-solid" });
  make.type = "submit";
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
  const wasOpen = chat?.current === conversation.id;
  const removed = await store.remove(conversation.id);
  if (!removed) return;
  trashed.conversations.push({ ...removed, wasOpen });
  trashed.gone?.();
  clearTimeout(trashed.timer);
  const forget = () => {
    trashed.gone?.();
    Object.assign(trashed, { conversations: [], gone: null });
  };
  trashed.timer = setTimeout(forget, UNDO_SECONDS * 1000);
  trashed.gone = notice(t("deleted", { count: trashed.conversations.length }), { seconds: 0, action: { name: t("undo"), run: undo } });
}

export async function undo() {
  const { conversations, gone, timer } = trashed;
  clearTimeout(timer);
  gone?.();
  Object.assign(trashed, { conversations: [], gone: null });
  await Promise.all(conversations.map((conversation) => store.restore(conversation)));
  if (conversations.length) announce(t("restored", { count: conversations.length }));
  const shown = conversations.find(({ wasOpen }) => wasOpen);
  if (shown && chat?.open && chat.current === null) chat.open(shown.id, { push: true });
}

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
