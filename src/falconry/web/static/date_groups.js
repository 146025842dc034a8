// Under which heading a conversation stands, by the calendar of whoever looks.
import { locale, t } from "./dom.js";

const month = new Intl.DateTimeFormat(locale, { month: "long" });
const monthAndYear = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric" });

/** Midnight `days` before today. By the calendar: a day may have 23 hours. */
const midnight = (now, days) => new Date(now.getFullYear(), now.getMonth(), now.getDate() - days);

/** A function that gives the group, `{key, label}`, of a moment in ISO 8601, as it is at `now`. */
export function grouping(now = new Date()) {
  const bounds = [
    [midnight(now, 0), { key: "today", label: t("group_today") }],
    [midnight(now, 1), { key: "yesterday", label: t("group_yesterday") }],
    [midnight(now, 7), { key: "week", label: t("group_week") }],
    [midnight(now, 30), { key: "month", label: t("group_month") }],
  ];
  return (moment) => {
    const date = new Date(moment);
    const near = bounds.find(([from]) => date >= from);
    if (near) return near[1];
    const format = date.getFullYear() === now.getFullYear() ? month : monthAndYear;
    return { key: `${date.getFullYear()}-${date.getMonth() + 1}`, label: format.format(date) };
  };
}

/** Milliseconds until the groups are others. */
export const untilMidnight = (now = new Date()) => midnight(now, -1) - now + 50;
