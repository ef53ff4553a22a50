import { h, replace, s } from "../dom.js";
import { table } from "./table.js";

const HEIGHT = 220;
const WIDTH_MIN = 240;
const WIDTH_MAX = 900;
const MARGIN = { left: 64, right: 16, top: 12, bottom: 40 };
const MARKS = ["circle", "square", "triangle", "diamond", "cross"];
const SERIES_MAX = 8;
const MARKED_POINTS_MAX = 60;
const LABEL_PX = 84;

let serial = 0;

/**
 * Return a line chart as a figure with a method `update(series)`.
 *
 * `x` and `y` are `{label, format?(value)}`; `series` are `{name, points: [[x, y], ...]}` with
 * numbers, y null for a gap; each has a colour, a mark and a dash of its own. The same numbers are
 * in a table behind a disclosure. `zero` keeps the zero of y in sight.
 */
export function lineChart({ title, description, x, y, series, zero = false, empty, height }) {
  return chart({ title, description, x, y, values: series, zero, empty, height, kind: lines });
}

/**
 * Return a bar chart as a figure with a method `update(items)`: `{name, value, note?}` each, with
 * the number beside its bar. It is one row per item, so names may be long.
 */
export function barChart({ title, description, items, format = String, label, empty }) {
  const figure = h("figure", { class: "chart bars" });
  figure.update = (next) => {
    const size = Math.max(1e-12, ...next.map((item) => Math.abs(item.value)));
    replace(
      figure,
      h("figcaption", {}, h("strong", {}, title), description && h("span", {}, ` ${description}`)),
      next.length ? barList(next, { size, format, label }) : h("p", { class: "muted" }, empty),
    );
  };
  figure.update(items);
  return figure;
}

function barList(items, { size, format, label }) {
  const bar = (item) => {
    const fill = h("span", {
      class: `bar-fill${item.value < 0 ? " negative" : ""}`,
      style: { "inline-size": `${(100 * Math.abs(item.value)) / size}%` },
    });
    return h(
      "li",
      {},
      h("span", { class: "bar-name" }, item.shown ?? h("bdi", {}, item.name)),
      h("span", { class: "bar-track", "aria-hidden": "true" }, fill),
      h("span", { class: "bar-value number" }, format(item.value), item.note && ` ${item.note}`),
    );
  };
  return h("ul", { class: "bar-list", "aria-label": label }, items.map(bar));
}

function chart({ title, description, x, y, values, zero, empty, height = HEIGHT, kind }) {
  const place = h("div", { class: "chart-place" });
  const figure = h("figure", { class: "chart" });
  const id = `chart-${(serial += 1)}`;
  let shown = values;
  let width = 0;
  const draw = () => {
    const drawn = kind(shown, { id, title, description, x, y, zero, width, height });
    replace(place, drawn ?? h("p", { class: "muted" }, empty ?? "Nothing to draw yet."));
  };
  const resized = new ResizeObserver(([entry]) => {
    const next = Math.round(Math.min(Math.max(entry.contentRect.width, WIDTH_MIN), WIDTH_MAX));
    if (next === width) return;
    width = next;
    requestAnimationFrame(draw);
  });
  resized.observe(place);
  const legend = h("ul", { class: "legend" });
  const numbers = numbersOf({ title, x, y, read: () => shown });
  figure.update = (next) => {
    shown = next;
    replace(legend, next.length > 1 ? next.map(legendItem) : []);
    numbers.update();
    if (width) draw();
  };
  const caption = h("figcaption", {}, h("strong", {}, title), description && ` ${description}`);
  replace(figure, caption, legend, place, numbers.element);
  figure.update(values);
  return figure;
}

function numbersOf({ title, x, y, read }) {
  const place = h("div");
  const element = h("details", { class: "chart-numbers" }, h("summary", {}, "Numbers"), place);
  const update = () => {
    // The table is made only for who opens it.
    if (element.open) replace(place, numberTable(read(), { title, x, y }));
  };
  element.addEventListener("toggle", update);
  return { element, update };
}

function numberTable(series, { title, x, y }) {
  const rows = new Map();
  series.forEach((one, place) => {
    for (const [at, value] of one.points) {
      if (!rows.has(at)) rows.set(at, { at, values: [] });
      rows.get(at).values[place] = value;
    }
  });
  const cells = series.map((one, place) => ({
    label: series.length > 1 ? one.name : y.label,
    number: true,
    cell: (row) => shownNumber(row.values[place], y),
  }));
  return table({
    caption: `${title}: numbers`,
    columns: [{ label: x.label, head: true, cell: (row) => shownNumber(row.at, x) }, ...cells],
    rows: [...rows.values()].sort((one, other) => one.at - other.at),
    pageRows: 20,
  });
}

function shownNumber(value, { format = plain }) {
  return value === null || value === undefined ? "–" : format(value);
}

function plain(value) {
  return String(Number(value.toPrecision(6)));
}

