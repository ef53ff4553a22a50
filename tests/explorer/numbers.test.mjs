import assert from "node:assert/strict";
import { test } from "node:test";

import { part } from "./parts.mjs";

const { change, counted, fraction, nats, percent, powerShare, signed } = await part("numbers");
const { RULE_NOTES, step } = await part("trust");

test("scores are exact and have their unit", () => {
  assert.equal(nats("540"), "0.054 nats");
  assert.equal(nats(-1), "−0.0001 nats");
  assert.equal(nats(0), "0 nats");
  assert.equal(nats(20_000), "2 nats");
  assert.equal(change(10), "+0.001 nats");
  assert.equal(signed("-820"), "−0.0820");
  assert.equal(signed(0), "±0.0000");
});

test("fractions of 65,536 are read as fractions and per cent", () => {
  assert.equal(percent(32_768), "50.0 %");
  assert.equal(fraction(6_554), "0.1000");
});

test("powers beyond a double keep their share", () => {
  assert.equal(powerShare("200000000000000000000001", "400000000000000000000002"), "50.0 %");
  assert.equal(powerShare("1", "0"), "0.0 %");
});

test("counts agree with their noun", () => {
  assert.equal(counted(1, "update"), "1 update");
  assert.equal(counted(0, "update"), "0 updates");
});

test("a step of reputation names its rule", () => {
  assert.match(step(6_554, 10_240), /sixteenth of the way to 1$/);
  assert.match(step(6_554, 6_144), /^not above the threshold/);
  assert.match(step(40_000, 35_000), /cut by an eighth$/);
  assert.match(step(40_000, 20_000), /halved$/);
  assert.equal(step(40_000, 1), "");
});

test("the rule names what a newcomer begins with", () => {
  assert.ok(RULE_NOTES.some((note) => note.includes("6,554")));
});
