// The chat page: joins log, composer, sidebar, gauge and the live events of the open conversation.
import { Live, get, post } from "./api.js";
import { Composer } from "./composer.js";
import { announce, language, notice, store, t } from "./dom.js";
import * as gauge from "./gauge.js";
import { Log } from "./log.js";
import * as models from "./models.js";
import * as options from "./options.js";
import * as sidebar from "./sidebar.js";

const open = { id: null, head: null, running: null }; // the conversation that this tab shows
let log;
let composer;
let live = null;
let busy = false;
let loadingEarlier = false;
let offline = null;

const view = (id, before = "") => get(`/view/conversations/${id}?lang=${language}&limit=60${before && "&before=" + before}`);

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

function setRunning(id) {
  open.running = id;
  composer.setRunning(Boolean(id));
  if (!id) gauge.measure(100);
}

/** Reads the conversation anew; what the page shows already stays in place. */
async function reload(id) {
  const found = await view(id);
  if (open.id !== id) return;
  open.head = found.head_id;
  log.show(found.messages, found.has_earlier);
  document.title = found.title ? `${found.title} · Falconry` : "Falconry";
  setRunning(found.running);
}

/** Shows a conversation, or with null the first screen of a new one. */
async function show(id, { push = false } = {}) {
  live?.close();
  live = null;
  connection(true);
  Object.assign(open, { id, head: null, running: null });
  const url = id ? `/?c=${id}` : "/";
  if (push) history.pushState(null, "", url);
  sidebar.showCurrent(id);
  await composer.open(id);
  if (id === null) {
    log.clear();
    document.title = "Falconry";
    setRunning(null);
  } else {
    log.stuck = true;
    try {
      await reload(id);
    } catch (error) {
      notice(error.message, { kind: "error" });
      if (error.code === "offline") return setTimeout(() => open.id === id && show(id), 2000);
      history.replaceState(null, "", "/");
      return show(null);
    }
    log.toBottom();
    if (open.id === id) live = new Live(id, handle, connection);
  }
  composer.focus();
}

function connection(up) {
  if (up) {
    clearTimeout(offline?.timer);
    offline?.remove?.();
    offline = null;
  } else if (!offline) {
    // Reconnecting takes about a second; only what takes longer is worth a word.
    offline = {};
    offline.timer = setTimeout(() => { offline.remove = notice(t("reconnecting"), { seconds: 0 }); }, 1200);
  }
}

async function handle(name, data) {
  if (name === "deleted") return show(null, { push: true });
  if (name === "state" || name === "changed") {
    const local = log.get(data.running);
    const stale = data.head_id !== open.head || (data.running && !local) || (!data.running && open.running);
    if (stale && !busy) await reload(open.id);
    document.title = data.title ? `${data.title} · Falconry` : "Falconry";
    setRunning(data.running);
    sidebar.refresh();
    return;
  }
  const id = name === "status" ? data.id : data.reply_id;
  if (!log.get(id)) await reload(open.id);
  const reply = log.get(id);
  if (!reply) return;
  if (name === "snapshot") reply.snapshot(data);
  if (name === "patch") reply.patch(data);
  if (name === "status") {
    reply.update(data);
    if (open.running === id) setRunning(null);
    models.learn().catch(console.error);
    announce(data.text ? `${t("assistant")}: ${data.text.slice(0, 600)}` : data.error_text ?? "");
  }
  if (data.left_out !== undefined) log.changed();
}

/** The page's form of a message from the API: a reply that has just begun, or what was just said. */
const fresh = (message) => ({ ...message, text: message.content, html: [], thinking_html: [], left_out: 0 });

async function send(text = composer.value) {
  await composer.ready;
  if (!text.trim() || busy || open.running) return;
  busy = true;
  await attempt(async () => {
    let id = open.id;
    if (!id) {
      const draft = composer.value;
      id = (await post("/api/conversations")).id;
      Object.assign(open, { id, head: null });
      history.replaceState(null, "", `/?c=${id}`);
      store.set(composer.key, "");
      await composer.open(id);
      composer.value = draft;
    }
    const { message, reply } = await post(`/api/conversations/${id}/replies`, { content: text, parent_id: open.head, ...options.request() });
    composer.value = "";
    if (open.id !== id) return;
    if (!log.get(message.id)) log.put(fresh(message));
    begin(reply);
    log.toBottom();
    live ??= new Live(id, handle, connection);
    sidebar.showCurrent(id);
  });
  busy = false;
  composer.focus();
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
  composer.focus(); // the button that had it is gone
}

const actions = {
  suggest: (text) => send(text),
  async regenerate(id) {
    if (busy || open.running) return;
    busy = true;
    await attempt(async () => {
      const { reply } = await post(`/api/replies/${id}/regenerate`, options.request());
      if (!log.get(reply.id)) log.cutAfter(reply.parent_id);
      begin(reply);
      log.toBottom();
    });
    busy = false;
  },
  async resume(id) {
    if (busy || open.running) return;
    await attempt(async () => {
      await post(`/api/replies/${id}/continue`);
      setRunning(id);
    });
  },
  putBack(questionId) {
    composer.value = log.get(questionId)?.message.text ?? "";
    composer.focus();
  },
  async earlier() {
    if (loadingEarlier || !open.id) return;
    loadingEarlier = true;
    const id = open.id;
    await attempt(async () => {
      const found = await view(id, log.first());
      if (open.id === id) log.prepend(found.messages, found.has_earlier);
    });
    loadingEarlier = false;
  },
};

/** "Clear console": box and log are empty; the old conversation stays in the sidebar. */
async function clear() {
  store.set(composer.key, "");
  store.set("draft.new", "");
  await show(null, { push: open.id !== null });
}

export async function mount(element) {
  log = new Log(element, actions);
  composer = new Composer({ send: () => send(), stop, clear, changed: () => gauge.measure() });
  gauge.connect(() => ({
    id: open.id,
    draft: composer.value,
    running: open.running,
    last: log.last?.message.role === "assistant" ? log.last.message.id : null,
  }));
  sidebar.connect(show);
  const from_url = () => new URLSearchParams(location.search).get("c");
  window.addEventListener("popstate", () => show(from_url()));
  await show(from_url());
}
