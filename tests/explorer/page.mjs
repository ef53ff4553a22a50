/** What the explorer's modules find in a browser, for tests: a page whose node the test plays. */

import "./parts.mjs";

const STATIC = new URL("../../node/rpc/explorer/static/", import.meta.url);

/** Sockets that the page opened, and messages that it sent through them. */
export const sockets = [];
export const sent = [];

/** What the node answers: by path a status and a value, or a function that returns them. */
export const answers = new Map();

/** Paths that the page asked for. */
export const asked = [];

class Socket extends EventTarget {
  static OPEN = 1;
  readyState = 1;

  constructor() {
    super();
    sockets.push(this);
  }

  send(text) {
    sent.push(JSON.parse(text));
  }

  hear(notice) {
    this.dispatchEvent(Object.assign(new Event("message"), { data: JSON.stringify(notice) }));
  }
}

async function answer(path) {
  asked.push(path);
  const given = answers.get(path) ?? [404, { code: "not-found", message: "it is not here" }];
  const [status, value] = typeof given === "function" ? given() : given;
  return new Response(JSON.stringify(value), { status });
}

globalThis.window = new EventTarget();
globalThis.document = Object.assign(new EventTarget(), { hidden: false });
globalThis.location = { href: "http://node/explorer/" };
globalThis.WebSocket = Socket;
globalThis.fetch = answer;
globalThis.requestAnimationFrame = (draw) => setTimeout(draw);

/** Return the exports of a module of the page. */
export function module(path) {
  return import(new URL(path, STATIC).href);
}

/** Let the page take what the node has answered. */
export async function settled() {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
