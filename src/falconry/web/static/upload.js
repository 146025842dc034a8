// Sends files to the server, two at a time, with their progress.
import { Refused, get } from "./api.js";
import { fileSize, language, t } from "./dom.js";

const AT_ONCE = 2;
const waiting = [];
let running = 0;
let known = null;

/** What one message may have, and the files that no message has taken along yet: {limits, attachments}. */
export function limits() {
  known ??= get("/api/attachments").then(({ limits: found }) => found);
  known.catch(() => { known = null; });
  return known;
}

/** The ids of files that are uploaded and not sent, of all drafts. */
export async function unsent() {
  return new Set((await get("/api/attachments")).attachments.map(({ id }) => id));
}

/** Sends the file that `make` gives. Gives {done, abort}: a promise of what the server made of it, and a way to give up. */
export function upload(make, onProgress) {
  const job = { make, onProgress, request: new XMLHttpRequest(), given_up: false };
  const done = new Promise((resolve, reject) => Object.assign(job, { resolve, reject }));
  waiting.push(job);
  next();
  const abort = () => {
    job.given_up = true;
    job.request.abort();
  };
  return { done, abort };
}

function next() {
  while (running < AT_ONCE && waiting.length) {
    const job = waiting.shift();
    if (job.given_up) continue;
    running += 1;
    send(job).then(job.resolve, job.reject).finally(() => {
      running -= 1;
      next();
    });
  }
}

async function send(job) {
  const { make, onProgress, request } = job;
  const { bytes } = await limits();
  const file = await make();
  if (job.given_up) throw new DOMException("given up", "AbortError");
  // A server that refuses a large body hangs up, which a browser cannot tell from a server that is gone.
  if (file.size > bytes) throw new Refused("request_too_large", t("file_too_large", { size: fileSize(file.size), limit: fileSize(bytes) }));
  request.open("POST", `/api/attachments?name=${encodeURIComponent(file.name)}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("Accept-Language", language === "zh" ? "zh-CN" : "en");
  request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
  await new Promise((resolve, reject) => {
    request.onload = resolve;
    request.onerror = () => reject(new Refused("offline", t("offline")));
    request.onabort = () => reject(new DOMException("given up", "AbortError"));
    request.send(file);
  });
  return answer(request);
}

function answer({ status, responseText }) {
  let body = {};
  try { body = JSON.parse(responseText); } catch { /* a proxy's own page */ }
  if (status === 201) return body;
  const { error } = body;
  if (error?.code === "not_authenticated") location.assign("/login?next=" + encodeURIComponent(location.pathname + location.search));
  throw new Refused(error?.code ?? "http_error", error?.text || t("failed_http", { status }), error?.details);
}
