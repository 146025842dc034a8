// Pictures beside messages: made fit for models before they are sent, shown small, and large on demand.
import { dialog, el, t } from "./dom.js";

const LONGEST = 2048; // pixels of the longer side: models look at less, and a photo has several times as many
const MOST_PNG = 3 * 2 ** 20; // bytes; a screenshot has less, and a photo is better off as JPEG

/** Whether a file, as the server tells of it, is a picture. */
export const isPicture = ({ media_type: kind }) => /^image\/(png|jpeg|gif)$/.test(kind ?? "");

/** Whether a file of the browser's says that it is one; an SVG is a text. */
export const saysPicture = ({ type: kind }) => kind.startsWith("image/") && !kind.startsWith("image/svg");

/**
 * The file to upload in place of one that a person chose: a picture as PNG or JPEG, not too large, and without what a
 * camera writes into it, as where it was taken. What is no picture, or none that this browser knows, stays as it is.
 */
export async function prepared(file) {
  if (!saysPicture(file)) return file;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return file;
  const photo = file.type === "image/jpeg";
  let blob = await drawn(bitmap, photo);
  if (!photo && blob?.size > MOST_PNG) blob = await drawn(bitmap, true);
  bitmap.close();
  return blob ? new File([blob], named(file.name, blob.type), { type: blob.type }) : file;
}

function drawn(bitmap, asJpeg) {
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const size = (length) => Math.max(1, Math.round(length * scale));
  const canvas = Object.assign(document.createElement("canvas"), { width: size(bitmap.width), height: size(bitmap.height) });
  const paint = canvas.getContext("2d");
  if (asJpeg) { // which knows no transparency, and would make black of it
    paint.fillStyle = "#fff";
    paint.fillRect(0, 0, canvas.width, canvas.height);
  }
  paint.imageSmoothingQuality = "high";
  paint.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => { canvas.toBlob(done, asJpeg ? "image/jpeg" : "image/png", 0.9); });
}

/** The name with the ending that is right now. */
function named(name, kind) {
  const right = kind === "image/jpeg" ? /\.jpe?g$/i : /\.png$/i;
  return right.test(name) ? name : `${name.replace(/\.[^.]*$/, "") || "image"}${kind === "image/jpeg" ? ".jpg" : ".png"}`;
}

/** A picture, small: a button that shows it large. */
export function thumbnail(file) {
  const made = el("button", { type: "button", className: "f-thumb", title: file.name }, shown(file));
  made.setAttribute("aria-label", t("picture_show", { name: file.name }));
  made.onclick = () => {
    const large = dialog(file.name, shown(file));
    large.classList.remove("f-small");
    large.classList.add("f-picture");
  };
  return made;
}

const shown = ({ id, name }) => el("img", { src: `/api/attachments/${id}/image`, alt: name, decoding: "async" });
