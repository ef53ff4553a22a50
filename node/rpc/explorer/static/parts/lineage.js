import { h, s } from "../dom.js";
import { count, share, short } from "../format.js";
import { ONE } from "./numbers.js";
import { scroller } from "./table.js";
import { nameOf } from "./update_card.js";

const LANES_MAX = 12;
const STEP = 64;
const LANE = 26;
const HEAD = 56;
const LEFT = 150;
const RADIUS_MAX = 10;

/**
 * Return how versions came from one another, and whose updates went into each: a drawing, and under
 * it the same as a list. `models` are versions in order, oldest first.
 */
export function lineage(models, { task, names, start }) {
  if (!models.length)
    return h("p", { class: "muted" }, "No version yet: the model is as the task began.");
  const lanes = lanesOf(models);
  const label = `Lineage of versions ${models[0].version} to ${models.at(-1).version}`;
  return [
    scroller(label, drawing(models, { lanes, task, names, label })),
    lanes.others
      ? h(
          "p",
          { class: "hint" },
          `${count(lanes.others)} more trainers with less weight are in the list only.`,
        )
      : null,
    h(
      "details",
      { "data-keep": "lineage-list" },
      h("summary", {}, "The same as a list"),
      list(models, { task, names, start }),
    ),
  ];
}

function lanesOf(models) {
  const weights = new Map();
  for (const model of models) {
    model.contributors.forEach((who, n) =>
      weights.set(who, (weights.get(who) ?? 0) + Number(model.weights[n])),
    );
  }
  const ranked = [...weights].sort(([, one], [, other]) => other - one).map(([who]) => who);
  return { shown: ranked.slice(0, LANES_MAX), others: Math.max(0, ranked.length - LANES_MAX) };
}

function drawing(models, { lanes, task, names, label }) {
  const width = LEFT + STEP * (models.length + 1);
  const height = HEAD + LANE * lanes.shown.length + 16;
  const x = (n) => LEFT + STEP * (n + 1);
  const first = models[0].version - 1;
  const attributes = {
    class: "chart-svg lineage",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "group",
  };
  return s("svg", { ...attributes, "aria-label": `${label}; the list below has the same` }, [
    lanes.shown.map((who, place) => lane(nameOf(who, names), { y: laneY(place), width })),
    s("line", { class: "trunk", x1: LEFT, x2: x(models.length - 1), y1: 24, y2: 24 }),
    s("circle", { class: "version start", cx: LEFT, cy: 24, r: 9 }),
    s("text", { x: LEFT, y: 46, "text-anchor": "middle" }, `v${first}`),
    models.map((model, n) => version(model, { x: x(n), lanes: lanes.shown, task, names })),
  ]);
}

function laneY(place) {
  return HEAD + 14 + place * LANE;
}

function lane(name, { y, width }) {
  const text = name.length > 18 ? `${Array.from(name).slice(0, 17).join("")}…` : name;
  return s("g", {}, [
    s("line", { class: "grid", x1: LEFT, x2: width, y1: y, y2: y }),
    s(
      "text",
      { x: LEFT - 12, y: y + 4, "text-anchor": "end", direction: "ltr" },
      s("tspan", { class: "isolated" }, text),
    ),
  ]);
}

function version(model, { x, lanes, task, names }) {
  const parts = model.contributors
    .map((who, n) => ({ who, weight: Number(model.weights[n]), place: lanes.indexOf(who) }))
    .filter(({ place }) => place >= 0);
  const lowest = Math.max(-1, ...parts.map(({ place }) => place));
  const dots = parts.map(({ who, weight, place }) =>
    s(
      "circle",
      {
        class: "part",
        cx: x,
        cy: laneY(place),
        r: Math.max(2.5, RADIUS_MAX * Math.sqrt(weight / ONE)),
      },
      s("title", {}, `${nameOf(who, names)}: ${share(weight)} of version ${model.version}`),
    ),
  );
  return s("g", {}, [
    lowest >= 0 ? s("line", { class: "branch", x1: x, x2: x, y1: 24, y2: laneY(lowest) }) : null,
    dots,
    s("a", { href: `#/model/${task}/${model.version}`, "aria-label": `Version ${model.version}` }, [
      s("circle", { class: "version", cx: x, cy: 24, r: 11 }),
      s("text", { class: "version-name", x, y: 28, "text-anchor": "middle" }, model.version),
    ]),
  ]);
}

function list(models, { task, names, start }) {
  const first =
    models[0].version === 1
      ? h("li", {}, `Version 0, as the task began, ${short(start ?? models[0].parent)}`)
      : null;
  return h("ol", { class: "lineage-list" }, [
    first,
    models.map((model) => entry(model, { task, names })),
  ]);
}

function entry(model, { task, names }) {
  const parts = model.contributors.map(
    (who, n) => `${nameOf(who, names)} ${share(model.weights[n])}`,
  );
  return h("li", {}, [
    h("a", { href: `#/model/${task}/${model.version}` }, `Version ${model.version}`),
    ` from version ${model.version - 1}, by `,
    h("a", { href: `#/round/${task}/${model.round}` }, `round ${model.round}`),
    ": ",
    h("bdi", {}, parts.join(", ")),
  ]);
}
