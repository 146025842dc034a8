// A name that is changed where it stands: Enter and leaving keep it, Escape drops it.
import { el } from "./dom.js";

const SETTLED = 3000; // ms

/** Whether a box of ours is open somewhere: what is around it must not move. */
export const editing = () => document.querySelector(".f-name-box") !== null;

/**
 * Puts a box in the place of `shown` until it is done. Gives the new text, without blanks around it, or null where
 * nothing is to be changed.
 */
export function editInPlace(shown, value, { label, placeholder = "", maxLength = 200 }) {
  const box = el("input", { className: "f-name-box", type: "text", value, placeholder, maxLength, autocomplete: "off", aria: { label } });
  shown.hidden = true;
  shown.after(box);
  box.focus();
  box.select();
  const begun = performance.now();
  return new Promise((resolve) => {
    let done = false;
    let left = false; // by whoever is here, and not because something else has called for the focus
    const leave = (event) => { left = event.target !== box; };
    document.addEventListener("pointerdown", leave, true);
    const end = (keep) => {
      if (done) return;
      done = true;
      document.removeEventListener("pointerdown", leave, true);
      const text = box.value.trim();
      const focused = document.activeElement === box;
      box.remove();
      shown.hidden = false;
      if (focused) (shown.matches("a, button") ? shown : shown.querySelector("a, button"))?.focus({ preventScroll: true });
      resolve(keep && text && text !== value ? text : null);
    };
    box.addEventListener("keydown", (event) => {
      event.stopPropagation();
      // While an input method composes, Enter and Escape are its own. Safari says so only by the code 229.
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
      left = event.key === "Tab";
    });
    box.addEventListener("blur", () => {
      if (!document.hasFocus()) return; // another window in front is no reason to end
      // The first press of two has opened the conversation, whose prompt box asks for the focus a moment later.
      if (!left && performance.now() - begun < SETTLED) queueMicrotask(() => done || box.focus());
      else end(true);
    });
  });
}
