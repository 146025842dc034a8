// Conversations are dragged into folders, to the pinned ones, and back among the others.
import { find, move, pin, state } from "./conversation_store.js";

const TYPE = "application/x-falconry-conversation";
let dragged = null; // the id

export const dragging = () => dragged !== null;

/** What a place under the pointer would do with the conversation; null: nothing. */
function target(event) {
  const section = event.target.closest?.(".f-group");
  const conversation = dragged && find(dragged);
  if (!section || !conversation) return null;
  const key = section.dataset.key;
  if (key === "pinned") return conversation.pinned ? null : { section, run: () => pin(conversation.id, true) };
  const folder = state.folders.find(({ id }) => key === `folder-${id}`);
  if (folder) return conversation.folder_id === folder.id ? null : { section, run: () => move(conversation.id, folder.id) };
  if (conversation.pinned) return { section, run: () => pin(conversation.id, false) };
  return conversation.folder_id ? { section, run: () => move(conversation.id, null) } : null;
}

function show(section) {
  document.querySelectorAll(".f-target").forEach((other) => other !== section && other.classList.remove("f-target"));
  section?.classList.add("f-target");
}

/** `ended` is called when nothing is dragged any more. */
export function connect(scroller, ended) {
  scroller.addEventListener("dragstart", (event) => {
    const id = event.target.closest?.("a")?.dataset.id;
    if (!id) return;
    dragged = id;
    event.dataTransfer.setData(TYPE, id);
    event.dataTransfer.effectAllowed = "all"; // its address may go elsewhere, as any link's
  });
  for (const name of ["dragenter", "dragover"]) {
    scroller.addEventListener(name, (event) => {
      const found = target(event);
      show(found?.section);
      if (!found) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "move";
    });
  }
  scroller.addEventListener("dragleave", (event) => scroller.contains(event.relatedTarget) || show(null));
  scroller.addEventListener("drop", (event) => {
    const found = target(event);
    show(null);
    if (!found) return;
    event.preventDefault();
    dragged = null;
    found.run();
  });
  document.addEventListener("dragend", () => {
    show(null);
    dragged = null;
    ended();
  });
}
