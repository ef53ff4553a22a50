const FIRST_WAIT_MS = 500;
const WAIT_MS_MAX = 5_000;
/** The server pings; a browser does not tell us, so silence is judged by the API instead. */
const OPEN_TIMEOUT_MS = 8_000;

/** A node that has no room for a subscription is asked again, the later the more often it refused. */
const REFUSED_WAIT_MS = 10_000;
const REFUSED_WAIT_MS_MAX = 300_000;

/** What happens in so long is told at once: nobody reads faster, and it spares the node. */
const TOGETHER_MS = 500;

const channels = new Map();
const stateListeners = new Set();
const anewListeners = new Set();
let socket = null;
let state = "connecting";
let wait = FIRST_WAIT_MS;
let wasOpen = false;
let nextId = 1;
let timer = null;

/**
 * Follow a topic ("commits", "events", "rounds") from now on; return what ends it.
 *
 * `onNotice` gets every notice as the node sends it. The subscription outlives reconnects; what
 * happened in between is not told again, see `onAnew`. `onLate` is called once the node tells the
 * topic later than it was asked to, for the page was not connected yet or was refused at first:
 * what was read before may be old. It ends as well when `signal` is aborted.
 */
export function follow(topic, { task = null, contract = null, signal, onLate } = {}, onNotice) {
  if (signal?.aborted) return () => {};
  const wanted = { type: "subscribe", topic, every_ms: TOGETHER_MS };
  if (task !== null) wanted.task = Number(task);
  if (contract !== null) wanted.contract = contract;
  const channel = channelOf(wanted);
  const follower = { onNotice, onLate };
  channel.followers.add(follower);
  open();
  return endedBy(signal, () => leave(channel, follower));
}

const UNREFUSED = { wait: REFUSED_WAIT_MS, again: null };

/** Parts that follow the same share a subscription, so the node tells a page everything once. */
function channelOf(wanted) {
  const name = JSON.stringify(wanted);
  const known = [...channels.values()].find((one) => one.name === name);
  if (known) return known;
  const id = nextId++;
  const channel = { name, wanted: { ...wanted, id }, followers: new Set(), ...UNREFUSED };
  channel.isLate = state !== "open";
  channels.set(id, channel);
  if (state === "open") send(channel.wanted);
  return channel;
}

function leave(channel, follower) {
  channel.followers.delete(follower);
  const { id } = channel.wanted;
  if (channel.followers.size || !channels.delete(id)) return;
  clearTimeout(channel.again);
  if (state === "open" && channel.again === null) send({ type: "unsubscribe", id });
}

/** Call `f` with "connecting", "open" or "away", now and at every change; return what ends it. */
export function onState(f, { signal } = {}) {
  stateListeners.add(f);
  f(state);
  open();
  return endedBy(signal, () => stateListeners.delete(f));
}

/** Call `f` after every reconnect: what was read before may be old. Return what ends it. */
export function onAnew(f, { signal } = {}) {
  anewListeners.add(f);
  return endedBy(signal, () => anewListeners.delete(f));
}

/** Try to connect now instead of after the wait. */
export function retryNow() {
  if (state !== "away") return;
  clearTimeout(timer);
  timer = null;
  open();
}

function endedBy(signal, stop) {
  signal?.addEventListener("abort", stop, { once: true });
  return stop;
}

function open() {
  if (socket || timer !== null) return;
  const url = new URL("/v1/stream", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const opening = new WebSocket(url);
  socket = opening;
  const late = setTimeout(() => opening.close(), OPEN_TIMEOUT_MS);
  opening.addEventListener("open", () => {
    clearTimeout(late);
    opened();
  });
  opening.addEventListener("message", (message) => receive(message.data));
  opening.addEventListener("close", () => {
    clearTimeout(late);
    closed();
  });
}

function opened() {
  wait = FIRST_WAIT_MS;
  const again = wasOpen || state === "away";
  wasOpen = true;
  for (const channel of channels.values()) {
    clearTimeout(channel.again);
    Object.assign(channel, UNREFUSED);
    // Who is told to begin anew need not be told that this topic came late.
    if (again) channel.isLate = false;
    send(channel.wanted);
  }
  change("open");
  if (again) anewListeners.forEach((f) => f());
}

function closed() {
  socket = null;
  change("away");
  // Jitter, so that a node that is back is not met by all its readers at once.
  const delay = wait * (0.5 + Math.random());
  wait = Math.min(wait * 2, WAIT_MS_MAX);
  timer = setTimeout(() => {
    timer = null;
    open();
  }, delay);
}

function change(next) {
  if (state === next) return;
  state = next;
  stateListeners.forEach((f) => f(state));
}

function receive(text) {
  const message = JSON.parse(text);
  (message.type === "batch" ? message.notices : [message]).forEach(hand);
}

function hand(notice) {
  if (notice.type === "unsubscribed") return;
  const channel = channels.get(notice.id);
  if (notice.type === "refused") {
    console.warn("the node refused to be followed:", notice.code, notice.message);
    if (channel && notice.code === "too-many") askAgain(channel);
    return;
  }
  if (notice.type !== "subscribed") {
    channel?.followers.forEach(({ onNotice }) => onNotice(notice));
    return;
  }
  if (!channel?.isLate) return;
  channel.isLate = false;
  channel.followers.forEach(({ onLate }) => onLate?.());
}

/** Others may leave the node; a socket is cut at the eighth refusal, so there is no hurry. */
function askAgain(channel) {
  channel.isLate = true;
  const delay = channel.wait * (0.5 + Math.random());
  channel.wait = Math.min(channel.wait * 2, REFUSED_WAIT_MS_MAX);
  clearTimeout(channel.again);
  channel.again = setTimeout(() => {
    channel.again = null;
    send(channel.wanted);
  }, delay);
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

window.addEventListener("online", retryNow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) retryNow();
});
