import { h } from "../dom.js";
import { lineChart } from "./chart.js";
import { measureName } from "./course.js";
import { QUANTA_PER_NAT, plainNats } from "./numbers.js";

const CLASSES_MAX = 8;
const VERSION = {
  label: "Version",
  format: (value) => (Number.isInteger(value) ? String(value) : ""),
};
const CHANGE = { label: "nats", format: (value) => plainNats(Math.round(value * QUANTA_PER_NAT)) };

/**
 * Return charts of how the model's quality went: the loss added up, the change of each version, and
 * the change of each class. `versions` are as the API lists them, but oldest first, `measures` the names of what the guard measures; what this node does
 * not know is a gap.
 */
export function quality(versions, measures) {
  if (!versions.some(({ changes }) => changes)) {
    return h(
      "p",
      { class: "muted" },
      "This node knows no reports of the guard of these versions: it did not watch their rounds.",
    );
  }
  const first = versions[0].version - 1;
  const charts = [
    summed(versions) ?? null,
    lineChart({
      title: "Change of the loss with each version",
      description: "Below zero is better. What the median validator measured on held-out examples.",
      x: VERSION,
      y: CHANGE,
      zero: true,
      series: [{ name: "Loss", points: points(versions, 0) }],
    }),
    classes(versions, measures),
  ];
  return [
    h(
      "p",
      { class: "hint" },
      `Measured by the guard of each round, against the version before; from version ${first} on.`,
    ),
    h("div", { class: "charts" }, charts),
  ];
}

function points(versions, measure) {
  return versions.map(({ version, changes }) => [
    version,
    changes ? Number(changes[measure]) / QUANTA_PER_NAT : null,
  ]);
}

function summed(versions) {
  if (!versions.every(({ changes }) => changes)) return null;
  const first = versions[0].version - 1;
  let sum = 0;
  const added = versions.map(({ version, changes }) => [
    version,
    (sum += Number(changes[0])) / QUANTA_PER_NAT,
  ]);
  return lineChart({
    title: `Loss against version ${first}`,
    description: "Below zero is better. The changes of all versions added up.",
    x: VERSION,
    y: CHANGE,
    zero: true,
    series: [{ name: "Loss", points: [[first, 0], ...added] }],
  });
}

function classes(versions, measures) {
  if (measures.length < 2) return null;
  const shown = measures.slice(1, 1 + CLASSES_MAX);
  const more = measures.length - 1 - shown.length;
  return lineChart({
    title: "Change of each class with each version",
    description: `Below zero is better.${more > 0 ? ` ${more} more are in the table of each version.` : ""}`,
    x: VERSION,
    y: CHANGE,
    zero: true,
    series: shown.map((name, n) => ({
      name: measureName(name),
      points: points(versions, n + 1),
    })),
  });
}
