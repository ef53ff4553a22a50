const FIRST_WAIT_MS = 500;
const WAIT_MS_MAX = 5_000;
/** The server pings; a browser does not tell us, so silence is judged by the API instead. */
const OPEN_TIMEOUT_MS = 8_000;

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
 * happened in between is not told again, see `onAnew`. It ends as well when `signal` is aborted.
 */
export function follow(topic, { task = null, contract = null, signal } = {}, onNotice) {
  if (signal?.aborted) return () => {};
  const wanted = { type: "subscribe", topic, every_ms: TOGETHER_MS };
  if (task !== null) wanted.task = Number(task);
  if (contract !== null) wanted.contract = contract;
  const channel = channelOf(wanted);
  const follower = { onNotice };
  channel.followers.add(follower);
  open();
  return endedBy(signal, () => leave(channel, follower));
}

/** Parts that follow the same share a subscription, so the node tells a page everything once. */
function channelOf(wanted) {
  const name = JSON.stringify(wanted);
  const known = [...channels.values()].find((one) => one.name === name);
  if (known) return known;
  const id = nextId++;
  const channel = { name, wanted: { ...wanted, id }, followers: new Set() };
  channels.set(id, channel);
  if (state === "open") send(channel.wanted);
  return channel;
}

function leave(channel, follower) {
  channel.followers.delete(follower);
  const { id } = channel.wanted;
  if (channel.followers.size || !channels.delete(id)) return;
  if (state === "open") send({ type: "unsubscribe", id });
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
  for (const { wanted } of channels.values()) send(wanted);
  const again = wasOpen || state === "away";
  wasOpen = true;
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
  if (notice.type === "subscribed" || notice.type === "unsubscribed") return;
  if (notice.type === "refused") {
    console.warn("the node refused to be followed:", notice.code, notice.message);
    return;
  }
  channels.get(notice.id)?.followers.forEach(({ onNotice }) => onNotice(notice));
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

window.addEventListener("online", retryNow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) retryNow();
});
