import { get, getOrNull } from "../api.js";
import { h, replaceKeeping } from "../dom.js";
import { clip, count, hash, score, time } from "../format.js";
import { lineage } from "../parts/lineage.js";
import { live } from "../parts/live.js";
import { names } from "../parts/names.js";
import { quality } from "../parts/quality.js";
import { section } from "../parts/section.js";
import { table } from "../parts/table.js";

const PAGE = 50;
const VERSIONS_MAX = 500;

/** Return the title until the name of the task is known. */
export function title({ task }) {
  return `Models of task ${task}`;
}

/** Show how the model of a task came to be, version by version, newest known to oldest asked for. */
export async function show({ task }, { signal, root, heading, json }) {
  const path = `/v1/models/${encodeURIComponent(task)}`;
  const about = `/v1/tasks/${encodeURIComponent(task)}`;
  json([
    ["versions", path],
    ["task", about],
  ]);
  let wanted = PAGE;
  const again = live({
    root,
    signal,
    follows: [["rounds", { task }]],
    matters: (notice) => ["ModelCommitted", "RoundEnded"].includes(notice.event?.event?.name),
    everyMs: 2_000,
    read: async () => {
      const [page, described, known] = await Promise.all([
        versionsOf(path, wanted, signal),
        getOrNull(about, { signal }),
        names(),
      ]);
      return { page, described, known: [...known] };
    },
    draw: ({ page, described, known }) => {
      if (described?.title) heading(`Models of task ${task}: ${clip(described.title, 80)}`);
      const more = () => {
        wanted = Math.min(wanted + PAGE, VERSIONS_MAX);
        again();
      };
      const isFirst = !root.querySelector(".lineage");
      replaceKeeping(
        root,
        sections(page, {
          task,
          names: new Map(known),
          more: page.isComplete || wanted >= VERSIONS_MAX ? null : more,
        }),
      );
      // The newest versions are on the right, and what most come for.
      if (isFirst) root.querySelector(".lineage")?.parentElement.scrollTo({ left: 1e6 });
    },
  });
}

async function versionsOf(path, wanted, signal) {
  const found = [];
  let last = null;
  do {
    const before = found.length ? `&before=${found.at(-1).version}` : "";
    last = await get(`${path}?limit=${PAGE}${before}`, { signal });
    found.push(...last.versions);
  } while (!last.is_complete && last.versions.length && found.length < wanted);
  const versions = found.slice(0, wanted).reverse();
  return { ...last, versions, isComplete: last.is_complete && found.length <= wanted };
}

function sections(
  { start, latest, versions, guard_names: measures, isComplete },
  { task, names: known, more },
) {
  const back = h(
    "nav",
    { class: "row", "aria-label": "Task" },
    h("a", { href: `#/task/${task}` }, `Task ${task}`),
  );
  if (!versions.length) {
    return [
      back,
      section(
        "Versions",
        null,
        h(
          "p",
          { class: "muted" },
          "No round has made a version yet: the model is as the task began.",
        ),
      ),
    ];
  }
  const older =
    more &&
    h(
      "button",
      { type: "button", class: "button", "data-keep": "older", on: { click: more } },
      "Show older versions",
    );
  const size = `${count(latest)} so far${isComplete ? "" : `, the newest ${count(versions.length)} are shown`}.`;
  return [
    back,
    section("Lineage", LINEAGE, [lineage(versions, { task, names: known, start }), older]),
    section("Quality", QUALITY, quality(versions, measures)),
    section(
      "Versions",
      `${size} A fingerprint names the bytes of a model: equal fingerprints, equal models.`,
      list(versions, task),
    ),
  ];
}

const LINEAGE =
  "Each version is the one before plus the weighted updates of its round. Below it stand the trainers whose updates it holds; a " +
  "larger dot has more weight.";
const QUALITY =
  "The loss says how surprised the model is by examples it has not learned from, in nats: lower is better.";

function list(versions, task) {
  const columns = [
    {
      label: "Version",
      head: true,
      sort: (one) => one.version,
      cell: (one) => h("a", { href: `#/model/${task}/${one.version}` }, `Version ${one.version}`),
    },
    {
      label: "Round",
      sort: (one) => one.round,
      cell: (one) => h("a", { href: `#/round/${task}/${one.round}` }, `Round ${one.round}`),
    },
    { label: "Updates", number: true, cell: (one) => count(one.contributors.length) },
    {
      label: "Loss change",
      number: true,
      sort: ({ changes }) => Number(changes?.[0] ?? 0),
      cell: ({ changes }) => (changes ? score(changes[0]) : "not known here"),
    },
    { label: "Fingerprint", cell: (one) => hash(one.model) },
    { label: "When", sort: (one) => one.time_ms, cell: (one) => time(one.time_ms) },
  ];
  return table({
    caption: "Versions, newest first",
    columns,
    rows: [...versions].reverse(),
    pageRows: 20,
  });
}
