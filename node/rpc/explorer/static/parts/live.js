import { ApiError, isAbort } from "../api.js";
import { replace } from "../dom.js";
import { breath, gathered } from "../pace.js";
import { follow, onAnew } from "../stream.js";
import { loading, problem } from "./states.js";

const AWAY_WAIT_MS = 3_000;
const SPREAD_MS = 400;
/** No answer, too many questions, not ready: what passes by itself. */
const PASSING = [0, 429, 503];

/**
 * Keep a part of the page as new as the chain: read, draw, and read again on every notice.
 *
 * `read(signal)` returns a JSON value, `draw(value, root)` shows it; it runs only when the value
 * has changed, and may return a promise, before which nothing is read again. `follows` is a list of `[topic, options]`, `matters(notice)` may leave some out.
 * Notices are gathered to one read per `everyMs`. If a read fails, what is shown stays; without
 * anything shown yet, the error is shown. A node that is away is asked again until it is back.
 * Return a function that asks for a read.
 */
export function live({ root, signal, read, draw, follows = [], matters, everyMs = 1_000 }) {
  let shown = null;
  let busy = false;
  let stale = false;
  const refresh = async () => {
    if (busy) {
      stale = true;
      return;
    }
    busy = true;
    try {
      const value = await read(signal);
      // What came, what differs and what is drawn are three tasks: each may be large.
      await breath({ signal });
      const text = JSON.stringify(value);
      if (text === shown) return;
      await breath({ signal });
      await draw(value, root);
      shown = text;
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) fail(error);
    } finally {
      busy = false;
      if (stale) {
        stale = false;
        again();
      }
    }
  };
  const fail = (error) => {
    if (shown === null) replace(root, problem(error, again));
    if (!(error instanceof ApiError)) console.error(error);
    if (PASSING.includes(error.status)) setTimeout(again, AWAY_WAIT_MS);
  };
  const again = gathered(refresh, { everyMs, spreadMs: SPREAD_MS, signal });
  replace(root, loading());
  for (const [topic, options] of follows) {
    follow(topic, { ...options, signal, onLate: again }, (notice) => {
      if (!matters || matters(notice)) again();
    });
  }
  onAnew(again, { signal });
  refresh();
  return again;
}
