// What stands in the box and has not been sent, for each conversation: the text, and the files that are uploaded.
//
// All tabs share what is kept, but each one comes back with its own after a reload: two tabs with the same conversation
// do not write into each other's box.
import { store } from "./dom.js";

const HERE = "falconry.draft"; // this tab's, of the conversation that is open in it
const MOST = 60; // drafts that are kept
const key = (id) => `draft.${id}`;
const nothing = () => ({ text: "", files: [] });

/** The draft of a conversation ("new" for the one to come): {text, files}. */
export function read(id) {
  const here = parsed(mine.get());
  return here?.id === id ? here : (parsed(store.get(key(id))) ?? nothing());
}

/** Remembers it. What is empty is forgotten. */
export function keep(id, { text, files }) {
  const empty = !text && !files.length;
  const value = JSON.stringify({ id, text, files, at: Date.now() });
  mine.set(value);
  if (!empty && store.get(key(id)) === null) makeRoom();
  store.set(key(id), empty ? null : value);
}

/** A file whose upload ended when its conversation was not open any more. */
export function addLater(id, file) {
  const { text, files } = parsed(store.get(key(id))) ?? nothing();
  store.set(key(id), JSON.stringify({ id, text, files: [...files, file], at: Date.now() }));
}

/** This tab shows another conversation now. */
export function leave() {
  mine.set(null);
}

/** Conversations that were deleted leave their drafts behind; the oldest ones go. */
function makeRoom() {
  try {
    const names = Object.keys(localStorage).filter((name) => /^falconry\.draft\.(new|[0-9a-f]{32})$/.test(name));
    if (names.length < MOST) return;
    const age = (name) => parsed(localStorage.getItem(name))?.at ?? 0;
    names.sort((one, other) => age(one) - age(other));
    names.slice(0, names.length - MOST + 1).forEach((name) => localStorage.removeItem(name));
  } catch { /* nothing is kept at all */ }
}

function parsed(value) {
  if (!value) return null;
  try {
    const { id, text, files, at } = JSON.parse(value);
    return { id, text: String(text ?? ""), files: Array.isArray(files) ? files : [], at };
  } catch {
    return null;
  }
}

const mine = {
  get: () => { try { return sessionStorage.getItem(HERE); } catch { return null; } },
  set: (value) => {
    try {
      if (value === null) sessionStorage.removeItem(HERE);
      else sessionStorage.setItem(HERE, value);
    } catch { /* the shared one is enough then */ }
  },
};
