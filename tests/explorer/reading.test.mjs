/** What is read in pieces is shown whole, or not as if it were. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { answers, asked, module } from "./page.mjs";

const { getOrNull } = await module("api.js");
const { everyone, names } = await module("parts/names.js");
const { isStale, older } = await module("parts/commit_list.js");
const { UNREAD, join } = await module("parts/event_feed.js");
const { tick } = await module("parts/timeline.js");

const FIRST = "/v1/participants?limit=200";
const SECOND = `${FIRST}&after=b`;
const READS = [503, { code: "unavailable", message: "the node still reads: ask again" }];
const BOTH = [{ address: "a", name: "Anna" }, { address: "b", name: "" }];
const REST = [{ address: "c", name: "Carl" }];

function tellsAll() {
  answers.set(FIRST, [200, { count: 12_000, participants: BOTH, is_complete: false }]);
  answers.set(SECOND, [200, { count: 12_000, participants: REST, is_complete: true }]);
}

test("nothing there is null, and nothing known yet is an error", async () => {
  answers.set("/pruned", [410, { code: "gone", message: "it is pruned" }]);
  answers.set("/reads", READS);
  assert.equal(await getOrNull("/nowhere"), null);
  assert.equal(await getOrNull("/pruned"), null);
  await assert.rejects(getOrNull("/reads"), { status: 503 });
});

test("half a list of participants is none, and how many there are is the node's word", async () => {
  tellsAll();
  const { count, people } = await everyone();
  assert.equal(count, 12_000);
  assert.deepEqual(people.map(({ address }) => address), ["a", "b", "c"]);
  answers.set(SECOND, READS);
  await assert.rejects(everyone(), { status: 503 });
});

test("names are none while the node cannot tell them, and are asked for again", async () => {
  tellsAll();
  answers.set(SECOND, READS);
  assert.deepEqual([...(await names())], []);
  tellsAll();
  assert.deepEqual([...(await names())], [["a", "Anna"], ["c", "Carl"]]);
  asked.splice(0);
  assert.equal((await names()).size, 2);
  assert.deepEqual(asked, []);
});

test("an answer of another page, or older than what is drawn, is dropped", () => {
  const view = { before: 75, drawn: 3 };
  assert.ok(isStale(view, { before: null, number: 4 }));
  assert.ok(isStale(view, { before: 75, number: 2 }));
  // One that is overtaken by nothing counts, though another was asked for since.
  assert.ok(!isStale(view, { before: 75, number: 4 }));
});

test("below the last page of commits is none", () => {
  const commits = [{ height: 2 }, { height: 1 }];
  assert.equal(older({ before: 27, answer: { commits, is_complete: false } }), 1);
  assert.equal(older({ before: 27, answer: { commits, is_complete: true } }), 27);
  assert.equal(older({ before: null, answer: null }), null);
});

test("events that were missed leave no hole among those shown", () => {
  const view = { ...UNREAD };
  const holds = () => [view.top, view.below, view.rows.length];
  assert.ok(join(view, { last: 100, below: 60 }));
  view.rows = [{ height: 90 }, { height: 60 }];
  assert.ok(join(view, { last: 59, below: 20 }));
  assert.deepEqual(holds(), [100, 20, 2]);
  assert.ok(join(view, { last: 150, below: 100 }));
  assert.deepEqual(holds(), [150, 20, 2]);
  view.rows = [{ height: 905 }, ...view.rows];
  assert.ok(join(view, { last: 900, below: 700 }));
  assert.deepEqual(holds(), [900, 700, 1]);
  assert.ok(!join(view, { last: 19, below: 5 }), "it was asked for before the hole");
  assert.deepEqual(holds(), [900, 700, 1]);
});

test("what is left of a phase is by the chain's time, and unsaid while that is unknown", () => {
  const clock = { dataset: { deadline: "61000" }, textContent: "" };
  const root = { querySelectorAll: () => [clock] };
  tick(root, null);
  assert.equal(clock.textContent, "");
  tick(root, 31_000);
  assert.match(clock.textContent, /^at most 30/);
  tick(root, 61_000);
  assert.equal(clock.textContent, "its time is over");
});
