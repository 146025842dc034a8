// The files beside a question: a chip for each, which shows the text that the model reads, and the pictures themselves.
import { getText } from "./api.js";
import { button, copy, dialog, el, fileSize, icon, t } from "./dom.js";
import { isPicture, thumbnail } from "./pictures.js";

/** A list of chips. A file is {id, name, media_type, size, characters}; with `remove(file)` each can be taken away. */
export function attached(files, remove = null) {
  const entry = (file) => el("li", {}, isPicture(file) ? thumbnail(file) : chip(file), remove && button(t("attached_remove", { name: file.name }), "close", () => remove(file)));
  return el("ul", { className: "f-attached", aria: { label: t("attached_files") } }, ...files.map(entry));
}

function chip(file) {
  const name = el("bdi", { className: "f-chip-name" }, file.name);
  const made = el("button", { type: "button", className: "f-file", title: file.name }, icon("file"), name, el("span", { className: "f-muted" }, fileSize(file.size)));
  made.setAttribute("aria-label", t("attached_show", { name: file.name, size: fileSize(file.size) }));
  made.onclick = () => showText(file);
  return made;
}

async function showText(file) {
  const text = el("pre", { tabIndex: 0, dir: "auto" });
  const copying = button(t("copy"), "copy", () => copy(text.textContent, copying), { label: true });
  const facts = [fileSize(file.size), t("characters", { count: file.characters.toLocaleString() })].join(" · ");
  const shown = dialog(file.name, el("div", { className: "f-row" }, el("p", { className: "f-muted" }, facts), copying), text);
  shown.classList.remove("f-small");
  try {
    text.textContent = await getText(`/api/attachments/${file.id}`);
  } catch (error) {
    text.replaceWith(el("p", { className: "f-warning" }, error.message));
    copying.remove();
  }
}
