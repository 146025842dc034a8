// What the left side knows of conversations and folders, and what it can do with them. Changes are shown at once and
// told to the server; what the server says afterwards has the last word.
import { get, patch, post, send } from "./api.js";
import { notice, store, t } from "./dom.js";

const PAGE = 100;
const MOST = 1000; // that one request gives

/** Conversations of one kind, newest first, as far as they have been read. */
export class Listing {
  constructor(query = {}) {
    this.query = query;
    this.items = [];
    this.next = undefined; // not read yet; null: read to the end
  }

  /** The first `count` of them, or what there is: `{items, next}`. */
  async read(count) {
    const items = [];
    let next = "";
    do {
      const found = await this.page(next, Math.min(MOST, Math.max(PAGE, count - items.length)));
      items.push(...found.conversations);
      next = found.next ?? null;
    } while (next && items.length < count);
    return { items, next };
  }

  page(before, limit) {
    const query = new URLSearchParams({ ...this.query, limit: String(limit), ...(before && { before }) });
    return get(`/api/conversations?${query}`);
  }

  async more() {
    const { conversations, next } = await this.page(this.next ?? "", PAGE);
    const known = new Set(this.items.map(({ id }) => id));
    this.items.push(...conversations.filter(({ id }) => !known.has(id)));
    this.next = next ?? null;
  }

  /** Puts a conversation where it belongs; not where nobody has read yet. */
  put(conversation) {
    const { pinned, updated_at } = conversation;
    const at = this.items.findIndex((other) => (other.pinned === pinned ? other.updated_at < updated_at : pinned));
    if (at >= 0) this.items.splice(at, 0, conversation);
    else if (!this.next) this.items.push(conversation);
  }

  drop(id) {
    this.items = this.items.filter((conversation) => conversation.id !== id);
  }
}

export const state = { main: new Listing(), folders: [], closed: new Set(JSON.parse(store.get("folders.closed") ?? "[]")) };
const inFolder = new Map(); // folder's id to its Listing
const listeners = new Set();
let epoch = 0; // grows whenever something is changed here, so that what was read before is not shown after
let wanted = false;
let reading = null;
let resting = false;
let seen = PAGE; // how many of the main list are worth reading again

export const onChange = (listener) => listeners.add(listener);
const tell = () => listeners.forEach((listener) => listener());

/** A folder's conversations; read when they are first asked for. */
export function folderList(id) {
  if (!inFolder.has(id)) {
    inFolder.set(id, new Listing({ folder_id: id }));
    refresh();
  }
  return inFolder.get(id);
}

/** Everything that is known of a conversation, wherever it stands. */
const places = (id) => [state.main, ...inFolder.values()].filter((listing) => listing.items.some((item) => item.id === id));
export const find = (id) => places(id)[0]?.items.find((item) => item.id === id);

/** Reads everything anew that is shown. News come in bursts and a long list takes its time, so there is a rest between. */
export function refresh(rows = seen) {
  seen = rows;
  wanted = true;
  if (!reading && !resting) reading = readAnew().finally(() => { reading = null; });
}

async function readAnew() {
  const began = performance.now();
  const known = epoch;
  wanted = false;
  try {
    const read = await readAll();
    if (known === epoch) show(read);
    else wanted = true;
  } catch (error) {
    if (error.code === undefined) throw error; // that nobody answers is told elsewhere
  }
  resting = true;
  setTimeout(() => {
    resting = false;
    if (wanted) refresh();
  }, Math.min(5000, 50 + 4 * (performance.now() - began)));
}

async function readAll() {
  const opened = [...inFolder].filter(([id]) => !state.closed.has(id));
  const [main, { folders }, ...lists] = await Promise.all([
    state.main.read(seen),
    get("/api/folders"),
    ...opened.map(([, listing]) => listing.read(listing.items.length).catch(() => null)), // deleted meanwhile
  ]);
  return { main, folders, lists: lists.map((list, index) => [opened[index][1], list]) };
}

