// Conversations as files and as links: export, import, and sharing with people who have no login.
import { get, post, Refused, send } from "./api.js";
import { announce, button, dialog, el, icon, language, locale, store, t } from "./dom.js";
import { ago, attempt, code } from "./forms.js";

const address = (path, format) => `${path}/export?format=${format}&lang=${language}`;
const me = () => JSON.parse(store.get("me") ?? "{}");

/** Entries of a conversation's menu. */
export function menu({ id, title }) {
  const path = `/api/conversations/${id}`;
  return [
    { name: t("export_markdown"), icon: "download", href: address(path, "markdown"), download: "" },
    { name: t("export_json"), icon: "download", href: address(path, "json"), download: "" },
    ...(me().login ? [{ name: t("share_link"), icon: "link", run: () => openShare({ id, title }) }] : []),
  ];
}

/** What a press downloads. */
function downloadLink(name, href) {
  return el("a", { className: "f-button f-solid", href, download: "" }, icon("download"), el("span", {}, name));
}

/** Everything, as a file to keep or to read. */
export function openExport() {
  const links = [downloadLink("JSON", address("/api", "json")), downloadLink("Markdown", address("/api", "markdown"))];
  const made = dialog(t("export_all"), el("p", { className: "f-muted" }, t("export_all_more")), el("div", { className: "f-transfer-row" }, ...links));
  links[0].focus();
  return made;
}

// -- import

async function upload(file) {
  let response;
  try {
    response = await fetch("/api/import", { method: "POST", body: file, headers: { "Accept-Language": locale, "Content-Type": "application/octet-stream" } });
  } catch {
    throw new Refused("offline", t("offline"));
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Refused(answer.error?.code ?? "http_error", answer.error?.text || answer.error?.message || t("failed_http", { status: response.status }));
}

/** A place to drop a file at, or to choose one with. */
export function openImport() {
  const told = el("div", { className: "f-import-told", role: "status" });
  const input = el("input", { type: "file", accept: ".json,.zip,application/json,application/zip", hidden: true, onchange: () => take(input.files) });
  const choose = button(t("import_choose"), "upload", () => input.click(), { label: true, className: "f-solid" });
  const zone = el("div", { className: "f-import-drop" }, icon("file"), el("p", {}, t("import_drop")), choose, input);
  const made = dialog(t("import_title"), el("p", { className: "f-muted" }, t("import_more")), zone, told);
  made.classList.add("f-import");
  let busy = false;

  async function take([file]) {
    if (!file || busy) return;
    busy = true;
    zone.hidden = true;
    told.replaceChildren(el("p", { className: "f-working" }, el("i", { className: "f-running" }), t("import_working", { name: file.name })));
    try {
      told.replaceChildren(...result(await upload(file)));
    } catch (error) {
      told.replaceChildren(el("p", { className: "f-wrong", role: "alert", dir: "auto" }, error.message), el("p", { className: "f-muted" }, t("import_nothing")));
    }
    busy = false;
    input.value = "";
    zone.hidden = false;
    choose.querySelector("span").textContent = t("import_again");
    if (made.open) choose.focus();
  }

  // On the whole dialog, for nobody aims well; and nothing of it reaches the box behind.
  let over = 0;
  const marked = (event, change) => {
    event.preventDefault();
    event.stopPropagation();
    over = Math.max(0, over + change);
    zone.classList.toggle("f-over", over > 0);
  };
  made.addEventListener("dragenter", (event) => marked(event, 1));
  made.addEventListener("dragover", (event) => marked(event, 0));
  made.addEventListener("dragleave", (event) => marked(event, -1));
  made.addEventListener("drop", (event) => {
    marked(event, -over);
    take(event.dataTransfer.files);
  });
  choose.focus();
  return made;
}

function result({ imported, skipped, personas, prompts, problems, conversation_ids }) {
  const only = imported === 1 ? el("a", { href: `/?c=${conversation_ids[0]}` }, t("import_show")) : null;
  const done = imported || !skipped ? el("p", { className: "f-import-done" }, icon("check"), el("span", {}, t("import_done", { count: imported })), only) : null;
  const lines = [
    skipped ? t("import_skipped", { count: skipped }) : null,
    personas ? t("import_personas", { count: personas }) : null,
    prompts ? t("import_prompts", { count: prompts }) : null,
  ].filter(Boolean).map((line) => el("p", {}, line));
  const left = problems.map((problem) => el("li", {}, problem.text));
  return [...(done ? [done] : []), ...lines, ...(left.length ? [el("ul", { className: "f-import-left f-muted" }, ...left)] : [])];
}

// -- links

/** Makes, lists and revokes the links to a conversation. */
export async function openShare({ id, title }) {
  const path = `/api/conversations/${id}/share`;
  const found = await attempt(() => get(path));
  if (!found) return;
  const fresh = el("div", { role: "status" });
  const list = el("div");
  const make = button(t("share_make"), "link", () => attempt(create), { label: true, className: "f-solid" });
  const foot = el("div", { className: "f-transfer-row" }, make);
  const explained = el("p", { className: "f-muted" }, t(found.enabled ? "share_explained" : me().login ? "share_off" : "share_without_login"));
  dialog(t("share_title", { title: title || t("untitled") }), explained, fresh, list, foot);
  foot.hidden = !found.enabled;
  show(found.shares);
  if (found.enabled) make.focus();

  async function create() {
    const { path: link } = await post(path);
    const shown = code(location.origin + link, t("share_copy"));
    fresh.replaceChildren(el("div", { className: "f-fresh" }, el("p", {}, t("share_once")), shown));
    shown.querySelector("button").focus();
    await again();
  }

  async function again() {
    show((await get(path)).shares);
  }

  function show(shares) {
    const rows = shares.map((share) => {
      const revoke = button(t("share_revoke"), "trash", () => attempt(async () => {
        await send("DELETE", `${path}/${share.id}`);
        fresh.replaceChildren();
        announce(t("share_revoked"));
        await again();
        if (!make.hidden) make.focus();
      }), { label: true, className: "f-danger" });
      const made = t("share_made", { time: new Date(share.created_at).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" }) });
      revoke.setAttribute("aria-label", `${t("share_revoke")}: ${made}`);
      return el("li", { className: "f-row" }, el("span", { title: ago(share.created_at) }, made), revoke);
    });
    if (!rows.length) list.replaceChildren(el("p", { className: "f-muted" }, t("share_none")));
    else list.replaceChildren(el("h3", {}, t("share_links")), el("ul", { className: "f-links-made" }, ...rows));
  }
}
