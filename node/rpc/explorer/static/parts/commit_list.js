import { h, replace } from "../dom.js";
import { badge, count, hanse, hash, time } from "../format.js";
import { gathered } from "../pace.js";
import { commits } from "../pulse.js";
import { follow, onAnew } from "../stream.js";
import { nothing, problem } from "./states.js";
import { table } from "./table.js";

const EVERY_MS = 6_000;
const SPREAD_MS = 500;
/** Not worth a word: it is asked again soon. */
const PASSING = [0, 429];
/** How many commits stand in one page of the list. */
export const COMMITS_PAGE = 25;

/**
 * Return the commits of this node as a section that turns pages; the newest page goes on by itself,
 * but for a row with the focus, which stays until the reader has left it.
 */
export function commitList(signal) {
  const view = { before: null, answer: null, asked: 0, drawn: 0 };
  const trouble = h("div");
  const place = h("span");
  const shown = table({
    caption: "Commits, newest first",
    columns: COLUMNS,
    rows: [],
    keyOf: (one) => String(one.height),
    empty: nothing("No commit is kept here yet.", "Commits come as soon as validators agree."),
  });
  const read = async () => {
    const question = { before: view.before, number: (view.asked += 1) };
    try {
      const answer = await commits({ before: question.before, limit: COMMITS_PAGE, signal });
      if (isStale(view, question)) return;
      replace(trouble);
      if (question.before === null && takesFocus(shown, answer.commits)) return;
      Object.assign(view, { answer, drawn: question.number });
      shown.update(answer.commits);
      place.textContent = heights(answer.commits);
    } catch (error) {
      if (signal.aborted || isStale(view, question) || PASSING.includes(error.status)) return;
      replace(trouble, problem(error, read));
    }
  };
  const newest = gathered(() => view.before === null && read(), {
    everyMs: EVERY_MS,
    spreadMs: SPREAD_MS,
    signal,
  });
  follow("commits", { signal }, newest);
  onAnew(newest, { signal });
  shown.addEventListener("focusout", newest);
  read();
  const turn = (pick) => () => {
    view.before = pick(view);
    read();
  };
  const pager = [button("Newest", turn(() => null)), button("Newer", turn(newer)), place];
  return h(
    "section",
    { class: "card", "aria-labelledby": "commits-title" },
    h("h2", { id: "commits-title" }, "Commits"),
    trouble,
    shown,
    h("nav", { class: "pager", "aria-label": "Pages of commits" }, [
      pager,
      button("Older", turn(older)),
    ]),
  );
}

/** Tell whether an answer is of another page than is wanted by now, or older than what is drawn. */
export function isStale(view, { before, number }) {
  return before !== view.before || number < view.drawn;
}

/** Return before which height the next older page lies, or that of this one where none is below. */
export function older({ before, answer }) {
  return answer && !answer.is_complete ? (answer.commits.at(-1)?.height ?? before) : before;
}

function newer({ before, answer }) {
  return before === null || before + COMMITS_PAGE > answer.head ? null : before + COMMITS_PAGE;
}

/** Tell whether a new list lacks the row with the focus, which would be lost with it. */
function takesFocus(shown, list) {
  const row = shown.contains(document.activeElement) && document.activeElement.closest("tbody tr");
  return Boolean(row) && !list.some((one) => String(one.height) === row.dataset.key);
}

function heights(list) {
  return list.length ? `Heights ${count(list.at(-1).height)} to ${count(list[0].height)}` : "";
}

function button(label, press) {
  return h("button", { type: "button", class: "button", on: { click: press } }, label);
}

const FINAL = ["final", "good"];
const WAITING = ["waits for signatures", "busy"];
const COLUMNS = [
  {
    label: "Height",
    head: true,
    number: true,
    cell: (one) => h("a", { href: `#/commit/${one.height}` }, count(one.height)),
  },
  { label: "Time", cell: (one) => time(one.time_ms) },
  { label: "State", cell: (one) => badge(...(one.is_final ? FINAL : WAITING)) },
  { label: "Transactions", number: true, cell: (one) => count(one.receipts) },
  { label: "Gas", number: true, cell: (one) => count(one.gas_used) },
  { label: "Fees (HANSE)", number: true, cell: (one) => hanse(one.fees) },
  { label: "Epoch", number: true, cell: (one) => count(one.epoch) },
  { label: "Digest", cell: (one) => hash(one.digest, { what: "digest" }) },
];
