// The compare page: one question to several models, their answers side by side, votes, and what these say.
import { Live, connection, get, post, remove } from "./api.js";
import { Results } from "./compare_results.js";
import { Round } from "./compare_round.js";
import { Start } from "./compare_start.js";
import { Composer } from "./composer.js";
import { announce, button, el, language, notice, present, t } from "./dom.js";
import { read as readModels, titleOf } from "./model_list.js";
import * as options from "./options.js";
import { register } from "./shortcuts.js";
import * as sidebar from "./sidebar.js";

const NEAR = 64; // pixels from the bottom that still count as being there
const page = { id: null, state: null, told: null, rounds: [] };
const rounds = el("div", { className: "f-rounds" });
const end = el("div", { className: "f-reveal", hidden: true });
const scroller = el("div", { className: "f-scroller", tabIndex: -1, role: "region", aria: { label: t("page_compare") } });
const start = new Start((href) => open(href));
const results = new Results();
let composer, live;
let order = Promise.resolve();
let busy = 0, stuck = true, wanted = 0;

/** Runs something that may be refused, and says so; one after the other, for each may change what the next one means. */
function attempt(action) {
  busy += 1;
  order = order.then(action).catch(async (error) => {
    notice(error.message, { kind: "error", seconds: 12 });
    if (["stale_conversation", "reply_running", "already_judged", "vote_final"].includes(error.code)) await reload().catch(console.error);
  }).finally(() => { busy -= 1; });
  return order;
}

/** Opens an address of this page: its start, a comparison, or the results. */
export async function open(href, { push = true } = {}) {
  const query = new URL(href, location.href).searchParams;
  const turn = ++wanted;
  live?.close();
  connection(true);
  Object.assign(page, { id: query.get("id"), state: null, told: null, rounds: [] });
  if (push) history.pushState(null, "", href);
  const view = page.id ? "comparison" : query.has("results") ? "results" : "start";
  document.getElementById("main").dataset.compare = view;
  scroller.replaceChildren(...{ comparison: [rounds, end], results: [results.element], start: [start.element] }[view]);
  rounds.replaceChildren();
  end.hidden = true;
  document.title = `${t(view === "results" ? "compare_results" : "page_compare")} · Falconry`;
  setRunning();
  try {
    if (view === "comparison") await reload();
    else await { results, start }[view].refresh();
  } catch (error) {
    notice(error.message, { kind: "error", seconds: 12 });
    if (page.id && turn === wanted && error.code !== "offline") return open("/compare", { push: false });
  }
  if (turn !== wanted) return;
  live = new Live(page.id && `/view/comparisons/${page.id}/events`, handle, connection);
  stuck = view === "comparison";
  scroller.scrollTop = stuck ? 1e9 : 0;
  if (view === "results") return;
  await composer.open(page.id ?? "compare");
  composer.focus();
}

/** Reads the comparison anew; what the page shows already stays in place. */
async function reload() {
  const { id } = page;
  if (!id) return;
  const found = await get(`/view/comparisons/${id}?lang=${language}`);
  if (page.id === id) show(found);
}

function show(found) {
  if (page.told && page.told.hidden !== found.hidden) page.rounds = []; // the names are told by now
  page.told = found;
  page.state = found.state;
  found.turns.forEach((asked, index) => {
    page.rounds[index] ??= new Round(asked, found.models, found.places, actions);
    page.rounds[index].update(asked, { last: index === found.turns.length - 1, hidden: found.hidden });
  });
  page.rounds.length = found.turns.length;
  const elements = page.rounds.map(({ element }) => element);
  if (elements.some((element, index) => rounds.children[index] !== element) || rounds.children.length !== elements.length) rounds.replaceChildren(...elements);
  if (found.title) document.title = `${found.title} · Falconry`;
  setRunning();
}

function setRunning() {
  const running = Boolean(page.state?.running.length);
  composer.setRunning(running);
  showEnd(running);
}

/** Below the last vote: how it can go on. */
function showEnd(running) {
  const voted = page.rounds.length > 0 && page.rounds.some(({ vote }) => vote);
  const hidden = Boolean(page.told?.hidden);
  end.hidden = running || !voted || !hidden;
  if (!end.hidden && !end.children.length) {
    const reveal = button(t("compare_reveal"), "eye", () => actions.reveal(), { label: true, className: "f-solid" });
    reveal.id = "compare-reveal";
    reveal.setAttribute("aria-keyshortcuts", "R");
    reveal.append(el("kbd", { aria: { hidden: "true" } }, "R"));
    end.append(el("p", { className: "f-muted" }, t("compare_reveal_note")), reveal);
  }
}

