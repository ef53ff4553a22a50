import { ONE } from "./numbers.js";
import { lineChart } from "./chart.js";

/**
 * Return the reputation before and after each round, null where it cannot be known.
 *
 * @param {?{initial_reputation: string, is_complete: boolean, rounds: object[]}} history of the API;
 *   where it is not complete, nobody here knows what was before the first round
 */
export function course(history) {
  let last = history?.is_complete ? Number(history.initial_reputation) : null;
  return (history?.rounds ?? []).map((one) => {
    const before = last;
    if (one.reputation !== null) last = Number(one.reputation);
    return { ...one, before, after: last, hasMoved: one.reputation !== null };
  });
}

/** Return a chart of a participant's trust score: its reputation as a fraction, round by round. */
export function trustChart(steps) {
  return lineChart({
    title: "Trust score after each round",
    description: "The reputation on the chain as a fraction: 1 for whoever always helps.",
    x: { label: "Round", format: (value) => (Number.isInteger(value) ? String(value) : "") },
    y: { label: "trust score", format: (value) => value.toFixed(3).replace(/0$/, "") },
    empty: "It has not been judged yet: a newcomer begins at 0.1.",
    series: [
      {
        name: "Trust score",
        points: steps.map((one) => [one.round, one.after === null ? null : one.after / ONE]),
      },
    ],
  });
}
