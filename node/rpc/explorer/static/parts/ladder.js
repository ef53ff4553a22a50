import { h } from "../dom.js";
import { address, badge, hash } from "../format.js";
import { guardSentence, measureName, rungSentence } from "./course.js";
import { powerShare, signed } from "./numbers.js";
import { table } from "./table.js";

const TONES = { running: "busy", committed: "good" };
const NAMES = {
  running: "under way",
  committed: "passed",
  refused: "refused",
  no_quorum_of_votes: "no agreement",
  no_quorum_of_reports: "no quorum",
  unknown: "not known here",
};

/** Return every rung of the ladder with its votes, and what the guard found. */
export function ladder(judgement, { names }) {
  return h(
    "ol",
    { class: "rungs" },
    judgement.rungs.map((rung) =>
      h("li", { class: "stack tight" }, rungParts(rung, judgement, names)),
    ),
  );
}

function rungParts(rung, judgement, names) {
  return [
    h("div", { class: "row" }, [
      h("strong", {}, `Try ${rung.rung + 1}`),
      badge(NAMES[rung.result] ?? rung.result, TONES[rung.result] ?? "warn"),
    ]),
    h("p", {}, rungSentence(rung)),
    h("p", {}, votes(rung, judgement)),
    h("p", {}, h("strong", {}, "Guard: "), guardSentence(rung, judgement)),
    rung.medians ? measures(rung, judgement) : null,
    rung.reports.length ? reports(rung, judgement, names) : null,
  ];
}

function votes(rung, { quorum, power }) {
  const kinds = new Set(rung.votes.map((vote) => vote.hash)).size;
  const known = quorum !== null && power !== null;
  const parts = known
    ? `${powerShare(rung.agreeing, power)} of the power agree; ${powerShare(quorum, power)} are needed. `
    : "";
  const spread = kinds > 1 ? `The votes name ${kinds} different models. ` : "";
  return [
    parts,
    spread,
    rung.aggregate
      ? ["Combined model ", hash(rung.aggregate)]
      : "No combined model has two thirds.",
  ];
}

function measures(rung, { guard_names: labels, guard_bounds: bounds }) {
  const rows = rung.medians.map((median, n) => ({ name: labels[n], median, bound: bounds[n] }));
  return table({
    caption: `Try ${rung.rung + 1}: what the guard measured, in nats; a rise is worse`,
    columns: [
      { label: "Measure", head: true, cell: (row) => h("bdi", {}, measureName(row.name)) },
      { label: "Median change", number: true, cell: (row) => signed(row.median) },
      { label: "May rise by", number: true, cell: (row) => signed(row.bound) },
      { label: "Kept", cell: (row) => kept(row) },
    ],
    rows,
  });
}

function kept({ median, bound }) {
  return Number(median) <= Number(bound)
    ? badge("within its bound", "good")
    : badge("too much", "bad");
}

function reports(rung, { seats, guard_names: labels }, names) {
  const validators = new Map(seats.map((seat) => [seat.seat, seat.validator]));
  const columns = [
    {
      label: "Validator",
      head: true,
      cell: (one) => address(validators.get(one.seat), names, { view: "participant" }),
    },
    ...labels.map((name, n) => ({
      label: measureName(name),
      number: true,
      cell: (one) => (one.changes[n] === undefined ? "" : signed(one.changes[n])),
    })),
  ];
  const list = table({
    caption: `Try ${rung.rung + 1}: each validator's report, in nats; a rise is worse`,
    columns,
    rows: rung.reports,
    pageRows: 16,
  });
  return h(
    "details",
    { "data-keep": `reports-${rung.rung}` },
    h("summary", {}, "Each validator's report"),
    list,
  );
}
