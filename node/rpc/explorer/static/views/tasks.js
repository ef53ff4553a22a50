import { get } from "../api.js";
import { h, replace } from "../dom.js";
import { amount, badge, clip, count } from "../format.js";
import { live } from "../parts/live.js";
import { section } from "../parts/section.js";
import { table } from "../parts/table.js";

const PAGE = 50;
const TASKS_MAX = 1_000;

/** Return the title of the view. */
export function title() {
  return "Tasks";
}

/** Show every federated task of the chain, as new as the chain. */
export async function show(_params, { signal, root, json }) {
  json([["tasks", `/v1/tasks?limit=${PAGE}`]]);
  const list = table({
    caption: "All tasks",
    columns: COLUMNS,
    rows: [],
    empty: EMPTY,
    keyOf: (one) => String(one.task),
  });
  const note = h("p", { class: "hint" });
  live({
    root,
    signal,
    read: readAll,
    follows: [["rounds", {}]],
    everyMs: 3_000,
    draw: ({ count: all, tasks }) => {
      list.update(tasks);
      replace(
        note,
        all > tasks.length ? `Showing the first ${count(tasks.length)} of ${count(all)}.` : "",
      );
      if (!list.isConnected) replace(root, section("What is being trained", HINT, [note, list]));
    },
  });
}

const HINT =
  "A task is a model that several organisations improve together. Its sponsor says what is trained " +
  "and what is paid; its rounds go by themselves. Data never leave the organisations.";
const EMPTY = "There is no task yet. A sponsor makes one with: hanse task create";

const COLUMNS = [
  { label: "Task", head: true, sort: (task) => task.task, cell: name },
  {
    label: "Organisation",
    sort: (task) => task.organisation,
    cell: ({ organisation }) => bdi(organisation),
  },
  { label: "State", cell: state },
  { label: "Model version", number: true, sort: (task) => task.version, cell: version },
  {
    label: "Rounds",
    number: true,
    sort: (task) => task.rounds,
    cell: (task) => count(task.rounds),
  },
  {
    label: "Reward a round",
    number: true,
    sort: (task) => BigInt(task.terms.reward),
    cell: (task) => amount(task.terms.reward),
  },
  {
    label: "Money left",
    number: true,
    sort: (task) => BigInt(task.escrow),
    cell: (task) => amount(task.escrow),
  },
];

function bdi(text) {
  return text ? h("bdi", { class: "brief", title: clip(text, 500) }, clip(text, 60)) : "";
}

function name(task) {
  return h(
    "a",
    { href: `#/task/${task.task}` },
    `${task.task}: `,
    bdi(task.title) || "without a title",
  );
}

function version(task) {
  return h("a", { href: `#/models/${task.task}` }, count(task.version));
}

/** Return where a task stands, as a badge. */
export function state(task) {
  if (task.is_closed) return badge("closed", "plain");
  if (task.is_closing) return badge("closes after this round", "warn");
  if (task.is_running) return badge(`round ${task.rounds - 1} is running`, "busy");
  return badge("between two rounds", "plain");
}

async function readAll(signal) {
  const tasks = [];
  for (;;) {
    const page = await get(`/v1/tasks?first=${tasks.length}&limit=${PAGE}`, { signal });
    tasks.push(...page.tasks);
    if (!page.tasks.length || tasks.length >= Math.min(page.count, TASKS_MAX))
      return { count: page.count, tasks };
  }
}
