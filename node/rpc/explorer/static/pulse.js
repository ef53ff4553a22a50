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

/**
 * Watch how the chain beats, until the signal is aborted; `onBeat(pulse)` is called after every
 * change, gathered. Return the pulse: `{status, commits, finality, clockOffset}`, where `commits`
 * are the newest, oldest first, and `finality` is `[height, ms]` of those seen being certified.
 * `clockOffset` is the node's clock less ours, null until both could be compared.
 */
export function watchPulse({ signal, everyMs = 500 }, onBeat) {
  const pulse = { status: null, commits: [], finality: [], ...CLOCKLESS };
  const beat = gathered(() => onBeat(pulse), { everyMs, signal });
  const readStatus = () => attempt(async () => {
    const asked = Date.now();
    pulse.status = await get("/v1/status", { signal });
    const took = Date.now() - asked;
    pulse.reading = { ...pulse.status, at: asked + took / 2, took };
    adjustClock(pulse);
    beat();
  }, beat);
  const readAll = () => {
    readStatus();
    attempt(async () => {
      const answer = await commits({ limit: FIRST_READ, signal });
      merge(pulse, answer.commits);
      adjustClock(pulse);
      beat();
    }, beat);
  };
  follow("commits", { signal }, (notice) => {
    if (notice.type === "commit") merge(pulse, [{ ...notice, is_final: false }]);
    else certify(pulse, notice);
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
    if (one.height === height && formed >= one.time_ms) {
      pulse.finality.push([height, formed - one.time_ms]);
    }
  }
  pulse.finality = pulse.finality.slice(-KEPT);
  if (pulse.status) {
    pulse.status.certified_height = Math.max(pulse.status.certified_height ?? 0, height);
  }
}

/** A quick answer tells the node's clock best; a slow one counts only until a quicker comes. */
function adjustClock(pulse) {
  const { reading } = pulse;
  const head = pulse.commits.find((one) => one.height === reading?.height);
  if (!head || reading.took > pulse.clockTook) {
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
    headAgeMs: head && now !== null ? Math.max(0, now - head.time_ms) : null,
    certified: pulse.status?.certified_height ?? null,
    commitsPerS: span ? ((recent.length - 1) * 1_000) / span : null,
    transactionsPerS: span ? (sum(recent.slice(1)) * 1_000) / span : null,
    finalityMs: delays.length ? delays[Math.floor(delays.length / 2)] : null,
    finalityWorstMs: delays.length ? delays.at(-1) : null,
  };
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
  if (!pulse.status.is_ready) {
    return ["busy", "This node is catching up with the others; what it shows is a little old."];
  }
  if (headAgeMs > STUCK_MS) {
    return ["bad", "The chain stands still: no commit for a while. Validators may be away."];
  }
  if (headAgeMs > SLOW_MS) return ["warn", "The chain is slower than usual."];
  if (certified === null) return ["busy", "The chain has begun; nothing is signed as final yet."];
  return ["good", "The chain is well: it grows, and what it decides becomes final."];
}
