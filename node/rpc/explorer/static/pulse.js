import { get } from "./api.js";
import { every, gathered } from "./pace.js";
import { follow, onAnew } from "./stream.js";

const KEPT = 240;
const FIRST_READ = 100;
const STATUS_EVERY_MS = 5_000;
const CLOCK_EVERY_MS = 1_200;
const WINDOW_MS = 30_000;
const CLOCK_FORGETS = 1.05;
/** An answer that took longer says too little of the node's clock to tell by it how old the head is. */
const CLOCK_TOOK_MS_MAX = 400;

/** Return one page of the commits of this node, newest first, those before a height if given. */
export function commits({ before = null, limit = 25, signal }) {
  return get(`/v1/commits?limit=${limit}${before === null ? "" : `&before=${before}`}`, { signal });
}

const CLOCKLESS = { clockOffset: null, clockTook: Infinity, reading: null };
const UNSEEN = { status: null, isCurrent: false, commits: [], finality: [], grewAt: null };

/**
 * Watch how the chain beats, until the signal is aborted; `onBeat(pulse)` is called after every
 * change, gathered. Return the pulse: `{status, commits, finality, clockOffset}`, where `commits`
 * are the newest, oldest first, and `finality` is `[height, ms]` of those seen being certified by
 * a node that is not catching up. `clockOffset` is the node's clock less ours, null until both
 * could be compared.
 */
export function watchPulse({ signal, everyMs = 500 }, onBeat) {
  const pulse = { ...UNSEEN, ...CLOCKLESS };
  const beat = gathered(() => onBeat(pulse), { everyMs, signal });
  const readStatus = () => attempt(async () => {
    const asked = Date.now();
    pulse.status = await get("/v1/status", { signal });
    pulse.isCurrent = true;
    const took = Date.now() - asked;
    pulse.reading = { ...pulse.status, at: asked + took / 2, took, isUsed: false };
    adjustClock(pulse);
    beat();
  }, beat);
  const readCommits = () => attempt(async () => {
    const answer = await commits({ limit: FIRST_READ, signal });
    merge(pulse, answer.commits);
    adjustClock(pulse);
    beat();
  }, beat);
  const readAll = () => {
    // A node that was away may be catching up, whatever it said before.
    pulse.isCurrent = false;
    readStatus();
    readCommits();
  };
  follow("commits", { signal }, (notice) => {
    const { commits: seen } = pulse;
    if (notice.type === "commit") {
      const isHole = seen.length && notice.height > seen.at(-1).height + 1;
      merge(pulse, [{ ...notice, is_final: false }]);
      adjustClock(pulse);
      // What came before the node told us of commits, or while it told us nothing.
      if (isHole) readCommits();
    } else certify(pulse, notice);
    beat();
  });
  onAnew(readAll, { signal });
  every(STATUS_EVERY_MS, readStatus, { signal });
  every(CLOCK_EVERY_MS, () => pulse.clockTook > CLOCK_TOOK_MS_MAX && readStatus(), { signal });
  readAll();
  return pulse;
}

async function attempt(read, beat) {
  try {
    await read();
  } catch (error) {
    if (error.name === "AbortError") return;
    beat();
  }
}

function merge(pulse, found) {
  const byHeight = new Map(pulse.commits.map((one) => [one.height, one]));
  for (const one of found) byHeight.set(one.height, { ...byHeight.get(one.height), ...one });
  const ordered = [...byHeight.values()].sort((one, other) => one.height - other.height);
  if (ordered.at(-1)?.height !== pulse.commits.at(-1)?.height) pulse.grewAt = Date.now();
  pulse.commits = ordered.slice(-KEPT);
}