async function handle(name, data) {
  if (name === "list") return sidebar.refresh();
  if (name === "deleted") return open("/compare");
  if (name === "state") {
    if (JSON.stringify(data) !== JSON.stringify(page.state)) await reload();
    return;
  }
  const answer = page.rounds[data.turn]?.answers[data.place];
  if (!answer) return;
  if (name === "snapshot") answer.snapshot(data);
  if (name === "patch") answer.patch(data);
  if (name !== "status") return;
  answer.update(data);
  page.state.running = page.state.running.filter((place) => place !== data.place);
  page.rounds[data.turn].show();
  setRunning();
  if (!page.state.running.length) announce(t("compare_ready"));
}

async function send() {
  await composer.ready;
  const { value: content, attachments } = composer;
  if (busy || (!content.trim() && !attachments.length) || page.state?.running.length) return;
  if (!page.id && !start.possible) return notice(t("compare_one_model"), { kind: "error" });
  await attempt(async () => {
    const { system, persona, params } = options.request();
    const question = { content, turn: page.rounds.length, system, persona, params, attachments: attachments.map(({ id }) => id) };
    if (page.id) {
      await post(`/api/comparisons/${page.id}/turns`, question);
      composer.take();
      await reload();
    } else {
      start.keep();
      const { id } = await post("/api/comparisons", start.chosen());
      await post(`/api/comparisons/${id}/turns`, question).catch(async (error) => {
        await remove(`/api/comparisons/${id}`).catch(() => { /* it stays behind, empty, and no list shows it */ });
        throw error;
      });
      composer.take();
      await open(`/compare?id=${id}`);
    }
    stuck = true;
    scroller.scrollTop = 1e9;
    page.rounds.at(-1)?.row.focus({ preventScroll: true }); // so that the keys of the vote are at hand
  });
}

const actions = {
  vote: (turn, best) => attempt(async () => {
    const { vote } = await post(`/api/comparisons/${page.id}/votes`, { turn, best });
    page.rounds[turn].setVote(vote);
    page.state.votes = page.rounds.flatMap((round) => (round.vote ? [[round.turn, round.vote.best]] : []));
    setRunning();
    if (turn === page.rounds.length - 1 && !page.told.hidden) composer.focus();
  }),
  retry: (place) => attempt(async () => {
    await post(`/api/comparisons/${page.id}/retry`, { place });
    await reload();
  }),
  reveal: () => attempt(async () => {
    await post(`/api/comparisons/${page.id}/reveal`);
    await reload();
    announce(page.told.models.map((model, place) => `${t("compare_letter", { letter: "ABCD"[place] })}: ${titleOf(model)}`).join(", "));
    page.rounds.at(-1)?.row.focus({ preventScroll: true });
  }),
  chat: (place) => attempt(async () => {
    const { conversation_id } = await post(`/api/comparisons/${page.id}/conversations`, { place });
    location.assign(`/?c=${conversation_id}`);
  }),
};

const stop = () => page.state?.running.length && attempt(async () => {
  await post(`/api/comparisons/${page.id}/stop`);
  composer.focus(); // the button that had it is gone
});

/** "Clear console": the box is empty, and so is the page; the comparison stays among the earlier ones. */
async function clear() {
  composer.take();
  await open("/compare", { push: page.id !== null });
  composer.take();
}

/** Keys of the vote, where the focus is among the answers and not in a field. */
function keydown(event) {
  if (!scroller.contains(event.target)) return;
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable], [role=menu], dialog")) return;
  if (event.key === "Enter" && event.target.closest?.("a, button, summary")) return; // it is pressed
  if (event.key.toLowerCase() === "r" && !end.hidden) return void actions.reveal();
  if (page.rounds.at(-1)?.bar.press(event.key)) event.preventDefault();
}

export async function mount(element) {
  element.replaceChildren(scroller);
  readModels().catch(console.error);
  composer = new Composer({ send, stop, clear, changed: () => { /* there is no gauge: each model counts for itself */ } });
  scroller.addEventListener("scroll", () => { stuck = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR; }, { passive: true });
  new ResizeObserver(() => { if (stuck) scroller.scrollTop = 1e9; }).observe(rounds);
  document.addEventListener("keydown", keydown);
  const votes = [["compare_keys_best", ["1", "2", "3", "4"]], ["compare_tie", "T"], ["compare_all_bad", "B"], ["compare_reveal", "R"]];
  votes.forEach(([name, keys]) => register({ name: t(name), keys }));
  window.addEventListener("popstate", () => open(location.href, { push: false }));
  await present("#main");
  await open(location.href, { push: false });
}
