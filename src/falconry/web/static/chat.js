// The chat page: joins log, composer, sidebar, gauge and the live events of the open conversation.
import { Live, connection, get, post, remove } from "./api.js";
import { Composer } from "./composer.js";
import { announce, language, notice, t } from "./dom.js";
import * as gauge from "./gauge.js";
import { Log } from "./log.js";
import { messageActions, revealed } from "./message_actions.js";
import * as models from "./models.js";
import * as options from "./options.js";
import * as sidebar from "./sidebar.js";

const open = { id: null, head: null, running: null }; // the conversation that this tab shows
let log;
let composer;
let live = null;
let shown = null; // the promise of the conversation that is being opened
let busy = false;
let visits = 0; // of conversations, so that a slow one that was left does not come up later

/** A page of messages: the newest, those `before` one, or those `around` one. */
const view = (id, query = {}) =>
  get(`/view/conversations/${id}?${new URLSearchParams({ lang: language, limit: 60, ...query })}`);

/** Runs something that may be refused, and says so. */
async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    notice(error.message, { kind: "error", seconds: 12 });
    if (["stale_conversation", "reply_running"].includes(error.code) && open.id) await reload(open.id).catch(console.error);
    return null;
  }
}

/** The same for what changes the conversation: one at a time, and never while a reply is written. */
async function once(action) {
  if (busy) return null;
  if (open.running) {
    notice(t("wait_for_reply"), { seconds: 4 });
    return null;
  }
  busy = true;
  const result = await attempt(action);
  busy = false;
  return result;
}

function setRunning(id) {
  open.running = id;
  composer.setRunning(Boolean(id));
  if (!id) gauge.measure(100);
}

function setTitle(title) {
  document.title = title ? `${title} · Falconry` : "Falconry";
  log.heading.textContent = title || t("untitled");
}

function adopt(found) {
  open.head = found.head_id;
  setTitle(found.title);
  setRunning(found.running);
}

/** Reads the conversation anew; what the page shows already stays in place. */
async function reload(id, { toEnd = false, around = null } = {}) {
  const place = around ?? (log.hasLater && !toEnd ? log.inSight : null);
  const found = await view(id, place ? { around: place } : {});
  if (open.id !== id) return;
  log.show(found);
  adopt(found);
}

/** Goes to a message of the open conversation, on whichever branch it is. */
async function jumpTo(message) {
  const { id } = open;
  if (!log.get(message)) {
    const found = await revealed(page, id, message);
    if (open.id !== id) return;
    log.stuck = false;
    log.show(found);
    adopt(found);
  }
  log.mark(message);
}

/** Shows a conversation, or with null the first screen of a new one; with `message` at that one. */
const show = (...where) => (shown = showNow(...where));

async function showNow(id, { push = false, message = null } = {}) {
  const url = id ? `/?c=${id}${message ? `&m=${message}` : ""}` : "/";
  if (push) history.pushState(null, "", url);
  if (id && id === open.id && message) return attempt(() => jumpTo(message));
  const visit = ++visits;
  live?.close();
  live = null;
  connection(true);
  Object.assign(open, { id, head: null, running: null });
  sidebar.showCurrent(id);
  const drafted = composer.open(id);
  if (id === null) {
    log.clear();
    setTitle("");
    setRunning(null);
    options.restore(null);
  } else {
    log.stuck = !message;
    try {
      await (message ? jumpTo(message) : reload(id, { toEnd: true }));
    } catch (error) {
      if (visit !== visits) return null;
      notice(error.message, { kind: "error" });
      if (error.code === "offline") return setTimeout(() => visit === visits && show(id, { message }), 2000);
      history.replaceState(null, "", message ? `/?c=${id}` : "/");
      return show(message ? id : null);
    }
    if (visit !== visits) return null;
    if (!message) log.toBottom();
    restore().catch(console.error);
  }
  live = new Live(id, handle, connection);
  await drafted;
  if (!message) composer.focus();
  return null;
}

/** With what the conversation was last answered is with what it goes on: persona, system message, params. */
async function restore() {
  const newest = [...log.turns.values()].findLast(({ message }) => message.role === "assistant");
  const { id } = open;
  if (!newest) return options.restore(null);
  const reply = await get(`/api/replies/${newest.message.id}`);
  if (open.id === id) options.restore(reply);
}

