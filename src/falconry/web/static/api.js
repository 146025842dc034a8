// The programs' API and the live view, as the page asks them.
import { language, locale, notice, t } from "./dom.js";

/** What went wrong, in the page's language. `code` as in falconry.errors; "offline" where nobody answered. */
export class Refused extends Error {
  constructor(code, text, details = {}) {
    super(text);
    Object.assign(this, { code, details });
  }
}

let leaving = false;

/** Logs out. What is still on its way is refused then, and that leads nowhere. */
export async function logOut() {
  leaving = true;
  try {
    await ask("POST", "/logout");
  } catch (error) {
    leaving = false;
    throw error;
  }
}

async function ask(method, path, body, options = {}) {
  const headers = { "Accept-Language": locale };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("offline", t("offline"));
  }
  if (response.ok) return response;
  const { error } = await response.json().catch(() => ({}));
  if (error?.code === "not_authenticated" && !leaving) location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
  throw new Refused(error?.code ?? "http_error", error?.text || error?.message || t("failed_http", { status: response.status }), error?.details);
}

/** An answer's body; one that is cut off is as good as none. */
async function whole(response, form = "json") {
  const body = await response.text().catch(() => { throw new Refused("offline", t("offline")); });
  return form === "json" ? JSON.parse(body) : body;
}

export const get = async (path) => whole(await ask("GET", path));
export const post = async (path, body = {}) => whole(await ask("POST", path, body));
export const put = async (path, body = {}) => whole(await ask("PUT", path, body));
export const patch = async (path, body = {}) => whole(await ask("PATCH", path, body));
/** A DELETE that tells how things stand now; null where it tells nothing. */
export const remove = async (path) => {
  const response = await ask("DELETE", path);
  return response.status === 204 ? null : whole(response);
};
/** What is no JSON: the text of a file. */
export const getText = async (path) => whole(await ask("GET", path), "text");
/** For routes that answer with nothing, or with something that nobody wants to know. */
export const send = async (method, path, body) => void (await ask(method, path, body));

/** A POST that answers with server-sent events: yields [name, data]. */
export async function* postEvents(path, body, signal) {
  const response = await ask("POST", path, body, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const name = /^event: ?(.*)$/m.exec(part)?.[1];
      const data = /^data: ?(.*)$/m.exec(part)?.[1];
      if (name && data) yield [name, JSON.parse(data)];
    }
  }
}

let lost = null; // {timer, remove} while there is no connection

/** Says that the connection is lost. Reconnecting takes about a second; only what takes longer is worth a word. */
export function connection(up) {
  if (up) {
    clearTimeout(lost?.timer);
    lost?.remove?.();
    lost = null;
  } else if (!lost) {
    lost = {};
    lost.timer = setTimeout(() => { lost.remove = notice(t("reconnecting"), { seconds: 0 }); }, 1200);
  }
}

/**
 * The events of one conversation, or with null those of the list of conversations alone, or of what has a path of its
 * own; one connection per tab. It is let go after 30 s in the background, since a browser opens no more than six to one
 * host, and taken up again when the tab is seen; the server then tells how things stand.
 */
export class Live {
  constructor(id, handle, onConnection) {
    this.id = id;
    this.handle = handle;
    this.onConnection = onConnection;
    this.order = Promise.resolve();
    this.onVisibility = () => this.visibility();
    document.addEventListener("visibilitychange", this.onVisibility);
    this.open();
  }

  open() {
    if (this.closed || this.source) return;
    const own = this.id?.startsWith("/") ? this.id : `/view/conversations/${this.id}/events`;
    const path = this.id ? own : "/view/events";
    const source = new EventSource(`${path}?lang=${language}`);
    this.source = source;
    source.onopen = () => {
      this.onConnection(true);
      this.order = this.order.then(() => this.closed || this.handle("list", {})).catch(console.error); // it may have changed before
    };
    source.onerror = () => {
      this.onConnection(false);
      if (source.readyState === EventSource.CLOSED) this.retry(); // refused; otherwise the browser tries again
    };
    for (const name of ["state", "changed", "snapshot", "patch", "status", "deleted", "list", "models", "files", "downloads"]) {
      source.addEventListener(name, (event) => {
        const data = JSON.parse(event.data);
        // One after the other: to handle one may take a request.
        this.order = this.order.then(() => this.closed || this.handle(name, data)).catch(console.error);
      });
    }
  }

  retry() {
    this.let_go();
    this.timer = setTimeout(() => this.open(), 1500);
  }

  visibility() {
    clearTimeout(this.timer);
    if (document.hidden) this.timer = setTimeout(() => this.let_go(), 30_000);
    else this.open();
  }

  let_go() {
    this.source?.close();
    this.source = null;
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.let_go();
  }
}
