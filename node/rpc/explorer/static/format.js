import { h, replace } from "./dom.js";
import { ONE, signed } from "./parts/numbers.js";

const GRAINS = 1_000_000_000n;
const CUT = 160;
const TITLE_MAX = 2_000;
const COPIED_MS = 1_500;

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** Return an integer, a number or decimal text, with separators of thousands. */
export function count(n) {
  return whole.format(typeof n === "number" ? n : BigInt(n));
}

/** Return an amount of money as an element: HANSE with its unit, exact to the grain. */
export function amount(grains) {
  const exact = BigInt(grains);
  const title = `${whole.format(exact)} grains; one HANSE is 1,000,000,000 grains`;
  return h("span", { class: "number", title }, `${hanse(exact)}\u00a0HANSE`);
}

/** Return an amount as text without its unit, exact to the grain. */
export function hanse(grains) {
  const exact = BigInt(grains);
  const size = exact < 0n ? -exact : exact;
  const rest = String(size % GRAINS).padStart(9, "0").replace(/0+$/, "");
  return `${exact < 0n ? "−" : ""}${whole.format(size / GRAINS)}${rest ? `.${rest}` : ""}`;
}

/** Return a moment as a `<time>`: local, with UTC as its title; "unknown" for null. */
export function time(ms) {
  if (ms === null || ms === undefined) return h("span", { class: "muted" }, "unknown");
  const moment = new Date(ms);
  const utc = moment.toISOString();
  const title = `${utc.replace("T", " ").replace("Z", "")} UTC`;
  return h("time", { datetime: utc, title, class: "number" }, local.format(moment));
}

/** Return how long something takes, in words of at most two units. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "unknown";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const seconds = Math.round(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([size]) => size > 0);
  const shown = parts.slice(first, first + 2).filter(([size]) => size > 0);
  return shown.map(([size, unit]) => `${size} ${unit}`).join(" ");
}

/** Return how long ago a moment was, in words. */
export function ago(ms, now = Date.now()) {
  const past = now - ms;
  return past < 1_500 ? "just now" : `${duration(past)} ago`;
}

/** Return a score, in 100 micro-nats, as nats with a sign and four decimals. */
export function score(n) {
  return `${signed(n)} nats`;
}

/** Return a share, of which 65,536 is the whole, in percent. */
export function share(q16) {
  return percent(Number(q16) / ONE);
}

/** Return a fraction in percent. */
export function percent(fraction) {
  const size = fraction * 100;
  return `${size.toFixed(size !== 0 && Math.abs(size) < 10 ? 1 : 0)}\u00a0%`;
}

/** Return a number of bytes with a unit. */
export function size(bytes) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let left = Number(bytes);
  let place = 0;
  for (; left >= 1_024 && place < units.length - 1; place += 1) left /= 1_024;
  return `${place ? left.toFixed(1) : left} ${units[place]}`;
}

/** Return the first and last characters of a long identifier. */
export function short(text, { head = 8, tail = 6 } = {}) {
  const all = String(text);
  return all.length <= head + tail + 1 ? all : `${all.slice(0, head)}…${all.slice(-tail)}`;
}

/** Return a hash: short, whole as its title, with a button that copies it; a link with `href`. */
export function hash(text, { href = null, what = "hash" } = {}) {
  const all = String(text ?? "");
  if (!all) return h("span", { class: "muted" }, "none");
  const shown = h("code", { title: all.slice(0, TITLE_MAX) }, short(all));
  return h(
    "span",
    { class: "hash" },
    href ? h("a", { href }, shown) : shown,
    copyButton(all, `Copy the ${what} ${short(all)}`),
  );
}

/** Return a button that puts a text into the clipboard and says so. */
export function copyButton(text, label) {
  const press = async () => {
    const done = await copy(text);
    replace(button, done ? "✓" : "✕");
    button.setAttribute("aria-label", done ? "Copied" : "The browser refused to copy");
    setTimeout(() => {
      replace(button);
      button.setAttribute("aria-label", label);
    }, COPIED_MS);
  };
  const attributes = { type: "button", class: "copy", "aria-label": label, title: label };
  const button = h("button", { ...attributes, on: { click: press } });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * Return an address as a link with a copy button: its name where `names`, a Map or an object by
 * address, has one, or else its short form. `view` is the page it leads to.
 */
export function address(did, names = null, { view = "account" } = {}) {
  const all = String(did ?? "");
  if (!all) return h("span", { class: "muted" }, "nobody");
  const named = names instanceof Map ? names.get(all) : names?.[all];
  const plain = h("code", {}, short(all, { head: all.startsWith("did:") ? 12 : 8 }));
  const shown = named ? h("bdi", { class: "name" }, clip(named, 40)) : plain;
  const href = `#/${view}/${encodeURIComponent(all)}`;
  return h(
    "span",
    { class: "hash" },
    h("a", { href, title: named ? `${clip(named, 200)}, ${all}` : all }, shown),
    copyButton(all, `Copy the address ${short(all)}`),
  );
}

/** Return a text cut to so many characters, with an ellipsis where it was cut. */
export function clip(text, length_max = CUT) {
  const all = Array.from(String(text).slice(0, 2 * length_max + 2));
  return all.length <= length_max ? all.join("") : `${all.slice(0, length_max).join("")}…`;
}

/**
 * Return words that somebody else wrote: isolated in direction, and where they are long, cut with
 * the whole behind a disclosure.
 */
export function words(text, { cut = CUT } = {}) {
  const all = String(text ?? "");
  const shown = h("bdi", { class: "words" }, clip(all, cut));
  if (all.length <= cut) return shown;
  return h(
    "details",
    { class: "long" },
    h("summary", {}, shown, h("span", { class: "muted" }, ` (${count(all.length)} characters)`)),
    h("bdi", { class: "words whole" }, all),
  );
}

/** Return a state in words, with a mark and a colour: tone is good, warn, bad, busy or plain. */
export function badge(text, tone = "plain") {
  const marks = { good: "✓", warn: "!", bad: "✕", busy: "●", plain: "○" };
  const mark = h("span", { "aria-hidden": "true", class: "badge-mark" }, marks[tone]);
  return h("span", { class: `badge tone-${tone}` }, mark, h("bdi", {}, text));
}

/** Return a list of facts: pairs of a label and its value. */
export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs
      .filter((pair) => pair)
      .map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))),
  );
}
