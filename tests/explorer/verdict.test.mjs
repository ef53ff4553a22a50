import assert from "node:assert/strict";
import { test } from "node:test";

import { part } from "./parts.mjs";

const { REASON_CODES, codeOf, cutToBand, explain, tally, thresholdRule, verdictName, verdictTone } =
  await part("verdict");

const ROUND = { phase: null, power: "40", quorum: "27" };

function scores(...given) {
  return given.map((alone, seat) => ({ seat, alone: String(alone), verdict: "valid" }));
}

function update(code, more = {}, reason = {}) {
  return {
    index: 3,
    verdict: code,
    root: "aa",
    attested: "40",
    scores: [],
    score: null,
    weight: "0",
    reason: { code, threshold: null, ...reason },
    ...more,
  };
}

test("an accepted update names shards, gain and threshold", () => {
  const given = update(
    "accepted",
    { scores: scores(500, 540, 560, 600), score: "540", weight: "32768" },
    { threshold: "120" },
  );
  const found = explain(given, ROUND);
  assert.equal(
    found.sentence,
    "accepted: helped on 4 of 4 shards, gain 0.054 nats, more than the threshold 0.012 nats",
  );
  assert.deepEqual(found.more, ["It has 50.0 % of the weight in the new model."]);
  assert.equal(found.tone, "good");
});

test("an accepted update that one shard speaks against says so", () => {
  const given = update(
    "accepted",
    { scores: scores(500, 540, 560, -600), score: "520", weight: "1" },
    { threshold: "120" },
  );
  const { sentence, more } = explain(given, ROUND);
  assert.match(sentence, /^accepted: helped on 3 of 4 shards/);
  assert.equal(more.at(-1), "The loss rose on 1 of 4 shards; the median decides.");
});

test("an update that raises the loss everywhere is rejected for just that", () => {
  const given = update(
    "low_quality",
    { scores: scores(-800, -820, -900, -40), score: "-820" },
    { threshold: "120" },
  );
  const { sentence, more, tone } = explain(given, ROUND);
  assert.equal(sentence, "rejected: the loss rose on 4 of 4 shards, by 0.082 nats in the median");
  assert.match(more[0], /Nobody loses stake for low quality/);
  assert.equal(tone, "bad");
});

test("a gain that is too small is told from harm", () => {
  const given = update(
    "low_quality",
    { scores: scores(12, 6, -3, 8), score: "6" },
    { threshold: "120" },
  );
  assert.equal(
    explain(given, ROUND).sentence,
    "rejected: it helped on 3 of 4 shards, but its gain of 0.0006 nats is not more than the threshold 0.012 nats",
  );
});

test("an update that changes nothing is told from one that harms", () => {
  const given = update("low_quality", { scores: scores(0, 0, 0), score: "0" }, { threshold: "10" });
  assert.equal(
    explain(given, ROUND).sentence,
    "rejected: the loss stayed the same on 3 of 3 shards, so it adds nothing",
  );
});

test("without single scores the counts of the reason are used", () => {
  const given = update(
    "low_quality",
    { score: "-51" },
    { seats: 4, rose: 3, score: "-51", threshold: "10" },
  );
  assert.equal(
    explain(given, ROUND).sentence,
    "rejected: the loss rose on 3 of 4 shards, by 0.0051 nats in the median",
  );
});

test("without any score it is only said that the gain was too little", () => {
  const given = update("low_quality");
  assert.equal(explain(given, ROUND).sentence, "rejected: its gain is not more than what is asked");
});

test("one shard is spoken of in the singular", () => {
  const given = update("low_quality", { scores: scores(-5), score: "-5" });
  assert.equal(
    explain(given, ROUND).sentence,
    "rejected: the loss rose on 1 of 1 shard, by 0.0005 nats in the median",
  );
});

test("a file that too few hold is left out with the powers", () => {
  const given = update("unavailable", { attested: "20" });
  const { sentence, tone, more } = explain(given, ROUND);
  assert.equal(
    sentence,
    "left out: validators with 50.0 % of the power could fetch it; 67.5 % are needed",
  );
  assert.equal(tone, "warn");
  assert.deepEqual(more, ["The bond comes back, and the reputation stays."]);
});

test("without the powers the plain words stand", () => {
  const given = update("unavailable", { attested: null });
  assert.equal(
    explain(given, { phase: null, power: null, quorum: null }).sentence,
    "left out: too few validators could fetch it",
  );
});

test("a copy names the update that it is a copy of", () => {
  const { sentence, more } = explain(update("copy", {}, { original: 1 }), ROUND);
  assert.equal(sentence, "rejected: its content is that of an update promised earlier (update 1)");
  assert.match(more[0], /1 % of the stake/);
});

test("a dropped update keeps its gain and the try that went without it", () => {
  const { sentence, more, tone } = explain(update("dropped", { score: "130" }, { rung: 1 }), ROUND);
  assert.match(sentence, /^left out: it helped, but the combined model failed.*\(try 2\)$/);
  assert.equal(more[0], "Its gain was 0.013 nats.");
  assert.equal(tone, "warn");
});

test("facts without a quorum name the largest group", () => {
  const { sentence } = explain(update("undecided", {}, { agreeing: "20" }), ROUND);
  assert.match(sentence, /the largest group that agreed has 50.0 % of the power$/);
});

test("while a round runs an update says what it waits for", () => {
  const at = (phase, root = null) =>
    explain(update("pending", { root }), { ...ROUND, phase }).sentence;
  assert.match(at("commit"), /^waiting: promised; nobody can see it/);
  assert.equal(at("reveal"), "waiting: promised; its trainer has not shown it yet");
  assert.equal(at("reveal", "aa"), "waiting: shown; others have not shown theirs yet");
  assert.match(at("score commit"), /examples that only they hold/);
  assert.equal(at("guard"), "waiting: not judged yet");
});

test("every reason has words, a cost and a tone, whether by code or by the words of the chain", () => {
  for (const code of REASON_CODES) {
    const { sentence, more } = explain(update(code), ROUND);
    assert.match(sentence, /^(rejected|left out): ./);
    assert.ok(more.length > 0, code);
    assert.equal(codeOf(verdictName(code)), code);
    assert.ok(["warn", "bad"].includes(verdictTone(verdictName(code))));
  }
});

test("a reason that is not known yet is shown as it is", () => {
  assert.equal(explain(update("eclipsed"), ROUND).sentence, "rejected: eclipsed");
  assert.equal(verdictName("eclipsed"), "eclipsed");
});

test("scores outside the band are cut to it", () => {
  const consensus = { score: "540", band: "90" };
  assert.deepEqual(cutToBand("1440", consensus), {
    value: 630,
    isCut: true,
    low: 450,
    high: 630,
  });
  assert.deepEqual(cutToBand("-9", consensus), { value: 450, isCut: true, low: 450, high: 630 });
  assert.equal(cutToBand("450", consensus).isCut, false);
});

test("the rule that sets a threshold is named", () => {
  assert.equal(
    thresholdRule({ threshold: "10", level: "20", epsilon: "10" }),
    "the least gain that the task asks for",
  );
  assert.equal(
    thresholdRule({ threshold: "120", level: "483", epsilon: "10" }),
    "a quarter of 0.0483 nats, what a good update of this round gained",
  );
  assert.equal(
    thresholdRule({ threshold: "120", level: null, epsilon: "10" }),
    "a 64th of the best that a round of this task has gained",
  );
});

test("shards are counted by the sign of their scores", () => {
  assert.deepEqual(tally(scores(1, 0, -1, 5)), { helped: 2, harmed: 1, same: 1, total: 4 });
});