function lines(series, { id, title, description, x, y, zero, width, height }) {
  const points = series.flatMap((one) => one.points.filter(([, value]) => value !== null));
  if (!points.length) return null;
  const across = scale(points.map(([at]) => at), [MARGIN.left, width - MARGIN.right]);
  const up = scale(
    [...points.map(([, value]) => value), ...(zero ? [0] : [])],
    [height - MARGIN.bottom, MARGIN.top],
    0.06,
  );
  return s(
    "svg",
    {
      class: "chart-svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-labelledby": `${id}-t ${id}-d`,
    },
    s("title", { id: `${id}-t` }, title),
    s("desc", { id: `${id}-d` }, description ?? `${y.label} over ${x.label}`),
    axes({ across, up, x, y, width, height }),
    series.slice(0, SERIES_MAX).map((one, place) => line(one, { place, across, up })),
  );
}

function axes({ across, up, x, y, width, height }) {
  const bottom = height - MARGIN.bottom;
  const right = width - MARGIN.right;
  const format = { x: x.format ?? plain, y: y.format ?? plain };
  const columns = Math.max(2, Math.floor((width - MARGIN.left) / LABEL_PX));
  return [
    up.ticks(4).map((value) => [
      s("line", { class: "grid", x1: MARGIN.left, x2: right, y1: up(value), y2: up(value) }),
      s("text", { x: MARGIN.left - 8, y: up(value) + 4, "text-anchor": "end" }, format.y(value)),
    ]),
    across.ticks(columns).map((value) => [
      s("line", { class: "grid tick", x1: across(value), x2: across(value), y1: bottom, y2: bottom + 4 }),
      s("text", { x: across(value), y: bottom + 17, "text-anchor": "middle" }, format.x(value)),
    ]),
    s("line", { class: "axis", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }),
    s("text", { class: "axis-label", x: right, y: height - 6, "text-anchor": "end" }, x.label),
    s("text", { class: "axis-label", x: 0, y: height - 6 }, `↑ ${y.label}`),
  ];
}

function line({ name, points }, { place, across, up }) {
  const drawn = points.filter(([, value]) => value !== null);
  let isBroken = true;
  const path = points.map(([at, value]) => {
    if (value === null) {
      isBroken = true;
      return "";
    }
    const step = `${isBroken ? "M" : "L"}${across(at).toFixed(1)} ${up(value).toFixed(1)}`;
    isBroken = false;
    return step;
  });
  const marked = drawn.length <= MARKED_POINTS_MAX ? drawn : [drawn.at(-1)];
  return s(
    "g",
    { class: `series series-${place % SERIES_MAX}` },
    s("title", {}, name),
    s("path", { d: path.join(""), fill: "none" }),
    marked.map(([at, value]) => mark(MARKS[place % MARKS.length], across(at), up(value))),
  );
}

function legendItem({ name }, place) {
  const shape = mark(MARKS[place % MARKS.length], 12, 7);
  const key = s("svg", { width: 24, height: 14, "aria-hidden": "true" }, [
    s("g", { class: `series series-${place % SERIES_MAX}` }, s("path", { d: "M0 7H24" }), shape),
  ]);
  return h("li", {}, key, h("bdi", {}, name));
}

/** Return a mark of a series ("circle", "square", ...) at a place, as an SVG element. */
export function mark(kind, x, y, size = 3.5) {
  const at = (dx, dy) => `${(x + dx * size).toFixed(1)} ${(y + dy * size).toFixed(1)}`;
  const path = (steps) => s("path", { class: "mark", d: steps });
  switch (kind) {
    case "square":
      return path(`M${at(-1, -1)}L${at(1, -1)}L${at(1, 1)}L${at(-1, 1)}Z`);
    case "triangle":
      return path(`M${at(0, -1.2)}L${at(1.1, 0.9)}L${at(-1.1, 0.9)}Z`);
    case "diamond":
      return path(`M${at(0, -1.3)}L${at(1.3, 0)}L${at(0, 1.3)}L${at(-1.3, 0)}Z`);
    case "cross":
      return path(`M${at(-1, -1)}L${at(1, 1)}M${at(1, -1)}L${at(-1, 1)}`);
    default:
      return s("circle", { class: "mark", cx: x.toFixed(1), cy: y.toFixed(1), r: size });
  }
}

/** Return a linear scale over the values' range, with `ticks(count)` at round numbers. */
export function scale(values, [from, to], slack = 0) {
  let low = values.reduce((least, value) => Math.min(least, value), Infinity);
  let high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  if (low === high) {
    const room = Math.abs(low) * 0.1;
    [low, high] = low === 0 ? [0, 1] : [low - room, high + room];
  }
  const room = (high - low) * slack;
  // What begins at zero is drawn on the axis.
  [low, high] = [low === 0 ? 0 : low - room, high + room];
  const place = (value) => from + ((value - low) / (high - low)) * (to - from);
  place.ticks = (about) => {
    const raw = (high - low) / Math.max(1, about);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw);
    const first = Math.ceil(low / step);
    const last = Math.floor(high / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, n) => (first + n) * step);
  };
  return place;
}
