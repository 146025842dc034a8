// A question that is being changed, in its place. Enter sends it as another version, Escape leaves everything as it was.
import { button, el, store, t } from "./dom.js";

const touch = matchMedia("(hover: none) and (pointer: coarse)"); // there, Enter is the only way to break a line

/**
 * Gives the element. `send(text)` says whether it went; `close()` is called when the box has to go. `mayBeEmpty()`: there
 * are files that need no words. What was typed survives a reload, under the message's id.
 */
export function editBox({ id, text, send, close, mayBeEmpty }) {
  const key = `edit.${id}`;
  const box = el("textarea", { value: store.get(key) ?? text, dir: "auto", rows: 1, aria: { label: t("edit_message") } });
  const sending = button(t("send_edit"), null, () => go(), { label: true, className: "f-primary" });
  const cancel = button(t("cancel"), null, () => leave(), { label: true, className: "f-solid" });
  const hint = el("span", { className: "f-muted" }, t("edit_makes_a_branch"));
  const made = el("div", { className: "f-edit" }, box, el("div", { className: "f-edit-foot" }, hint, cancel, sending));
  let composing = false;
  let busy = false;

  const fit = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight + 2, innerHeight * 0.6)}px`;
  };
  const leave = () => {
    store.set(key, null);
    close();
  };
  async function go() {
    if (busy || !(box.value.trim() || mayBeEmpty())) return;
    busy = true;
    if (await send(box.value)) leave();
    busy = false;
  }

  box.addEventListener("input", () => {
    store.set(key, box.value === text ? null : box.value);
    fit();
  });
  box.addEventListener("compositionstart", () => { composing = true; });
  // Safari tells of the Enter that confirms a suggestion after the composition has ended, in the same task.
  box.addEventListener("compositionend", () => setTimeout(() => { composing = false; }));
  box.addEventListener("keydown", (event) => {
    if (event.isComposing || composing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.stopPropagation(); // it would stop a reply elsewhere on the page
      event.preventDefault();
      leave();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey || !(event.shiftKey || touch.matches))) {
      event.preventDefault();
      go();
    }
  });
  requestAnimationFrame(() => {
    fit();
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
    made.scrollIntoView({ block: "nearest" });
  });
  return made;
}
