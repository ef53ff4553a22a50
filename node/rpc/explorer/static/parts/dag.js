import { h, replace, s } from "../dom.js";
import { clip } from "../format.js";
import { VERDICTS, blockWords, laneName, lastRounds, summary } from "./dag_model.js";

const COLUMN = 30;
const COLUMN_NARROW = 23;
const ROW = 34;
const ROW_NARROW = 24;
const ROOMY_LANES_MAX = 12;
const TOP = 26;
const LABEL = 132;
const LABEL_NARROW = 84;
const NARROW = 560;
const RADIUS = 5;
const ALL_EDGES_LANES_MAX = 16;

/**
 * Return the picture of the last rounds as a figure with `update(dag)`.
 *
 * It shows as many rounds as fit its width. Arrow keys move over the blocks, Enter calls
 * `onCommit(height)` on a leader that was committed.
 */
export function dagFigure({ onCommit }) {
  const labels = { role: "img", "aria-labelledby": "dag-title dag-text" };
  const svg = s("svg", { class: "dag-svg", hidden: true, ...labels });
  const words = h("p", { class: "dag-words", role: "status" });
  const text = h("p", { class: "hint", id: "dag-text" });
  const box = h(
    "div",
    {
      class: "dag-box",
      tabindex: "0",
      role: "application",
      "aria-label": "Rounds and blocks. Arrow keys move over the blocks, Enter opens a commit.",
    },
    svg,
  );
  const view = { dag: null, width: 0, cursor: null, grid: null };
  const draw = () => {
    if (!view.dag || !view.width) return;
    view.grid = gridOf(view.dag, view.width);
    paint(svg, view);
    text.textContent = summary(view.dag, view.grid.rounds);
  };
  const resized = new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width === view.width) return;
    view.width = width;
    requestAnimationFrame(draw);
  });
  resized.observe(box);
  const point = (cursor) => {
    view.cursor = cursor;
    words.textContent = cursor ? blockWords(view.dag, cursor) : "";
    paintCursor(svg, view);
  };
  listen(box, { view, point, onCommit });
  const figure = h(
    "figure",
    { class: "dag" },
    h("figcaption", { id: "dag-title", class: "visually-hidden" }, "The last rounds of the chain"),
    legend(),
    box,
    words,
    text,
  );
  figure.update = (dag) => {
    view.dag = dag;
    draw();
  };
  return figure;
}

function gridOf(dag, width) {
  const [label, column] = width < NARROW ? [LABEL_NARROW, COLUMN_NARROW] : [LABEL, COLUMN];
  const rounds = lastRounds(dag, Math.max(4, Math.floor((width - label - 8) / column)));
  const rows = new Map(dag.lanes.map((lane, row) => [lane.seat, row]));
  const rowHeight = rows.size > ROOMY_LANES_MAX ? ROW_NARROW : ROW;
  return {
    label,
    column,
    rowHeight,
    rounds,
    width,
    height: TOP + rows.size * rowHeight + 4,
    x: (round) => label + 16 + (round - rounds[0].round) * column,
    y: (seat) => TOP + ((rows.get(seat) ?? 0) + 0.5) * rowHeight,
    seatAt: (row) => dag.lanes[row]?.seat,
    rows,
  };
}

function paint(svg, view) {
  const { dag, grid } = view;
  svg.toggleAttribute("hidden", !grid.rounds.length);
  if (!grid.rounds.length) return;
  svg.setAttribute("viewBox", `0 0 ${grid.width} ${grid.height}`);
  svg.setAttribute("width", grid.width);
  svg.setAttribute("height", grid.height);
  replace(
    svg,
    lanes(dag, grid),
    roundLabels(grid),
    s("path", { class: "dag-edges", d: edges(dag, grid) }),
    s("path", { class: "dag-block done", d: dots(grid, (block) => block.is_committed) }),
    s("path", { class: "dag-block open", d: dots(grid, (block) => !block.is_committed) }),
    grid.rounds.flatMap((round) => round.leaders.map((leader) => leaderMark(leader, grid))),
    grid.rounds.flatMap((round) => round.twins.map((twin) => twinMark(twin, grid))),
    s("rect", { class: "dag-cursor", rx: 6, width: grid.column - 4, height: grid.rowHeight - 6 }),
  );
  paintCursor(svg, view);
}

function lanes(dag, grid) {
  const letters = grid.label === LABEL ? 16 : 9;
  return dag.lanes.map((lane) => {
    const y = grid.y(lane.seat);
    const name = laneName(lane);
    return s(
      "g",
      { class: "dag-lane" },
      s("line", { x1: grid.label, x2: grid.width, y1: y, y2: y }),
      s("text", { x: 0, y: y + 4 }, s("title", {}, clip(name, 200)), clip(name, letters)),
    );
  });
}

function roundLabels(grid) {
  const step = 5;
  const shown = grid.rounds.filter(({ round }) => round % step === 0);
  return shown.map(({ round }) =>
    s("text", { class: "dag-round", x: grid.x(round), y: 14, "text-anchor": "middle" }, round),
  );
}

function edges(dag, grid) {
  const isFew = dag.lanes.length <= ALL_EDGES_LANES_MAX;
  const lines = [];
  for (const [place, { round, blocks, leaders }] of grid.rounds.entries()) {
    if (place === 0) continue;
    const from = grid.x(round);
    for (const block of blocks) {
      const isLeader = leaders.some((leader) => leader.seat === block.seat);
      // With many lanes only what leaders build on can be told apart, and drawn in time.
      if (!isFew && !isLeader) continue;
      for (const bit of block.parents) {
        if (!grid.rows.has(bit)) continue;
        lines.push(`M${from} ${grid.y(block.seat)}L${from - grid.column} ${grid.y(bit)}`);
      }
    }
  }
  return lines.join("");
}

