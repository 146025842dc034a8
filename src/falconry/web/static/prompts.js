// Saved prompts: texts for the box, with {{places}} to be filled in. The composer offers them after a slash.
import { get, post, put, send } from "./api.js";
import { el, t, type } from "./dom.js";
import { field } from "./forms.js";
import { giveWay } from "./options_panel.js";
import { area, openShelf } from "./shelf.js";

let known = null;

/** All of them, the person's own first: {id, name, handle, content, shipped}. */
export function list() {
  known ??= get("/api/prompts").then(({ prompts }) => prompts);
  known.catch(() => { known = null; });
  return known;
}

/** Where `{{places}}` are in a text: [start, end] of each. */
export const places = (text) => [...text.matchAll(/\{\{[^{}\n]{1,80}\}\}/g)].map((found) => [found.index, found.index + found[0].length]);

async function save(id, values) {
  const saved = id ? await put(`/api/prompts/${id}`, values) : await post("/api/prompts", values);
  known = null;
  return saved;
}

async function remove(id) {
  await send("DELETE", `/api/prompts/${id}`);
  known = null;
}

function editor(prompt) {
  const name = field(t("name"), { value: prompt.name ?? "", maxLength: 80 });
  const content = area(t("prompt_text"), { value: prompt.content ?? "", required: true, rows: 8, maxLength: 20_000 });
  return {
    parts: [name.element, content.element, el("p", { className: "f-muted" }, t("prompt_places", { example: "{{text}}" }))],
    values: () => ({ name: name.input.value, content: content.input.value }),
  };
}

/** Into the box, with the first place selected. */
function take({ content }) {
  const box = document.querySelector("#prompt textarea");
  const before = box.value.trimEnd();
  giveWay();
  type(box, before ? `${before}\n${content}` : content);
  const [first] = places(content);
  const start = box.value.length - content.length;
  // The dialog gives the focus back to its opener when it closes.
  setTimeout(() => {
    box.focus();
    if (first) box.setSelectionRange(start + first[0], start + first[1]);
  });
}

/** The dialog in which prompts are chosen, made, changed and deleted. */
export function edit() {
  return openShelf({
    title: t("prompts_title"),
    intro: t("prompts_intro"),
    sign: "/",
    list,
    describe: ({ content }) => content,
    editor,
    save,
    remove,
    use: document.querySelector("#prompt textarea") ? take : null,
    names: { fresh: t("prompt_new"), edit: t("prompt_edit"), copy: t("prompt_copy"), remove: t("prompt_delete") },
  });
}