async function handle(name, data) {
  if (name === "list") return sidebar.refresh();
  if (name === "deleted") return show(null, { push: true });
  if (name === "state" || name === "changed") {
    const local = log.get(data.running);
    const stale = data.head_id !== open.head || (data.running && !local && !log.hasLater) || (!data.running && open.running);
    if (stale && !busy) await reload(open.id);
    setTitle(data.title);
    return setRunning(data.running);
  }
  const id = name === "status" ? data.id : data.reply_id;
  if (!log.get(id) && !log.hasLater) await reload(open.id);
  const reply = log.get(id);
  if (name === "snapshot") reply?.snapshot(data);
  if (name === "patch") reply?.patch(data);
  if (name === "status") {
    reply?.update({ ...data, versions: data.versions ?? reply.message.versions });
    if (open.running === id) setRunning(null);
    models.learn().then(() => reply?.message.model === models.current() && reply.setUnheard(options.unheard())).catch(console.error);
    announce(data.text ? `${t("assistant")}: ${data.text.slice(0, 600)}` : data.error_text ?? "");
  }
  if (data.left_out !== undefined) log.changed();
  return null;
}

/** The page's form of a message from the API: a reply that has just begun, or what was just said. */
const fresh = (message) => ({ ...message, text: message.content, html: [], thinking_html: [], left_out: 0 });

const send = () => ask(composer.value, composer.attachments);

/** Sends a message, in a new conversation where none is open. What is in the box goes only when it has arrived. */
async function ask(text, attachments) {
  await composer.ready;
  await shown; // before, it is not known what the message follows
  if ((!text.trim() && !attachments.length) || busy || open.running) return;
  busy = true;
  const before = open.id;
  await attempt(async () => {
    if (log.hasLater) await reload(before, { toEnd: true });
    const id = before ?? (await post("/api/conversations")).id;
    const files = attachments.length ? { attachments: attachments.map((file) => file.id) } : {};
    const body = { ...options.request(), content: text, parent_id: open.head, ...files };
    const { message, reply } = await post(`/api/conversations/${id}/replies`, body).catch(async (error) => {
      if (!before) await remove(`/api/conversations/${id}?forever=true`).catch(() => { /* it stays behind, empty */ });
      throw error;
    });
    if (open.id !== before) return;
    composer.take();
    if (!before) await opened(id);
    asked(message, reply);
    log.toBottom();
  });
  busy = false;
  composer.focus();
}

/** The conversation that has just been created is the open one. */
async function opened(id) {
  live?.close();
  Object.assign(open, { id, head: null });
  history.replaceState(null, "", `/?c=${id}`);
  await composer.open(id);
  live = new Live(id, handle, connection);
  sidebar.showCurrent(id);
}

function asked(message, reply) {
  if (!log.get(message.id)) log.put(fresh(message));
  begin(reply);
}

function begin(reply) {
  open.head = reply.id;
  const known = log.get(reply.id); // a quick reply's events may have come before the answer to our request
  if (known && known.message.status !== "running") return;
  if (!known) log.put(fresh(reply));
  setRunning(reply.id);
}

async function stop() {
  if (!open.running) return;
  await attempt(() => post(`/api/replies/${open.running}/stop`));
  // The button that had the focus is gone; whoever has gone on to something else keeps it.
  if (document.activeElement === document.body || document.activeElement?.closest("#stop")) composer.focus();
}

/** "Clear console": box and log are empty; the old conversation stays in the sidebar. */
async function clear() {
  composer.take();
  await show(null, { push: open.id !== null });
  composer.take();
}

const page = { open, log: () => log, composer: () => composer, attempt, once, view, reload, begin, asked, jumpTo, setRunning };
const actions = { ...messageActions(page), suggest: (text) => ask(text, []) };

export async function mount(element) {
  log = new Log(element, actions);
  composer = new Composer({ send, stop, clear, changed: () => gauge.measure(), blind: models.blind });
  models.onChoice(() => composer.refresh());
  gauge.connect(() => ({
    id: open.id,
    draft: composer.value,
    attachments: composer.attachments,
    running: open.running,
    last: log.last?.message.role === "assistant" ? log.last.message.id : null,
  }));
  sidebar.connect(show);
  const asked_for = () => {
    const query = new URLSearchParams(location.search);
    return [query.get("c"), { message: query.get("m") }];
  };
  window.addEventListener("popstate", () => show(...asked_for()));
  await show(...asked_for());
}
