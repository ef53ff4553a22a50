import assert from "node:assert/strict";
import { test } from "node:test";

import { part } from "./parts.mjs";

const {
  endedHow,
  guardSentence,
  measureName,
  nullCause,
  outcomeSentence,
  phaseWords,
  rungSentence,
  stretches,
} = await part("course");

const GUARD = {
  guard_names: ["loss", "class:negative", "probe:0"],
  guard_bounds: ["500", "2500", "2500"],
};

function entry(phase, time_ms, window = 0) {
  return { phase, height: 1, time_ms, deadline_ms: time_ms === null ? 0 : time_ms + window };
}

test("a phase lasts until the next one begins", () => {
  const [training, showing, last] = stretches(
    [entry("commit", 0, 60_000), entry("reveal", 45_000, 10_000), entry("select", 55_000)],
    55_060,
  );
  assert.deepEqual([training.took_ms, training.allowed_ms], [45_000, 60_000]);
  assert.equal(endedHow(training), "ended early: all had acted");
  assert.equal(endedHow(showing), "ended by its deadline");
  assert.equal(endedHow(last), "no deadline: goes by steps");
});

test("the last phase of a running round is under way", () => {
  const [only] = stretches([entry("commit", 0, 60_000)], null);
  assert.equal(only.isRunning, true);
  assert.equal(only.took_ms, null);
  assert.equal(endedHow(only), "under way");
});

test("a phase whose time is not kept claims none", () => {
  const [first] = stretches([entry("commit", null), entry("reveal", 5)], 9);
  assert.equal(first.took_ms, null);
  assert.equal(endedHow(first), "");
});

test("phases that the ladder comes back to are counted", () => {
  const found = stretches(
    ["select", "aggregate", "select", "aggregate"].map((phase, n) => entry(phase, n)),
    9,
  );
  assert.deepEqual(
    found.map((one) => one.times),
    [1, 1, 2, 2],
  );
});

test("the guard says what it let pass", () => {
  const rung = { result: "committed", medians: ["-120", "30", "-5"] };
  assert.equal(
    guardSentence(rung, GUARD),
    "Passed: the loss changed by −0.012 nats; it may rise by 0.05 nats.",
  );
});

test("the guard names the measure that went too far, and counts the others", () => {
  const rung = { result: "refused", medians: ["-40", "2900", "2501"] };
  assert.equal(
    guardSentence(rung, GUARD),
    "Refused: the loss on class “negative” rose by 0.29 nats, more than the 0.25 nats that the task allows, and 1 other measure too much as well.",
  );
});

test("a rung without votes or reports says so", () => {
  assert.match(
    guardSentence({ result: "no_quorum_of_votes", medians: null }, GUARD),
    /did not come to it/,
  );
  assert.match(
    guardSentence({ result: "no_quorum_of_reports", medians: ["0", "0", "0"] }, GUARD),
    /less than two thirds/,
  );
  assert.match(
    guardSentence({ result: "refused", medians: null }, GUARD),
    /not known to this node/,
  );
  assert.equal(guardSentence({ result: "running", medians: null }, GUARD), "No report yet.");
});

test("measures are named for people", () => {
  assert.equal(measureName("loss"), "loss on all examples");
  assert.equal(measureName("class:a:b"), "loss on class “a:b”");
  assert.equal(measureName("probe:0"), "loss on trigger texts, set 1");
  assert.equal(measureName("measure 4"), "measure 4");
});

test("each rung of the ladder is a sentence", () => {
  const first = { rung: 0, halvings: 0, weights: ["40000", "25536", "0"], dropped: [], result: "refused" };
  assert.equal(
    rungSentence(first),
    "First try, with 2 accepted updates: the guard refused the combined model.",
  );
  const second = { ...first, rung: 1, halvings: 1 };
  assert.equal(
    rungSentence(second),
    "Try 2, at half of the step, with 2 updates: the guard refused the combined model.",
  );
  const weights = ["65536", "0", "0"];
  const last = { rung: 3, halvings: 2, weights, dropped: [1], result: "committed" };
  assert.equal(
    rungSentence(last),
    "Try 4, at a quarter of the step, without 1 weak update more (update 1), with 1 update: two thirds computed the same model, and the guard let it pass.",
  );
});

test("a null round says why, and that nothing is lost", () => {
  const entries = [
    "commit",
    "reveal",
    "availability",
    "score commit",
    "score reveal",
    "select",
    "settle",
  ].map((phase) => ({ phase }));
  const text = outcomeSentence({ outcome: "null", version: 3, accepted: 0, updates: 4, entries });
  assert.equal(
    text,
    "No update helped enough to be accepted. Nothing is lost: the model stays version 3, bonds return but for those of proven " +
      "faults, and the unspent reward goes back to the task.",
  );
});

test("every phase in which a round can end without a model has a cause", () => {
  for (const phase of [
    "commit",
    "reveal",
    "availability",
    "score commit",
    "score reveal",
    "select",
    "aggregate",
    "guard",
  ]) {
    assert.notEqual(nullCause([{ phase }, { phase: "settle" }]), nullCause([]), phase);
    assert.notEqual(phaseWords(phase).text, "");
  }
});

test("a committed round names its version", () => {
  const text = outcomeSentence({
    outcome: "committed",
    version: 7,
    accepted: 3,
    updates: 4,
    entries: [],
  });
  assert.equal(text, "It made version 7 of the model from 3 of 4 updates.");
});
