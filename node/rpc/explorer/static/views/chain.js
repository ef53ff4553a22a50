import { get } from "../api.js";
import { h, replace } from "../dom.js";
import { badge, count, duration } from "../format.js";
import { every, gathered } from "../pace.js";
import { lineChart } from "../parts/chart.js";
import { COMMITS_PAGE, commitList } from "../parts/commit_list.js";
import { dagFigure } from "../parts/dag.js";
import { VERDICTS, dagPath, emptyDag, laneName, lastRounds, take } from "../parts/dag_model.js";
import { problem } from "../parts/states.js";
import { table } from "../parts/table.js";
import { readings, watchPulse, wellness } from "../pulse.js";
import { follow, onAnew, onState } from "../stream.js";

const DAG_EVERY_MS = 2_000;
const IDLE_READ_MS = 3_000;
const SPREAD_MS = 500;
/** Not worth a word: it is asked again soon. */
const PASSING = [0, 429];

export function title() {
  return "Chain";
}

/** Show the last rounds as they grow, how fast the chain is, and its commits. */
export async function show(params, { signal, root, json }) {
  json([
    ["status", "/v1/status"],
    ["head", "/v1/head"],
    ["rounds", "/v1/dag?rounds=60"],
    ["commits", `/v1/commits?limit=${COMMITS_PAGE}`],
  ]);
  const figures = h("dl", { class: "figures" });
  const state = h("p", { class: "lead" });
  const speed = speedCharts();
  replace(
    root,
    h("section", { class: "card", "aria-label": "How the chain is" }, state, figures),
    rounds(signal),
    h("div", { class: "cards" }, speed.cards),
    commitList(signal),
  );
  let connection = "connecting";
  const pulse = watchPulse({ signal }, () => draw());
  const draw = () => {
    const [tone, sentence] = wellness(pulse, connection);
    replace(state, badge(sentence, tone));
    replace(figures, figureItems(pulse));
    speed.update(pulse);
  };
  draw();
  const redraw = gathered(draw, { everyMs: 500, signal });
  onState((next) => {
    connection = next;
    redraw();
  }, { signal });
  every(1_000, redraw, { signal });
}

function figureItems(pulse) {
  const now = readings(pulse);
  const { status } = pulse;
  const rate = (value) => (value === null ? "–" : value.toFixed(1));
  const items = [
    ["Height", now.height < 0 ? "–" : count(now.height)],
    ["Final up to", now.certified === null ? "nothing yet" : count(now.certified)],
    ["Last commit", now.headAgeMs === null ? "–" : duration(now.headAgeMs), "ago"],
    ["Final after (median)", now.finalityMs === null ? "–" : duration(now.finalityMs)],
    ["Commits", rate(now.commitsPerS), "per second"],
    ["Transactions", rate(now.transactionsPerS), "per second"],
    ["Epoch", now.head ? count(now.head.epoch) : "–"],
    ["Peers", status ? count(status.peers) : "–", "of this node"],
    ["Transactions here", status ? count(status.mempool_transactions) : "–", "to be ordered"],
  ];
  return items.map(([label, value, unit]) =>
    h("div", {}, h("dt", {}, label), h("dd", {}, value, unit && h("small", {}, ` ${unit}`))),
  );
}

function speedCharts() {
  const height = { label: "height", format: (value) => count(Math.round(value)) };
  const finality = lineChart({
    title: "Finality",
    description: "From the time of a commit until more than two thirds of the power signed it.",
    x: height,
    y: { label: "ms", format: (value) => count(Math.round(value)) },
    series: [{ name: "time to finality", points: [] }],
    zero: true,
    height: 180,
    empty: "The next certificate begins this chart.",
  });
  const size = lineChart({
    title: "Transactions in each commit",
    description: "Of the commits that this page has seen.",
    x: height,
    y: { label: "count", format: (value) => String(Number(value.toFixed(1))) },
    series: [{ name: "transactions", points: [] }],
    zero: true,
    height: 180,
  });
  const cards = [finality, size].map((chart) => h("section", { class: "card" }, chart));
  let drawn = "";
  const update = (pulse) => {
    const key = `${pulse.commits.at(-1)?.height} ${pulse.finality.length} ${pulse.finality.at(-1)}`;
    if (key === drawn) return;
    drawn = key;
    finality.update([{ name: "time to finality", points: pulse.finality.slice(-120) }]);
    const points = pulse.commits.slice(-120).map((one) => [one.height, one.receipts]);
    size.update([{ name: "transactions", points }]);
  };
  return { cards, update };
}

