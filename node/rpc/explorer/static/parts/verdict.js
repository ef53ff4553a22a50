/**
 * What validators' judgements of an update mean, in words; pure, so that it is tested without a page.
 *
 * Every sentence follows from numbers that the chain holds, and names them: whoever doubts a sentence
 * can check it. Scores are whole numbers of 100 micro-nats; positive means that the loss fell.
 */

import { counted, nats, percent, powerShare } from "./numbers.js";

const LEVEL_PART = 4;
const PEAK_PART = 64;

const BACK = "The bond comes back";
const BURNED = "The bond is burned";
const BY_SCORE = "the reputation moves by the score";

/** For each code: the chain's own words, what happened, and what it costs. */
const REASONS = {
  displaced: {
    words: "displaced by a better reputation",
    why: "the round was full, and a trainer with a better reputation came",
    cost: `${BACK}.`,
  },
  withheld: {
    words: "not revealed",
    why: "the trainer promised an update and never showed it",
    cost: `${BURNED}, and the reputation is cut by an eighth.`,
  },
  unavailable: {
    words: "not held by two thirds",
    why: "too few validators could fetch it",
    cost: `${BACK}, and the reputation stays.`,
  },
  unscored: {
    words: "not scored by two thirds",
    why: "validators with two thirds of the power gave no scores",
    cost: `${BACK}, and the reputation stays.`,
  },
  undecided: {
    words: "no two thirds agree on its facts",
    why: "validators did not agree on its validity, its size or its likeness to others",
    cost: `${BACK}, and the reputation stays.`,
  },
  malformed: {
    words: "malformed",
    why: "two thirds of the validators found its file broken or too large",
    cost: `${BURNED}, and the reputation is cut by an eighth.`,
  },
  replay: {
    words: "a replay",
    why: "two thirds of the validators found that it repeats an earlier change of the model",
    cost: `${BURNED}, the reputation is halved, and 1 % of the stake is asked for.`,
  },
  copy: {
    words: "a copy of an earlier update",
    why: "its content is that of an update promised earlier",
    cost: `${BURNED}, the reputation is halved, and 1 % of the stake is asked for.`,
  },
  twin: {
    words: "committed twice at one height",
    why: "another update with the same content was promised at the same moment, and nobody can tell whose it was",
    cost: `It earns nothing. ${BACK}, and ${BY_SCORE}.`,
  },
  low_quality: {
    words: "no better than the threshold",
    why: "it did not help enough",
    cost: `It earns nothing. ${BACK}, and the reputation moves a sixteenth of the way to 0. Nobody loses stake for low quality.`,
  },
  dropped: {
    words: "dropped by the ladder",
    why: "it helped, but the combined model failed, and it was among the weakest, which the next try went without",
    cost: `It earns nothing. ${BACK}, and ${BY_SCORE}.`,
  },
  not_committed: {
    words: "no aggregate passed",
    why: "it helped, but no combined model of this round passed",
    cost: `It earns nothing. ${BACK}, and ${BY_SCORE}.`,
  },
};
const CODES = new Map(Object.entries(REASONS).map(([code, { words }]) => [words, code]));

/** The codes of all reasons why an update may earn nothing. */
export const REASON_CODES = Object.keys(REASONS);

/** Returns the code of a verdict that is given as code or in the chain's own words. */
export function codeOf(verdict) {
  return CODES.get(verdict) ?? verdict;
}

/** Returns "accepted", "waiting", or the chain's own words for a reason. */
export function verdictName(verdict) {
  if (verdict === "pending") return "waiting";
  return REASONS[codeOf(verdict)]?.words ?? String(verdict);
}

/** Returns which tone a verdict has: good, busy, warn (not its fault), or bad. */
export function verdictTone(verdict) {
  const code = codeOf(verdict);
  if (code === "accepted") return "good";
  if (code === "pending") return "busy";
  const blameless = [
    "displaced",
    "unavailable",
    "unscored",
    "undecided",
    "dropped",
    "not_committed",
  ];
  return blameless.includes(code) ? "warn" : "bad";
}

/**
 * Counts on how many validators' examples an update helped, harmed or changed nothing.
 *
 * @param {{alone: number|string}[]} scores one of each validator that gave one
 */
export function tally(scores) {
  const helped = scores.filter((one) => Number(one.alone) > 0).length;
  const harmed = scores.filter((one) => Number(one.alone) < 0).length;
  return { helped, harmed, same: scores.length - helped - harmed, total: scores.length };
}

/** Returns "4 of 4 shards"; a shard is the set of examples that one validator keeps to itself. */
export function shards(part, total) {
  return `${part} of ${counted(total, "shard")}`;
}

/** Says which rule sets a threshold; the level is null where this node does not know it. */
export function thresholdRule({ threshold, level, epsilon }) {
  const value = Number(threshold);
  if (value === Number(epsilon)) return "the least gain that the task asks for";
  if (level !== null && value === Math.floor(Number(level) / LEVEL_PART)) {
    return `a quarter of ${nats(level)}, what a good update of this round gained`;
  }
  return `a ${PEAK_PART}th of the best that a round of this task has gained`;
}

