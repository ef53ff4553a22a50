import { getOrNull } from "../api.js";

const PAGE = 200;
const PAGES_MAX = 25;
const FRESH_MS = 60_000;

let known = { at: -Infinity, names: null };

/**
 * Return the names of participants by address, at most a minute old; an empty map on a node that
 * tells none. It is shared by all views, so leaving one does not end the reading.
 */
export async function names() {
  if (performance.now() - known.at > FRESH_MS) {
    const names = read();
    known = { at: performance.now(), names };
    names.catch(() => {
      known.at = -Infinity;
    });
  }
  return known.names;
}

async function read() {
  const found = new Map();
  for await (const one of everyone()) if (one.name) found.set(one.address, one.name);
  return found;
}

/** Yield all participants in the order of the node, page after page. */
export async function* everyone({ signal } = {}) {
  let after = null;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const from = after === null ? "" : `&after=${encodeURIComponent(after)}`;
    const answer = await getOrNull(`/v1/participants?limit=${PAGE}${from}`, { signal });
    yield* answer?.participants ?? [];
    if (!answer || answer.is_complete || !answer.participants.length) return;
    after = answer.participants.at(-1).address;
  }
}
