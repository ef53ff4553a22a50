/** A page asks its node for no more than it needs, and for what other pages ask for as well. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { module, sent, sockets } from "./page.mjs";

const { follow } = await module("stream.js");
const { dagPath, emptyDag } = await module("parts/dag_model.js");

test("parts that follow the same share one subscription, until the last has gone", () => {
  const heard = [];
  const ends = ["one", "other"].map((name) =>
    follow("commits", {}, ({ height }) => heard.push([name, height])),
  );
  const ended = new AbortController();
  follow("rounds", { task: 3, signal: ended.signal }, () => heard.push(["rounds"]));
  const [socket] = sockets;
  socket.dispatchEvent(new Event("open"));
  assert.deepEqual(
    sent.map(({ type, topic, task }) => [type, topic, task]),
    [["subscribe", "commits", undefined], ["subscribe", "rounds", 3]],
  );
  const [commits, rounds] = sent.splice(0);
  socket.hear({ type: "commit", id: commits.id, height: 7 });
  assert.deepEqual(heard.splice(0), [["one", 7], ["other", 7]]);
  ends[0]();
  socket.hear({ type: "commit", id: commits.id, height: 8 });
  assert.deepEqual(heard.splice(0), [["other", 8]]);
  assert.deepEqual(sent, []);
  ends[1]();
  ends[1]();
  ended.abort();
  assert.deepEqual(sent.splice(0), [
    { type: "unsubscribe", id: commits.id },
    { type: "unsubscribe", id: rounds.id },
  ]);
  follow("commits", {}, () => {});
  assert.deepEqual(sent.map(({ type, topic }) => [type, topic]), [["subscribe", "commits"]]);
  assert.equal(sockets.length, 1);
});

test("pages ask for the same numbers of rounds, and for enough of them", () => {
  const dag = emptyDag();
  assert.equal(dagPath(dag), "/v1/dag?rounds=60");
  const paths = new Set();
  for (let open = 0; open <= 60; open += 1) {
    dag.last = 100;
    const leaders = [{ verdict: "undecided" }];
    dag.rounds = new Map([[100 - open, { round: 100 - open, leaders }]]);
    const path = dagPath(dag);
    assert.ok(Number(path.split("=")[1]) >= Math.min(60, open + 24));
    paths.add(path);
  }
  assert.deepEqual([...paths], ["/v1/dag?rounds=30", "/v1/dag?rounds=60"]);
});
