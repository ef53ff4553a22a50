const ROUNDS_KEPT = 60;
/** Rounds that may come between two questions, and those whose blocks may still be committed. */
const AHEAD = 24;
/** Asked for in steps, as the node draws them: 30 rounds or 60, one picture for all who ask. */
const STEP = 30;

/**
 * Return an empty picture of the last rounds; `take` puts the node's answers into it.
 *
 * It holds at most 60 rounds, so a page that stays open does not grow.
 */
export function emptyDag() {
  return { lanes: [], rounds: new Map(), last: -1, hasGap: false, source: null, epoch: 0 };
}

/** Return the path that asks for what may have changed since the last answer. */
export function dagPath(dag) {
  const open = [...dag.rounds.values()].filter(isOpen).map(({ round }) => round);
  const isNew = dag.last < 0 || dag.hasGap;
  const wanted = isNew ? ROUNDS_KEPT : dag.last - Math.min(dag.last, ...open) + AHEAD;
  return `/v1/dag?rounds=${Math.min(ROUNDS_KEPT, Math.ceil(wanted / STEP) * STEP)}`;
}

function isOpen({ leaders }) {
  return leaders.some((leader) => leader.verdict === "undecided");
}

/** Take an answer: its rounds replace those held, and a new epoch or another chain all of them. */
export function take(dag, answer) {
  if (answer.epoch !== dag.epoch || answer.last_round < dag.last) dag.rounds.clear();
  dag.lanes = [...answer.lanes].sort((one, other) => one.seat - other.seat);
  dag.epoch = answer.epoch;
  dag.source = answer.source;
  dag.hasGap = dag.last >= 0 && answer.first_round > dag.last + 1;
  if (dag.hasGap) dag.rounds.clear();
  dag.last = answer.last_round;
  for (let round = answer.first_round; round <= answer.last_round; round += 1) {
    dag.rounds.set(round, { round, blocks: [], leaders: [], twins: [] });
  }
  answer.blocks.forEach((block) => dag.rounds.get(block.round)?.blocks.push(block));
  answer.leaders.forEach((leader) => dag.rounds.get(leader.round)?.leaders.push(leader));
  answer.twins.forEach((twin) => dag.rounds.get(twin.round)?.twins.push(twin));
  for (const round of dag.rounds.keys()) {
    if (round <= answer.last_round - ROUNDS_KEPT) dag.rounds.delete(round);
  }
}

/** Return the last so many rounds, oldest first. */
export function lastRounds(dag, count) {
  const wanted = [...dag.rounds.keys()].sort((one, other) => one - other).slice(-count);
  return wanted.map((round) => dag.rounds.get(round));
}

export const VERDICTS = {
  direct: { text: "committed directly", sign: "◆", tone: "good" },
  indirect: { text: "committed indirectly", sign: "◈", tone: "good" },
  committed: { text: "committed (how is not known here)", sign: "◆", tone: "good" },
  skipped: { text: "skipped", sign: "✕", tone: "warn" },
  undecided: { text: "not decided yet", sign: "?", tone: "busy" },
  unknown: { text: "decided before this node watched", sign: "·", tone: "plain" },
};

/** Return the picture in one or two sentences. */
export function summary(dag, rounds) {
  if (!rounds.length) return "No round has been seen yet.";
  const leaders = rounds.flatMap((one) => one.leaders);
  const parts = Object.entries(VERDICTS)
    .map(([verdict, { text }]) => [leaders.filter((one) => one.verdict === verdict).length, text])
    .filter(([size]) => size)
    .map(([size, text]) => `${size} ${text}`);
  const twins = rounds.flatMap((one) => one.twins).length;
  const blocks = rounds.reduce((total, one) => total + one.blocks.length, 0);
  const span = `Rounds ${rounds[0].round} to ${rounds.at(-1).round}: ${blocks} blocks of ${
    dag.lanes.length
  } validators.`;
  const lied = twins
    ? ` ${twins === 1 ? "One validator" : `${twins} times a validator`} made two blocks for one round.`
    : " No validator made two blocks for one round.";
  return `${span} Leaders: ${parts.join(", ") || "none yet"}.${lied}`;
}

/** Return the name of a lane, or the short operator where it has none. */
export function laneName(lane) {
  return lane.name || `…${lane.operator.slice(-6)}`;
}

/** Return what a block is, in words. */
export function blockWords(dag, { round, seat }) {
  const held = dag.rounds.get(round);
  const lane = dag.lanes.find((one) => one.seat === seat);
  if (!held || !lane) return "";
  const block = held.blocks.find((one) => one.seat === seat);
  const leader = held.leaders.find((one) => one.seat === seat);
  const isTwin = held.twins.some((one) => one.seat === seat);
  const parts = [`Round ${round}, ${laneName(lane)}:`];
  if (!block) parts.push("no block seen.");
  else {
    const size = block.transactions;
    parts.push(`${size} ${size === 1 ? "transaction" : "transactions"},`);
    parts.push(block.is_committed ? "committed." : "not committed yet.");
  }
  if (leader) parts.push(`Leader, ${VERDICTS[leader.verdict].text}.`);
  if (leader?.height !== null && leader?.height !== undefined) parts.push(`Commit ${leader.height}.`);
  if (isTwin) parts.push("Two blocks for one round: it lied.");
  return parts.join(" ");
}