function show({ main, folders, lists }) {
  Object.assign(state.main, main);
  state.folders = folders;
  for (const id of inFolder.keys()) if (!folders.some((folder) => folder.id === id)) inFolder.delete(id);
  for (const [listing, list] of lists) Object.assign(listing, list ?? {});
  tell();
}

/** The next page of a list. */
export async function more(listing) {
  listing.loading = true;
  const known = epoch;
  try {
    await reading; // it replaces the list
    await listing.more();
    if (listing === state.main) seen = Math.max(seen, listing.items.length);
    if (known !== epoch) refresh();
  } catch (error) {
    listing.next = null; // until the list is read anew
    if (error.code === undefined) throw error;
  } finally {
    listing.loading = false;
  }
  tell();
}

/** Shows a change, asks the server for it, and says where it refuses. Gives the answer, or null. */
async function change(shown, ask) {
  epoch += 1;
  shown();
  tell();
  try {
    return await ask();
  } catch (error) {
    notice(error.message, { kind: "error" });
    return null;
  } finally {
    epoch += 1;
    refresh();
  }
}

const path = (id) => `/api/conversations/${id}`;

function update(id, values) {
  for (const listing of places(id)) {
    listing.items = listing.items.map((item) => (item.id === id ? { ...item, ...values } : item));
  }
}

export const rename = (id, title) =>
  change(() => update(id, { title, titled_by: "person" }), () => patch(path(id), { title }));

export const pin = (id, pinned) => change(() => update(id, { pinned }), () => patch(path(id), { pinned }));

const count = (folderId, by) => {
  state.folders = state.folders.map((folder) => (folder.id === folderId ? { ...folder, count: folder.count + by } : folder));
};

export function move(id, folderId) {
  const conversation = find(id);
  if (!conversation || conversation.folder_id === folderId) return null;
  const shown = () => {
    inFolder.get(conversation.folder_id)?.drop(id);
    count(conversation.folder_id, -1);
    update(id, { folder_id: folderId });
    inFolder.get(folderId)?.put({ ...conversation, folder_id: folderId });
    count(folderId, 1);
  };
  return change(shown, () => patch(path(id), { folder_id: folderId }));
}

/** Puts a conversation into the trash. Gives it, to be put back, or null where the server refused. */
export async function remove(id) {
  const conversation = find(id);
  const shown = () => {
    for (const listing of places(id)) listing.drop(id);
    count(conversation?.folder_id, -1);
  };
  const done = await change(shown, () => send("DELETE", path(id)).then(() => true));
  return done && (conversation ?? { id });
}

export function restore(conversation) {
  const shown = () => {
    if (!conversation.updated_at) return;
    state.main.put(conversation);
    inFolder.get(conversation.folder_id)?.put(conversation);
    count(conversation.folder_id, 1);
  };
  return change(shown, () => post(`${path(conversation.id)}/restore`));
}

/** Makes a folder. Gives it, or null. */
export async function createFolder(name) {
  const made = await change(() => {}, () => post("/api/folders", { name }));
  if (made) {
    state.folders = [...state.folders.filter(({ id }) => id !== made.id), { count: 0, ...made }];
    tell();
  }
  return made;
}

export const renameFolder = (id, name) =>
  change(
    () => { state.folders = state.folders.map((folder) => (folder.id === id ? { ...folder, name } : folder)); },
    () => patch(`/api/folders/${id}`, { name }),
  );

export function removeFolder(id) {
  const shown = () => {
    state.folders = state.folders.filter((folder) => folder.id !== id);
    state.main.items = state.main.items.map((item) => (item.folder_id === id ? { ...item, folder_id: null } : item));
    inFolder.delete(id);
  };
  return change(shown, () => send("DELETE", `/api/folders/${id}`));
}

export function setClosed(id, closed) {
  state.closed[closed ? "add" : "delete"](id);
  store.set("folders.closed", state.closed.size ? JSON.stringify([...state.closed]) : null);
  if (!closed) refresh();
  tell();
}

/** How a conversation is called. */
export const titleOf = ({ title }) => title || t("untitled");
