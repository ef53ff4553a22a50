import { get, getOrNull } from "../api.js";
import { h, replaceKeeping } from "../dom.js";
import { address, badge, clip, copyButton, count, hash, score, share, time } from "../format.js";
import { barChart } from "../parts/chart.js";
import { measureName } from "../parts/course.js";
import { live } from "../parts/live.js";
import { names } from "../parts/names.js";
import { numbered } from "../parts/numbered.js";
import { QUANTA_PER_NAT } from "../parts/numbers.js";
import { section } from "../parts/section.js";
import { table } from "../parts/table.js";
import { norm } from "../parts/terms.js";

/** Return the title of the view. */
export function title({ task, version }) {
  return `Version ${version} of the model of task ${task}`;
}

/** Show one version of a model: what made it, what changed, and how to check it. */
export async function show({ task, version }, { signal, root, json }) {
  const all = `/v1/models/${encodeURIComponent(task)}`;
  const path = `${all}/${encodeURIComponent(version)}`;
  const number = numbered(version);
  json([
    ["model", path],
    ["with the guard's figures", `${all}?before=${(number ?? 0) + 1}&limit=1`],
    ["its files", `${path}/blobs`],
  ]);
  const read = async () => {
    const [model, page, about, known] = await Promise.all([
      number === 0 ? null : get(path, { signal }),
      number === null ? null : getOrNull(`${all}?before=${number + 1}&limit=1`, { signal }),
      getOrNull(`/v1/tasks/${encodeURIComponent(task)}`, { signal }),
      names(),
    ]);
    return { model, page, about, known: [...known] };
  };
  live({ root, signal, read, draw: (found) => replaceKeeping(root, sections(found, task)) });
}

function sections({ model, page, about, known }, task) {
  if (model === null) return beginning(task);
  const seen = page?.versions.find((one) => one.version === model.version) ?? null;
  return [
    links(model, about),
    h("div", { class: "halves" }, [facts(model), verify(model)]),
    made(model, new Map(known)),
    changes(seen, page),
  ];
}

function beginning(task) {
  return section("Version 0", null, [
    h(
      "p",
      {},
      "The model as the task began: the base model with an adapter made of a seed that the task's document names.",
    ),
    h("p", {}, h("a", { href: `#/models/${task}` }, "All versions since")),
    command(`hanse model verify ${Number(task)} 0 --start --genesis genesis`),
  ]);
}

function links({ task, version }, about) {
  const to = (number, text) => h("a", { href: `#/model/${task}/${number}` }, text);
  return h("nav", { class: "row", "aria-label": "Versions" }, [
    h("a", { href: `#/models/${task}` }, "All versions"),
    version > 1 ? to(version - 1, "Version before") : null,
    about && version < about.version ? to(version + 1, "Next version") : null,
    h(
      "a",
      { href: `#/task/${task}` },
      about?.title ? `Task: ${clip(about.title, 60)}` : `Task ${task}`,
    ),
  ]);
}

function facts(model) {
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  return section(
    "What it is",
    "Fingerprints name bytes: whoever has the same fingerprint has the same model, bit for bit.",
    [
      h("dl", { class: "facts" }, [
        fact("Fingerprint", hash(model.model)),
        fact("Made from", [
          h(
            "a",
            { href: `#/model/${model.task}/${model.version - 1}` },
            `version ${model.version - 1}`,
          ),
          " ",
          hash(model.parent),
        ]),
        fact(
          "Made by",
          h("a", { href: `#/round/${model.task}/${model.round}` }, `round ${model.round}`),
        ),
        fact("Committed", [
          time(model.time_ms),
          " at ",
          h("a", { href: `#/commit/${model.height}` }, `height ${count(model.height)}`),
        ]),
        fact("Size limit", norm(model.limit)),
        fact("Next size limit", norm(model.clip)),
        fact("Step", model.halvings === 0 ? "whole" : `1/${2 ** model.halvings}`),
      ]),
    ],
  );
}

function verify({ task, version }) {
  return section(
    "Check it yourself",
    "This recomputes the model from its updates on your own machine, and checks every hash against certificates of the chain. It trusts no node, only the genesis file that you got from somebody you trust.",
    [
      command(`hanse model verify ${task} ${version} --genesis genesis --node ${location.origin}`),
      h(
        "p",
        { class: "hint" },
        "Without --genesis it takes the file from the node and says so. With --start it also makes version 0 from its seed.",
      ),
    ],
  );
}

function command(text) {
  return h("div", { class: "command" }, h("code", {}, text), copyButton(text, "Copy the command"));
}

function made(model, known) {
  const rows = model.contributors.map((who, n) => ({
    who,
    weight: model.weights[n],
    score: model.scores[n],
    root: model.roots[n] ?? null,
  }));
  const columns = [
    {
      label: "Trainer",
      head: true,
      cell: (row) => address(row.who, known, { view: "participant" }),
    },
    {
      label: "Weight",
      number: true,
      sort: (row) => Number(row.weight),
      cell: (row) => share(row.weight),
    },
    {
      label: "Score",
      number: true,
      sort: (row) => Number(row.score),
      cell: (row) => score(row.score),
    },
    {
      label: "File of the update",
      cell: (row) => (row.root ? hash(row.root) : "not recorded"),
    },
  ];
  return section(
    "Who made it",
    "The weights say how much of each update is in this version; together they are 100 %. The score is the median gain that validators measured.",
    table({ caption: "Contributors", columns, rows, pageRows: 20 }),
  );
}

function changes(seen, page) {
  const hint =
    "What the median validator measured against the version before; below zero the model got better.";
  if (!seen?.changes) {
    return section(
      "What changed",
      hint,
      h(
        "p",
        { class: "muted" },
        "Not known to this node: it did not watch the round that made this version.",
      ),
    );
  }
  const rows = seen.changes.map((change, n) => ({
    name: page.guard_names[n],
    change,
    bound: page.guard_bounds[n],
  }));
  const chart = barChart({
    title: "How far each loss fell",
    description: "Striped where it rose.",
    label: "How far each loss fell",
    format: (value) => score(Math.round(value * QUANTA_PER_NAT)),
    items: rows.map(({ name, change }) => ({
      name: measureName(name),
      value: -Number(change) / QUANTA_PER_NAT,
    })),
  });
  const columns = [
    { label: "Measure", head: true, cell: ({ name }) => h("bdi", {}, measureName(name)) },
    {
      label: "Change",
      number: true,
      sort: ({ change }) => Number(change),
      cell: ({ change }) => score(change),
    },
    { label: "May rise by", number: true, cell: ({ bound }) => score(bound) },
    { label: "In words", cell: ({ change }) => better(Number(change)) },
  ];
  return section("What changed", hint, [
    rows.length > 1 ? chart : null,
    table({ caption: "Measures of the guard", columns, rows, pageRows: 20 }),
  ]);
}

function better(change) {
  if (change === 0) return badge("the same", "plain");
  return change < 0 ? badge("better", "good") : badge("worse, within its bound", "warn");
}