/** Returns a score cut to the band around the median, and whether that changed it. */
export function cutToBand(given, { score, band }) {
  const low = Number(score) - Number(band);
  const high = Number(score) + Number(band);
  const value = Math.max(low, Math.min(high, Number(given)));
  return { value, isCut: value !== Number(given), low, high };
}

/**
 * Says why an update counts or does not, from an update of `.../judgement`.
 *
 * @param {object} update as the API has it
 * @param {{phase: ?string, power: ?string, quorum: ?string}} round as the API has it
 * @returns {{tone: string, sentence: string, more: string[]}}
 */
export function explain(update, round) {
  const code = codeOf(update.reason?.code ?? update.verdict);
  const tone = verdictTone(code);
  if (code === "accepted") return { tone, ...accepted(update) };
  if (code === "pending") return { tone, sentence: `waiting: ${waiting(update, round)}`, more: [] };
  const known = REASONS[code];
  if (!known) return { tone, sentence: `rejected: ${code}`, more: [] };
  const word = tone === "warn" ? "left out" : "rejected";
  const why = WHY[code]?.(update, round) ?? known.why;
  return { tone, sentence: `${word}: ${why}`, more: [...foundIn(code, update), known.cost] };
}

const WHY = {
  low_quality: lowQuality,
  unavailable: unheld,
  undecided: (update, round) => withPower(REASONS.undecided.why, update, round),
  copy: (update) => sameAs(REASONS.copy.why, update),
  twin: (update) => sameAs(REASONS.twin.why, update),
  dropped: dropped,
};

function accepted(update) {
  const found = tally(update.scores ?? []);
  const threshold = update.reason?.threshold ?? null;
  const parts = [];
  if (found.total) parts.push(`helped on ${shards(found.helped, found.total)}`);
  if (update.score !== null) parts.push(`gain ${nats(update.score)}`);
  if (threshold !== null) parts.push(`more than the threshold ${nats(threshold)}`);
  const more = [];
  if (Number(update.weight)) {
    more.push(`It has ${percent(update.weight)} of the weight in the new model.`);
  }
  if (found.harmed) {
    more.push(`The loss rose on ${shards(found.harmed, found.total)}; the median decides.`);
  }
  return { sentence: `accepted: ${parts.join(", ") || "it helps"}`, more };
}

function lowQuality(update) {
  const found = tally(update.scores ?? []);
  const harmed = found.total ? found.harmed : Number(update.reason?.rose ?? 0);
  const total = found.total || Number(update.reason?.seats ?? 0);
  const known = update.score ?? update.reason?.score ?? null;
  const threshold = update.reason?.threshold ?? null;
  const limit = threshold === null ? "what is asked" : `the threshold ${nats(threshold)}`;
  if (known === null) return `its gain is not more than ${limit}`;
  const score = Number(known);
  if (score < 0) {
    if (!total) return `the loss rose, by ${nats(-score)} in the median`;
    return `the loss rose on ${shards(harmed, total)}, by ${nats(-score)} in the median`;
  }
  if (found.total && found.same === found.total) {
    return `the loss stayed the same on ${shards(found.same, found.total)}, so it adds nothing`;
  }
  const gain = `gain of ${nats(score)} is not more than ${limit}`;
  if (!found.total) return `its ${gain}`;
  return `it helped on ${shards(found.helped, found.total)}, but its ${gain}`;
}

function unheld(update, round) {
  const { attested = null, quorum = null } = { ...update, ...update.reason };
  const needed = quorum ?? round?.quorum ?? null;
  if (attested === null || needed === null || !round?.power) return REASONS.unavailable.why;
  const [held, least] = [attested, needed].map((power) => powerShare(power, round.power));
  return `validators with ${held} of the power could fetch it; ${least} are needed`;
}

function withPower(why, update, round) {
  const agreeing = update.reason?.agreeing ?? null;
  if (agreeing === null || !round?.power) return why;
  return `${why}; the largest group that agreed has ${powerShare(agreeing, round.power)} of the power`;
}

function sameAs(why, update) {
  const original = update.reason?.original ?? null;
  return original === null || original === update.index ? why : `${why} (update ${original})`;
}

function dropped(update) {
  const rung = update.reason?.rung ?? null;
  return rung === null ? REASONS.dropped.why : `${REASONS.dropped.why} (try ${rung + 1})`;
}

function foundIn(code, update) {
  const isGood = code === "dropped" || code === "not_committed";
  return isGood && update.score !== null ? [`Its gain was ${nats(update.score)}.`] : [];
}

const WAITING = {
  commit: "promised; nobody can see it before this phase is over",
  reveal: "promised; its trainer has not shown it yet",
  availability: "shown; validators fetch it",
  "score commit": "validators measure it on examples that only they hold",
  "score reveal": "validators open their sealed scores",
  select: "the contract compares the scores",
};

function waiting(update, round) {
  const phase = round?.phase ?? null;
  if (phase === "reveal" && update.root) return "shown; others have not shown theirs yet";
  return WAITING[phase] ?? "not judged yet";
}
