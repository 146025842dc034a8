// What can be done with the messages of the open conversation. Each action asks the server and shows what came of it.
import { post, put, remove as removeAt } from "./api.js";
import { announce, button, dialog, el, notice, t } from "./dom.js";
import { showLeftOut } from "./left_out.js";
import * as options from "./options.js";

/**
 * `page` is chat.js: its state `open`, its `log`, and its functions `attempt`, `once`, `begin`, `reload`, `view`, `jumpTo`.
 */
export function messageActions(page) {
  const { open, log } = page;
  let loading = false; // a page of earlier or later messages

  async function turnPage(query, show) {
    if (loading || !open.id) return;
    loading = true;
    const id = open.id;
    await page.attempt(async () => {
      const found = await page.view(id, query);
      if (open.id === id) show(found);
    });
    loading = false;
  }

  /** How many messages a deletion takes along on the branch on show; null where not all of them are here. */
  function below(id) {
    const ids = [...log().turns.keys()];
    return log().hasLater ? null : ids.length - ids.indexOf(id);
  }

  return {
    earlier: () => turnPage({ before: log().firstId }, (found) => log().prepend(found)),
    later: () => turnPage({ after: log().last?.message.id }, (found) => log().append(found)),
    /** What one works at stays in sight, even where the bottom moves. */
    hold: () => { log().stuck = false; },
    async toEnd() {
      if (log().hasLater) await page.attempt(() => page.reload(open.id, { toEnd: true }));
      log().toBottom();
    },

    regenerate: (id) => page.once(async () => {
      const conversation = open.id;
      const { reply } = await post(`/api/replies/${id}/regenerate`, { ...options.request(), head_id: open.head });
      if (open.id !== conversation) return;
      if (!log().get(reply.id)) log().cut(reply.parent_id, { keep: true });
      page.begin(reply);
      log().toBottom();
      page.composer().focus(); // the button that had it is gone
      await page.reload(conversation); // which version it is
    }),

    /** Sends a question in other words, as another version of it. Says whether it went. */
    edit: (id, content, attachments) => page.once(async () => {
      const body = { ...options.request(), content, attachments, parent_id: open.head, edit_of: id };
      const conversation = open.id;
      const { message, reply } = await post(`/api/conversations/${conversation}/replies`, body);
      if (open.id !== conversation) return true;
      log().cut(id);
      page.asked(message, reply);
      page.composer().focus();
      await page.reload(conversation);
      return true;
    }),

    resume: (id) => page.once(async () => {
      await post(`/api/replies/${id}/continue`);
      page.setRunning(id);
    }),

    /** Shows the branch of another version; the arrow that was pressed keeps the focus. */
    showVersion: (id, from, instead) => page.once(async () => {
      const old = log().get(instead)?.element;
      const top = old?.getBoundingClientRect().top;
      const { head_id } = await post(`/api/conversations/${open.id}/head`, { message_id: id, head_id: open.head });
      log().stuck = false;
      await page.reload(open.id, { around: log().hasLater ? id : null });
      open.head = head_id;
      const turn = log().get(id);
      if (!turn) return;
      log().scroller.scrollTop += turn.element.getBoundingClientRect().top - top;
      turn.versions[from].focus({ preventScroll: true });
      announce(turn.versions.element.getAttribute("aria-label"));
    }),

    remove(id) {
      const count = below(id);
      const go = () => page.once(async () => {
        asked.close();
        open.head = (await removeAt(`/api/messages/${id}`)).head_id;
        log().stuck = false;
        await page.reload(open.id, { toEnd: true });
        notice(t("deleted_messages"), { seconds: 4 });
        page.composer().focus();
      });
      const text = count === null ? t("delete_all_below") : t("delete_messages", { count });
      const yes = button(t("delete"), "trash", go, { label: true, className: "f-danger" });
      const no = button(t("cancel"), null, () => asked.close(), { label: true, className: "f-solid" });
      const asked = dialog(t("delete_branch"), el("p", {}, text), el("p", { className: "f-muted" }, t("delete_explained")), el("div", { className: "f-dialog-foot" }, no, yes));
      no.focus();
    },

    rate: (id, rating, correction) => page.attempt(async () => {
      await put(`/api/messages/${id}/rating`, { rating, correction });
      const turn = log().get(id);
      Object.assign(turn.message, { rating, correction });
      turn.rating.update(turn.message);
      announce(t(rating === 1 ? "rated_good" : rating === -1 ? "rated_bad" : "rated_not"));
      return true;
    }),

    putBack(questionId) {
      page.composer().value = log().get(questionId)?.message.text ?? "";
      page.composer().focus();
    },

    showLeftOut() {
      const { start, between, count } = log().window();
      const later = between.map(({ message }) => message);
      return showLeftOut({ conversation: open.id, start, count, later, jump: (id) => page.attempt(() => page.jumpTo(id)) });
    },
  };
}

/** A page of messages around one of them; where that lies on another branch, its branch is put on show. */
export async function revealed(page, id, message) {
  const found = await page.view(id, { around: message });
  if (found.on_show) return found;
  const { head_id } = await post(`/api/conversations/${id}/head`, { message_id: message, head_id: found.head_id });
  return { ...found, head_id };
}