function dots(grid, wanted) {
  const circles = [];
  for (const { round, blocks, leaders } of grid.rounds) {
    const x = grid.x(round);
    for (const block of blocks) {
      if (!wanted(block) || leaders.some((leader) => leader.seat === block.seat)) continue;
      const y = grid.y(block.seat);
      circles.push(`M${x - RADIUS} ${y}a${RADIUS} ${RADIUS} 0 1 0 ${2 * RADIUS} 0`);
      circles.push(`a${RADIUS} ${RADIUS} 0 1 0 ${-2 * RADIUS} 0`);
    }
  }
  return circles.join("");
}

function leaderMark({ round, seat, verdict, height }, grid) {
  const title = `Leader of round ${round}: ${VERDICTS[verdict].text}`;
  return s(
    "g",
    { class: `dag-leader ${verdict}`, transform: `translate(${grid.x(round)} ${grid.y(seat)})` },
    s("title", {}, height === null ? title : `${title}, commit ${height}`),
    leaderShape(verdict),
  );
}

function leaderShape(verdict) {
  const diamond = (size) => `M0 ${-size}L${size} 0L0 ${size}L${-size} 0Z`;
  switch (verdict) {
    case "direct":
    case "committed":
      return s("path", { class: "solid", d: diamond(10) });
    case "indirect":
      return [
        s("path", { class: "outline", d: diamond(10) }),
        s("path", { class: "solid", d: diamond(4.5) }),
      ];
    case "skipped":
      return [
        s("rect", { class: "outline", x: -8, y: -8, width: 16, height: 16, rx: 2 }),
        s("path", { class: "outline", d: "M-5 -5L5 5M5 -5L-5 5" }),
      ];
    case "undecided":
      return [
        s("path", { class: "outline dotted", d: diamond(10) }),
        s("text", { y: 4, "text-anchor": "middle" }, "?"),
      ];
    default:
      return s("path", { class: "outline dotted", d: diamond(8) });
  }
}

function twinMark({ round, seat }, grid) {
  return s(
    "g",
    { class: "dag-twin", transform: `translate(${grid.x(round)} ${grid.y(seat)})` },
    s("title", {}, `Two blocks for round ${round}: this validator lied`),
    s("path", { d: "M0 -13L12 9L-12 9Z" }),
    s("text", { y: 6, "text-anchor": "middle" }, "!"),
  );
}

function paintCursor(svg, { cursor, grid }) {
  const rect = svg.querySelector(".dag-cursor");
  if (!rect) return;
  const isSeen = cursor && grid.rounds.some(({ round }) => round === cursor.round);
  rect.classList.toggle("hidden", !isSeen);
  if (!isSeen) return;
  rect.setAttribute("x", grid.x(cursor.round) - grid.column / 2 + 2);
  rect.setAttribute("y", grid.y(cursor.seat) - grid.rowHeight / 2 + 3);
}

function listen(box, { view, point, onCommit }) {
  const open = (cursor) => {
    const leaders = view.dag.rounds.get(cursor?.round)?.leaders ?? [];
    const height = leaders.find((one) => one.seat === cursor.seat)?.height;
    if (height !== null && height !== undefined) onCommit(height);
  };
  const under = (event) => {
    if (!view.grid?.rounds.length) return null;
    const place = box.getBoundingClientRect();
    const row = Math.floor((event.clientY - place.top + box.scrollTop - TOP) / view.grid.rowHeight);
    const column = Math.round((event.clientX - place.left - view.grid.label - 16) / view.grid.column);
    const round = view.grid.rounds[column]?.round;
    const seat = view.grid.seatAt(row);
    return round === undefined || seat === undefined ? null : { round, seat };
  };
  box.addEventListener("pointermove", (event) => {
    const cursor = under(event);
    if (cursor?.round === view.cursor?.round && cursor?.seat === view.cursor?.seat) return;
    if (view.grid) point(cursor);
  });
  box.addEventListener("pointerleave", () => view.grid && point(null));
  box.addEventListener("click", (event) => open(under(event)));
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && view.cursor) open(view.cursor);
    const next = moved(view, event.key);
    if (!next) return;
    event.preventDefault();
    point(next);
  });
}

function moved({ grid, cursor }, key) {
  if (!grid?.rounds.length || !key.startsWith("Arrow")) return null;
  const first = grid.rounds[0].round;
  const last = grid.rounds.at(-1).round;
  const row = cursor ? (grid.rows.get(cursor.seat) ?? 0) : 0;
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  const round = Math.min(Math.max((cursor?.round ?? last) + step[0], first), last);
  const seat = grid.seatAt(Math.min(Math.max(row + step[1], 0), grid.rows.size - 1));
  return { round, seat };
}

function legend() {
  const entry = (shape, text) =>
    h(
      "li",
      {},
      s("svg", { width: 24, height: 22, viewBox: "-12 -12 24 24", "aria-hidden": "true" }, shape),
      text,
    );
  const leader = (verdict) => s("g", { class: `dag-leader ${verdict}` }, leaderShape(verdict));
  const block = (kind) => s("circle", { class: `dag-block ${kind}`, r: RADIUS });
  return h(
    "ul",
    { class: "legend" },
    entry(block("done"), "block, committed"),
    entry(block("open"), "block, not yet"),
    entry(leader("direct"), "leader, committed directly"),
    entry(leader("indirect"), "leader, committed by a later one"),
    entry(leader("skipped"), "leader, skipped"),
    entry(leader("undecided"), "leader, undecided"),
    entry(twinMark({ round: 0, seat: 0 }, { x: () => 0, y: () => 0 }), "two blocks for one round"),
  );
}
