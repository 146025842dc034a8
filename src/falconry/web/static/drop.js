// Files that are dropped anywhere on the page, with a sign while they are above it.
import { el, icon, notice, t } from "./dom.js";

/** `add` takes the files. A dialog that is open has its own idea of them. */
export function listen(add) {
  const sign = el("div", { className: "f-drop", hidden: true, aria: { hidden: "true" } }, el("div", {}, icon("file"), el("span", {}, t("files_drop"))));
  document.body.append(sign);
  const carries = (event) => event.dataTransfer?.types.includes("Files") && !document.querySelector("dialog[open]");
  let leaving;
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault(); // else the browser would show the file in place of the page
    event.dataTransfer.dropEffect = "copy";
    sign.hidden = false;
    // There is no event for "no longer above the page" that all browsers send: dragover comes every 350 ms at least.
    clearTimeout(leaving);
    leaving = setTimeout(() => { sign.hidden = true; }, 500);
  });
  document.addEventListener("drop", (event) => {
    clearTimeout(leaving);
    sign.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
    const folders = items.some((item) => item.webkitGetAsEntry?.()?.isDirectory);
    if (folders) notice(t("files_no_folders"), { kind: "error" });
    const files = items.filter((item) => !item.webkitGetAsEntry?.()?.isDirectory).map((item) => item.getAsFile());
    if (files.length) add(files);
  });
}
