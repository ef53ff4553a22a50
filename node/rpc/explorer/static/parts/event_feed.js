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

/** Return the newest events of a contract as a section; new ones come by themselves. */
export function eventFeed({ contract, signal, names }) {
  const view = { rows: [], below: null, shown: null };
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
    view.rows = [...view.rows, ...fresh].sort(newestFirst).slice(0, KEPT);
    redraw();
  };
  const read = async (last) => {
    try {
      const found = await readBelow(contract, { last, signal });
      view.below = view.below === null ? found.below : Math.min(view.below, found.below);
      put(found.rows);
    } catch (error) {
      if (!signal.aborted) replace(body, problem(error, () => read(last)));
    }
  };
  const newest = async () => read((await get("/v1/head", { signal })).height);
  older.addEventListener("click", () => read(view.below - 1));
  older.hidden = true;
  follow("events", { contract, signal }, (notice) => put([notice.event]));
  onAnew(() => newest().catch(() => {}), { signal });
  newest().catch((error) => signal.aborted || replace(body, problem(error, newest)));
  return h("section", { class: "card", "aria-labelledby": "feed-title" }, [
    h("h2", { id: "feed-title" }, "Events"),
    body,
    h("div", { class: "row" }, older, note),
  ]);
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
