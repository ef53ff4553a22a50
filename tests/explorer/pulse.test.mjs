/** How the chain is: told rightly though the node's words come apart, late or not at all. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { answers, asked, module, sent, settled, sockets } from "./page.mjs";

const START_MS = 1_800_000_000_000;
/** The clock of the node is so far ahead of the reader's. */
const AHEAD_MS = 60_000;
const COMMITS = "/v1/commits?limit=100";

mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: START_MS });
mock.method(console, "warn", () => {});
const { nodeNow, readings, watchPulse, wellness } = await module("pulse.js");

let leaving = null;
let pulse = null;

function commit(height) {
  // One in a second; each is half a second old at its next whole second.
  const time = START_MS + AHEAD_MS + (height - 10) * 1_000 - 500;
  return { height, time_ms: time, epoch: 0, receipts: 0, checkpoint: height, is_final: false };
}

function stands({ height, ready = true, age = 500 }) {
  const status = { height, head_age_ms: age, is_ready: ready, certified_height: 1, peers: 3 };
  answers.set("/v1/status", [200, status]);
}

function say(notice) {
  sockets.at(-1).hear({ id: sent.at(-1).id, ...notice });
}

async function pass(ms) {
  mock.timers.tick(ms);
  await settled();
}

async function watch() {
  leaving = new AbortController();
  pulse = watchPulse({ signal: leaving.signal }, () => {});
  if (sockets.length === 1) sockets[0].dispatchEvent(new Event("open"));
  await settled();
}

beforeEach(() => {
  mock.timers.setTime(START_MS);
  asked.splice(0);
  answers.set(COMMITS, [200, { commits: [commit(10), commit(9)] }]);
});

afterEach(() => leaving.abort());

test("a reading of the clock waits for the head that it names", async () => {
  stands({ height: 11, age: 0 });
  await watch();
  assert.equal(nodeNow(pulse), null);
  say({ type: "commit", ...commit(11) });
  assert.equal(nodeNow(pulse), commit(11).time_ms);
  // It is used once: the next commits say nothing of the clock.
  const { clockTook } = pulse;
  say({ type: "commit", ...commit(12) });
  assert.equal(pulse.clockTook, clockTook);
});

test("certificates that a node fetches while it catches up tell nothing of finality", async () => {
  stands({ height: 10, ready: false });
  await watch();
  const formed = { type: "certificate", formed_ms: commit(10).time_ms + 300_000 };
  say({ ...formed, height: 9 });
  assert.deepEqual(pulse.finality, []);
  assert.ok(pulse.commits[0].is_final);
  stands({ height: 10 });
  await pass(5_000);
  say({ type: "certificate", height: 10, formed_ms: commit(10).time_ms + 700 });
  assert.deepEqual(pulse.finality, [[10, 700]]);
});

test("what a node said before it was away does not count for it after", async () => {
  stands({ height: 10 });
  await watch();
  sockets.at(-1).dispatchEvent(new Event("close"));
  mock.timers.tick(1_000);
  sockets.at(-1).dispatchEvent(new Event("open"));
  say({ type: "certificate", height: 10, formed_ms: commit(10).time_ms + 300_000 });
  assert.deepEqual(pulse.finality, []);
});

test("a node that tells no commits still says how old its head is", async () => {
  stands({ height: 10 });
  await watch();
  assert.equal(wellness(pulse, "open")[0], "good");
  for (let s = 5; s <= 60; s += 5) {
    stands({ height: 10 + s });
    await pass(5_000);
  }
  await pass(200);
  assert.equal(readings(pulse).height, 70);
  assert.equal(readings(pulse).headAgeMs, 700);
  assert.equal(wellness(pulse, "open")[0], "good");
  await pass(4_000);
  stands({ height: 70, age: 40_500 });
  await pass(36_000);
  assert.equal(wellness(pulse, "open")[0], "bad");
});

test("a node that gets no further while it is not ready is on a chain that stands", async () => {
  stands({ height: 10, ready: false, age: 20_500 });
  await watch();
  assert.match(wellness(pulse, "open")[1], /catching up/);
  stands({ height: 10, ready: false, age: 60_500 });
  await pass(40_000);
  assert.match(wellness(pulse, "open")[1], /stands still/);
});

test("commits that were told to nobody are read, and only those", async () => {
  stands({ height: 10 });
  await watch();
  say({ type: "commit", ...commit(11) });
  await settled();
  assert.equal(asked.filter((path) => path === COMMITS).length, 1);
  const list = [14, 13, 12, 11, 10].map(commit);
  answers.set(COMMITS, [200, { commits: list }]);
  say({ type: "commit", ...commit(14) });
  await settled();
  assert.deepEqual(pulse.commits.map(({ height }) => height), [9, 10, 11, 12, 13, 14]);
  assert.equal(asked.filter((path) => path === COMMITS).length, 2);
});
