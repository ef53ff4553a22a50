import { get } from "../api.js";
import { h, replace } from "../dom.js";
import { count } from "../format.js";
import { gathered } from "../pace.js";
import { follow, onAnew } from "../stream.js";
import { eventTable } from "./receipt.js";
import { loading, problem } from "./states.js";

const WANTED = 50;
const ANSWER_MAX = 200;
const SPAN_FIRST = 512;
const TRIES_MAX = 12;
const KEPT = 500;

/**
 * What is known: the events between two heights without a hole, and perhaps newer ones. `isTold`
 * says that none was missed since: then the upper height goes up with what is told.
 */
export const UNREAD = { rows: [], top: -1, below: null, isTold: false };

/** Return the newest events of a contract as a section; new ones come by themselves. */
export function eventFeed({ contract, signal, names }) {
  const view = { ...UNREAD, shown: null };
  const trouble = h("div");
  const body = h("div", {}, loading());
  const older = h("button", { type: "button", class: "button" }, "Older events");
  const note = h("p", { class: "hint" });
  const draw = () => {
    if (!view.shown || !view.rows.length) {
      view.shown = eventTable(view.rows, {
        names,
        caption: "Events, newest first",
        empty: "It told nothing yet, or this node keeps nothing of that time.",
      });
      replace(body, view.shown);
    } else view.shown.update(view.rows);
    note.textContent = view.below ? `Read down to commit ${count(view.below)}.` : "";
    older.hidden = !view.below || view.rows.length >= KEPT;
    if (!view.rows.length) view.shown = null;
  };
  const redraw = gathered(draw, { everyMs: 700, signal });
  const put = (rows) => {
    const known = new Set(view.rows.map(keyOf));
    const fresh = rows.filter((row) => !known.has(keyOf(row)));
    const all = [...view.rows, ...fresh].sort(newestFirst);
    view.rows = all.slice(0, KEPT);
    if (all.length > KEPT) view.below = view.rows.at(-1).height + 1;
    redraw();
  };
  const read = async (last) => {
    try {
      const found = await readBelow(contract, { last, signal });
      replace(trouble);
      if (join(view, { ...found, last })) put(found.rows);
    } catch (error) {
      if (signal.aborted) return;
      if (!view.shown) replace(body);
      replace(trouble, problem(error, () => read(last)));
    }
  };
  const newest = async () => {
    const { height } = await get("/v1/head", { signal });
    await read(height);
  };
  const renew = () => {
    view.isTold = false;
    return newest().catch(() => {});
  };
  older.addEventListener("click", () => read(view.below - 1));
  older.hidden = true;
  follow("events", { contract, signal, onLate: renew }, ({ event }) => {
    if (view.isTold) view.top = Math.max(view.top, event.height);
    put([event]);
  });
  onAnew(renew, { signal });
  newest().catch((error) => signal.aborted || replace(body, problem(error, renew)));
  return h("section", { class: "card", "aria-labelledby": "feed-title" }, [
    h("h2", { id: "feed-title" }, "Events"),
    body,
    trouble,
    h("div", { class: "row" }, older, note),
  ]);
}

/**
 * Take note that all between two heights was read; tell whether its events belong to what is shown.
 *
 * Nobody would see a hole between two parts. Where the newest do not reach down to those read
 * before, these go; older ones that do not reach up to those shown, for these went meanwhile, do not come.
 */
export function join(view, { last, below }) {
  if (last < view.top) {
    if (last + 1 < view.below) return false;
  } else {
    if (view.below === null || below > view.top) {
      view.rows = view.rows.filter((row) => row.height >= below);
      view.below = below;
    }
    view.top = last;
    view.isTold = true;
  }
  view.below = Math.min(view.below, below);
  return true;
}

function keyOf({ height, receipt_index: receipt, event_index: event }) {
  return `${height} ${receipt} ${event}`;
}

function newestFirst(one, other) {
  return (
    other.height - one.height ||
    other.receipt_index - one.receipt_index ||
    other.event_index - one.event_index
  );
}

/**
 * Return about fifty events that end at a height, and below which height nothing was read.
 *
 * The node lists events upwards only, so spans of heights are tried: wider where there are few,
 * narrower where one answer does not hold them all.
 */
async function readBelow(contract, { last, signal }) {
  const rows = [];
  let span = SPAN_FIRST;
  let top = last;
  for (let tries = 0; tries < TRIES_MAX && top >= 0 && rows.length < WANTED; tries += 1) {
    const first = Math.max(0, top - span + 1);
    const range = `first_height=${first}&last_height=${top}&limit=${ANSWER_MAX}`;
    const answer = await get(`/v1/contracts/${contract}/events?${range}`, { signal });
    if (!answer.is_complete && span > 1) {
      span = Math.max(1, Math.floor(span / 8));
      continue;
    }
    rows.push(...answer.events);
    top = first - 1;
    span *= 4;
  }
  return { rows, below: Math.max(0, top + 1) };
}
