/** Who follows the chain is told everything, or is told that something was missed. */

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { module, sent, sockets } from "./page.mjs";

mock.timers.enable({ apis: ["setTimeout"] });
mock.method(console, "warn", () => {});
const { follow, onAnew } = await module("stream.js");

const told = [];
const tell = (what) => () => told.push(what);
const say = (notice) => sockets.at(-1).hear(notice);

test("what was asked for before the page was connected is said to come late, and once", () => {
  follow("rounds", { onLate: tell("late") }, tell("notice"));
  onAnew(tell("anew"));
  sockets[0].dispatchEvent(new Event("open"));
  const [{ id }] = sent.splice(0);
  assert.deepEqual(told, []);
  say({ type: "subscribed", id, height: 7 });
  assert.deepEqual(told.splice(0), ["late"]);
  say({ type: "round", id });
  assert.deepEqual(told.splice(0), ["notice"]);
});

test("what is asked for on an open socket comes in time", () => {
  const end = follow("events", { contract: "rounds", onLate: tell("late") }, tell("notice"));
  const [{ id }] = sent.splice(0);
  say({ type: "subscribed", id, height: 8 });
  assert.deepEqual(told, []);
  end();
  assert.deepEqual(sent.splice(0), [{ type: "unsubscribe", id }]);
});

test("a node without room for a subscription is asked again, later and later", () => {
  follow("commits", { onLate: tell("late") }, tell("notice"));
  const [wanted] = sent.splice(0);
  for (const wait of [15_000, 30_000]) {
    say({ type: "refused", id: wanted.id, code: "too-many", message: "no room" });
    mock.timers.tick(wait / 3 - 1);
    assert.deepEqual(sent, []);
    mock.timers.tick((2 * wait) / 3 + 1);
    assert.deepEqual(sent.splice(0), [wanted]);
  }
  assert.deepEqual(told, []);
  say({ type: "subscribed", id: wanted.id, height: 9 });
  assert.deepEqual(told.splice(0), ["late"]);
});

test("what was refused and is left is neither asked for again nor given back", () => {
  const end = follow("events", { contract: "tasks" }, tell("notice"));
  const [{ id }] = sent.splice(0);
  say({ type: "refused", id, code: "too-many", message: "no room" });
  end();
  mock.timers.tick(600_000);
  assert.deepEqual(sent, []);
});

test("a refusal for good is no reason to ask again", () => {
  follow("events", { contract: "?" }, tell("notice"));
  const [{ id }] = sent.splice(0);
  say({ type: "refused", id, code: "bad-message", message: "no contract" });
  mock.timers.tick(600_000);
  assert.deepEqual(sent, []);
});

test("after a reconnect everybody begins anew, and nobody is told so twice", () => {
  sockets[0].dispatchEvent(new Event("close"));
  mock.timers.tick(1_000);
  assert.equal(sockets.length, 2);
  sockets[1].dispatchEvent(new Event("open"));
  assert.deepEqual(told.splice(0), ["anew"]);
  for (const { id } of sent.splice(0)) say({ type: "subscribed", id, height: 20 });
  assert.deepEqual(told, []);
});
