import { getOrNull } from "../api.js";

const PAGE = 200;
const PAGES_MAX = 25;
const FRESH_MS = 60_000;

let known = { at: -Infinity, names: Promise.resolve(new Map()) };

/**
 * Return the names of participants by address, at most a minute old. It never fails: while the
 * node cannot tell them they are those of before, if any, and are asked for again the next time.
 * It is shared by all views, so leaving one does not end the reading.
 */
export async function names() {
  if (performance.now() - known.at > FRESH_MS) {
    const before = known.names;
    const reading = { at: performance.now(), names: null };
    reading.names = read().catch(() => {
      reading.at = -Infinity;
      return before;
    });
    known = reading;
  }
  return known.names;
}

async function read() {
  const found = new Map();
  for await (const { participants } of pages()) {
    for (const one of participants) if (one.name) found.set(one.address, one.name);
  }
  return found;
}

/**
 * Return `{count, people}`: how many participants there are, and the first 5,000 of them in the
 * order of the node. It fails if any page of them does, for half a list looks like a whole one.
 */
export async function everyone({ signal } = {}) {
  const found = { count: 0, people: [] };
  for await (const { count, participants } of pages({ signal })) {
    found.count = count;
    found.people.push(...participants);
  }
  return found;
}

async function* pages({ signal } = {}) {
  let after = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const from = after === null ? "" : `&after=${encodeURIComponent(after)}`;
    const answer = await getOrNull(`/v1/participants?limit=${PAGE}${from}`, { signal });
    if (!answer) return;
    yield answer;
    if (answer.is_complete || !answer.participants.length) return;
    after = answer.participants.at(-1).address;
  }
}