/** The time of a certificate is by the clock of the node, that of its commit by those of many. */
function certify(pulse, { height, formed_ms: formed }) {
  for (const one of pulse.commits) {
    if (one.height > height || one.is_final) continue;
    one.is_final = true;
    // An idle chain signs every few commits: only those that were to be signed tell the delay.
    if (one.checkpoint === null || one.checkpoint === undefined) continue;
    // A certificate before its commit is the clock's error, not a fast chain.
    // A node that catches up forms nothing: it fetches what others formed long before.
    const isFormedNow = pulse.isCurrent && pulse.status.is_ready;
    if (one.height === height && formed >= one.time_ms && isFormedNow) {
      pulse.finality.push([height, formed - one.time_ms]);
    }
  }
  pulse.finality = pulse.finality.slice(-KEPT);
  if (pulse.status) {
    pulse.status.certified_height = Math.max(pulse.status.certified_height ?? 0, height);
  }
}

/**
 * Learn of the node's clock by its last reading, once the head that it names is known: that is told
 * a little later. A quick answer tells it best; a slow one counts only until a quicker comes.
 */
function adjustClock(pulse) {
  const { reading } = pulse;
  if (!reading || reading.isUsed) return;
  const head = pulse.commits.find((one) => one.height === reading.height);
  if (!head) return;
  reading.isUsed = true;
  if (reading.took > pulse.clockTook) {
    pulse.clockTook *= CLOCK_FORGETS;
    return;
  }
  pulse.clockOffset = head.time_ms + reading.head_age_ms - reading.at;
  pulse.clockTook = reading.took;
}

/** Return the time by the node's clock, null while it is not known. */
export function nodeNow(pulse) {
  return pulse.clockOffset === null ? null : Date.now() + pulse.clockOffset;
}

/** Return what the figures say: rates over the last 30 s of the chain, ages by its clock. */
export function readings(pulse) {
  const head = pulse.commits.at(-1) ?? null;
  const now = nodeNow(pulse);
  const since = Math.max(now ?? 0, head?.time_ms ?? 0) - WINDOW_MS;
  const recent = pulse.commits.filter((one) => one.time_ms >= since);
  const span = recent.length > 1 ? recent.at(-1).time_ms - recent[0].time_ms : 0;
  const delays = pulse.finality.map(([, ms]) => ms).sort((one, other) => one - other);
  return {
    head,
    height: Math.max(head?.height ?? -1, pulse.status?.height ?? -1),
    headAgeMs: headAge(pulse, head, now),
    certified: pulse.status?.certified_height ?? null,
    commitsPerS: span ? ((recent.length - 1) * 1_000) / span : null,
    transactionsPerS: span ? (sum(recent.slice(1)) * 1_000) / span : null,
    finalityMs: delays.length ? delays[Math.floor(delays.length / 2)] : null,
    finalityWorstMs: delays.length ? delays.at(-1) : null,
  };
}

/** A node that has no room to tell us of its commits still says how old the newest is. */
function headAge({ reading }, head, now) {
  if (reading && reading.height > (head?.height ?? -1)) {
    return reading.head_age_ms + Math.max(0, Date.now() - reading.at);
  }
  return head && now !== null ? Math.max(0, now - head.time_ms) : null;
}

function sum(list) {
  return list.reduce((total, one) => total + one.receipts, 0);
}

const SLOW_MS = 5_000;
const STUCK_MS = 30_000;

/** Return `[tone, sentence]`: whether the chain is well, for people who run no chains. */
export function wellness(pulse, connection) {
  const { headAgeMs, certified } = readings(pulse);
  if (connection === "away") return ["warn", "This node is away; what you see is its last word."];
  if (!pulse.status || headAgeMs === null) return ["busy", "Asking the node how the chain is."];
  const grows = Date.now() - pulse.grewAt <= STUCK_MS;
  if (!pulse.status.is_ready && grows) {
    return ["busy", "This node is catching up with the others; what it shows is a little old."];
  }
  if (headAgeMs > STUCK_MS) {
    return ["bad", "The chain stands still: no commit for a while. Validators may be away."];
  }
  if (headAgeMs > SLOW_MS) return ["warn", "The chain is slower than usual."];
  if (certified === null) return ["busy", "The chain has begun; nothing is signed as final yet."];
  return ["good", "The chain is well: it grows, and what it decides becomes final."];
}