function rounds(signal) {
  const dag = emptyDag();
  const figure = dagFigure({ onCommit: (height) => (location.hash = `#/commit/${height}`) });
  const trouble = h("div");
  const note = h("p", { class: "hint" });
  const leaders = leaderTable();
  let busy = false;
  const read = async () => {
    if (busy) return;
    busy = true;
    try {
      take(dag, await get(dagPath(dag), { signal }));
      replace(trouble);
      figure.update(dag);
      leaders.update(dag);
      note.textContent = dag.source === "commits" ? SEATLESS : "";
    } catch (error) {
      if (!signal.aborted && !PASSING.includes(error.status)) replace(trouble, problem(error, read));
    } finally {
      busy = false;
    }
  };
  const ask = gathered(read, { everyMs: DAG_EVERY_MS, spreadMs: SPREAD_MS, signal });
  follow("commits", { signal }, ask);
  onAnew(ask, { signal });
  every(IDLE_READ_MS, ask, { signal });
  read();
  return h(
    "section",
    { class: "card", "aria-labelledby": "rounds-title" },
    h("h2", { id: "rounds-title" }, "The last rounds"),
    h("p", { class: "muted" }, EXPLANATION),
    trouble,
    figure,
    note,
    leaders.element,
  );
}

const EXPLANATION =
  "In each round every validator makes one block and links it to blocks of the round before. " +
  "Leaders order what they can reach: a committed leader is one commit of the chain.";
const DECISIONS =
  "A leader is committed directly where this node holds a quorum that certifies it, and indirectly " +
  "where a later leader carried it. Where this node took the commit over from others, it does not know which.";
const SEATLESS =
  "This node has no seat among the validators, so it shows what was committed, and no open rounds.";

function leaderTable() {
  const place = h("div");
  const element = h(
    "details",
    {},
    h("summary", {}, "The same as a table"),
    h("p", { class: "hint" }, DECISIONS),
    place,
  );
  let dag = null;
  const columns = [
    { label: "Round", head: true, number: true, cell: (one) => count(one.round) },
    { label: "Leader", cell: (one) => h("bdi", {}, leaderName(dag, one.seat)) },
    { label: "Decision", cell: decision },
    { label: "Commit", number: true, cell: commitLink },
    { label: "Blocks", number: true, cell: (one) => blocksOf(dag, one.round) },
    { label: "Two blocks for the round", cell: (one) => twinsOf(dag, one.round) },
  ];
  const caption = "Leaders of the last rounds, newest first";
  const shown = table({ caption, columns, rows: [], pageRows: 20 });
  const draw = () => {
    if (!element.open || !dag) return;
    if (!place.hasChildNodes()) replace(place, shown);
    shown.update(lastRounds(dag, 60).flatMap((one) => one.leaders).reverse());
  };
  element.addEventListener("toggle", draw);
  return {
    element,
    update: (next) => {
      dag = next;
      draw();
    },
  };
}

function leaderName(dag, seat) {
  const lane = dag.lanes.find((one) => one.seat === seat);
  return lane ? laneName(lane) : `seat ${seat}`;
}

function decision({ verdict }) {
  return badge(VERDICTS[verdict].text, VERDICTS[verdict].tone);
}

function commitLink({ height }) {
  return height === null ? "–" : h("a", { href: `#/commit/${height}` }, count(height));
}

function blocksOf(dag, round) {
  return `${dag.rounds.get(round)?.blocks.length ?? 0} of ${dag.lanes.length}`;
}

function twinsOf(dag, round) {
  const twins = dag.rounds.get(round)?.twins ?? [];
  return twins.length ? twins.map((one) => leaderName(dag, one.seat)).join(", ") : "none";
}
