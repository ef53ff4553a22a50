import { get, getOrNull } from "../api.js";
import { h, replaceKeeping } from "../dom.js";
import { address, amount, badge, clip, count, hash, time, words } from "../format.js";
import { phaseWords } from "../parts/course.js";
import { live } from "../parts/live.js";
import { names } from "../parts/names.js";
import { figures, section } from "../parts/section.js";
import { table } from "../parts/table.js";
import { terms } from "../parts/terms.js";
import { state } from "./tasks.js";

const VERSIONS_PAGE = 100;
const PAGES_MAX = 5;

/** Return the title until the name of the task is known. */
export function title({ task }) {
  return `Task ${task}`;
}

/** Show one task: what it is about, its rounds with what came of each, and its terms. */
export async function show({ task }, { signal, root, heading, json }) {
  const path = `/v1/tasks/${encodeURIComponent(task)}`;
  const models = `/v1/models/${encodeURIComponent(task)}`;
  json([
    ["task", path],
    ["running round", `${path}/round`],
    ["versions", models],
  ]);
  const versionsOf = versionReader(models, signal);
  live({
    root,
    signal,
    follows: [["rounds", { task }]],
    everyMs: 2_000,
    read: async () => {
      const about = await get(path, { signal });
      const [running, versions, known] = await Promise.all([
        about.is_running ? getOrNull(`${path}/round`, { signal }) : null,
        versionsOf(about.version),
        names(),
      ]);
      return { about, running: running?.round ?? null, versions, known: [...known] };
    },
    draw: ({ about, running, versions, known }) => {
      heading(about.title ? `Task ${about.task}: ${clip(about.title, 96)}` : `Task ${about.task}`);
      replaceKeeping(
        root,
        h("div", { class: "cards" }, [aboutCard(about, new Map(known)), nowCard(about, running)]),
        roundsCard(about, versions),
        termsCard(about),
      );
    },
  });
}

/** Return a reader of the versions, which asks anew only once there is a newer one. */
function versionReader(path, signal) {
  let last = { newest: null, versions: null };
  return async (newest) => {
    if (newest !== last.newest) last = { newest, versions: await readVersions(path, signal) };
    return last.versions;
  };
}

async function readVersions(path, signal) {
  const found = [];
  let before = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const from = before === null ? "" : `&before=${before}`;
    const answer = await getOrNull(`${path}?limit=${VERSIONS_PAGE}${from}`, { signal });
    if (!answer) return { found, isComplete: false };
    found.push(...answer.versions.map(brief));
    if (answer.is_complete || !answer.versions.length) return { found, isComplete: true };
    before = found.at(-1).version;
  }
  return { found, isComplete: false };
}

function brief({ version, round, time_ms, contributors }) {
  return { version, round, time_ms, updates: contributors.length };
}

function aboutCard(task, known) {
  return section("What it is about", null, [
    task.description
      ? words(task.description, { cut: 600 })
      : h("p", { class: "muted" }, "Its sponsor says nothing more of it."),
    h("dl", { class: "facts" }, [
      fact("Organisation", task.organisation ? words(task.organisation) : "not named"),
      fact("Sponsor", address(task.sponsor, known, { view: "participant" })),
      fact("State", state(task)),
      fact(
        "Newest model",
        h("a", { href: `#/models/${task.task}` }, `version ${count(task.version)} and all before`),
      ),
      fact("Its fingerprint", hash(task.model)),
    ]),
  ]);
}

function fact(label, value) {
  return h("div", {}, h("dt", {}, label), h("dd", {}, value));
}

function nowCard(task, running) {
  const left = BigInt(task.escrow) / (BigInt(task.terms.reward) || 1n);
  return section(
    "How it stands",
    "The money of a task lies in its escrow; each round takes its reward from there.",
    [
      figures([
        ["Model version", count(task.version)],
        ["Rounds opened", count(task.rounds)],
        ["Money left", amount(task.escrow)],
        ["Rounds it still pays", BigInt(task.terms.reward) ? count(left) : "any number"],
      ]),
      running ? runningLine(task, running) : h("p", { class: "muted" }, betweenLine(task)),
    ],
  );
}

function runningLine(task, running) {
  const { title: name, text } = phaseWords(running.phase);
  const link = h(
    "a",
    { href: `#/round/${task.task}/${running.number}` },
    `Watch round ${running.number}`,
  );
  return h("div", { class: "callout tone-busy" }, [
    h("p", {}, h("strong", {}, `${name}: `), text),
    h("p", {}, link, ` with ${count(running.updates.length)} updates so far.`),
  ]);
}

function betweenLine(task) {
  if (task.is_closed) return "The task is closed; rewards that were earned can still be claimed.";
  return "No round is running. Validators open the next one by themselves while the money lasts.";
}

function roundsCard(task, { found, isComplete }) {
  const made = new Map(found.map((one) => [one.round, one]));
  const rows = Array.from({ length: task.rounds }, (_, n) => {
    const number = task.rounds - 1 - n;
    return { number, made: made.get(number) ?? null, isRunning: task.is_running && n === 0 };
  });
  const oldest = found.at(-1)?.round ?? 0;
  const result = (row) => outcome(row, isComplete || row.number >= oldest);
  const columns = [
    {
      label: "Round",
      head: true,
      sort: (row) => row.number,
      cell: (row) => h("a", { href: `#/round/${task.task}/${row.number}` }, `Round ${row.number}`),
    },
    { label: "Outcome", cell: result },
    {
      label: "Model",
      cell: (row) =>
        row.made &&
        h("a", { href: `#/model/${task.task}/${row.made.version}` }, `version ${row.made.version}`),
    },
    {
      label: "Updates in it",
      number: true,
      cell: (row) => row.made && count(row.made.updates),
    },
    { label: "When", cell: (row) => row.made && time(row.made.time_ms) },
  ];
  const list = table({
    caption: "Rounds, newest first",
    columns,
    rows,
    pageRows: 20,
    empty: "No round was opened yet.",
  });
  return section(
    "Rounds",
    "A round either commits a new version of the model or changes nothing: then the model stays as it was.",
    list,
  );
}

function outcome(row, isKnown) {
  if (row.isRunning) return badge("running", "busy");
  if (row.made) return badge("committed", "good");
  return isKnown ? badge("no new model", "warn") : badge("see the round", "plain");
}

function termsCard(task) {
  return section(
    "What the task promises",
    "These terms were fixed when the task was made; nobody can change them. A loss says how surprised the model is by held-out examples, in nats; lower is better.",
    terms(task),
  );
}
