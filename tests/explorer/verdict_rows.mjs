/** Answer on standard output what the explorer makes of the rows that come on standard input. */

import { readFileSync } from "node:fs";

import { part } from "./parts.mjs";

const { codeOf, explain } = await part("verdict");
const { costOf, cut, judged, step } = await part("trust");
const { PHASES } = await part("course");

const ROUND = { phase: null, power: null, quorum: null };
const rows = JSON.parse(readFileSync(0, "utf8"));

function said(reason) {
  const update = {
    index: 0,
    verdict: reason,
    scores: [],
    score: null,
    weight: "0",
    reason: null,
  };
  return { code: codeOf(reason), ...explain(update, ROUND) };
}

const answer = {
  reasons: rows.reasons.map(said),
  faults: rows.faults.map(costOf),
  phases: PHASES.map(([name]) => name),
  judged: rows.judged.map(({ reputation, target }) => judged(reputation, target)),
  cut: rows.cut.map(({ reputation, eighths }) => cut(reputation, eighths)),
  steps: rows.steps.map(({ before, after }) => step(before, after)),
};
process.stdout.write(JSON.stringify(answer));
