// When something happened: how long ago for the eye, to the second for who asks.
import { el, locale, t } from "./dom.js";

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "long" });
const [MINUTE, HOUR, DAY] = [60, 3600, 86_400]; // seconds

/** To the second, in words of the page's language. */
export const exact = (iso) => new Date(iso).toLocaleString(locale, { dateStyle: "full", timeStyle: "medium" });

/** "3 minutes ago", "yesterday"; the date from a week on. */
export function ago(iso, now = Date.now()) {
  const then = new Date(iso);
  const seconds = (now - then) / 1000;
  if (seconds < 45) return t("just_now"); // clocks that are not quite right are "now", too
  if (seconds < 45 * MINUTE) return relative.format(-Math.round(seconds / MINUTE), "minute");
  if (seconds < 20 * HOUR) return relative.format(-Math.round(seconds / HOUR), "hour");
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(then).setHours(0, 0, 0, 0)) / (DAY * 1000));
  if (days < 7) return relative.format(-days, "day");
  const sameYear = then.getFullYear() === new Date(now).getFullYear();
  return then.toLocaleDateString(locale, { day: "numeric", month: sameYear ? "long" : "short", ...(sameYear ? {} : { year: "numeric" }) });
}

const shown = new Set();

/** An element that tells when, and keeps telling the truth. */
export function time(iso) {
  const made = el("time", { dateTime: iso, title: exact(iso) }, ago(iso));
  shown.add(new WeakRef(made));
  return made;
}

setInterval(() => {
  if (document.hidden) return;
  for (const reference of shown) {
    const element = reference.deref();
    if (!element?.isConnected) {
      shown.delete(reference);
      continue;
    }
    const text = ago(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}, 30_000);
