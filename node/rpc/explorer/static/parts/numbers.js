/**
 * Numbers of the federation as text; pure, so that they can be tested without a page.
 *
 * Scores are whole numbers of 100 micro-nats and fractions are Q16; nothing is rounded unsaid.
 */

export const ONE = 65_536;
export const QUANTA_PER_NAT = 10_000;
const MINUS = "−";

/** Returns a score in nats, exact: "0.054 nats", "−0.2 nats". */
export function nats(quanta) {
  return `${plainNats(quanta)} nats`;
}

/** Returns a score in nats without its unit, exact. */
export function plainNats(quanta) {
  const value = Number(quanta);
  const text = (Math.abs(value) / QUANTA_PER_NAT).toFixed(4).replace(/\.?0+$/, "");
  return value < 0 ? MINUS + text : text;
}

/** Returns a change with its sign, so that a fall is not taken for a rise: "+0.01 nats". */
export function change(quanta) {
  const value = Number(quanta);
  return (value > 0 ? "+" : "") + nats(value);
}

/** Returns a score in nats with its sign and four decimals, without the unit: for columns. */
export function signed(quanta) {
  const value = Number(quanta);
  const sign = value > 0 ? "+" : value < 0 ? MINUS : "±";
  return sign + (Math.abs(value) / QUANTA_PER_NAT).toFixed(4);
}

/** Returns a Q16 fraction as a percentage with one decimal. */
export function percent(q16) {
  return `${((100 * Number(q16)) / ONE).toFixed(1)} %`;
}

/** Returns a Q16 fraction with four decimals. */
export function fraction(q16) {
  return (Number(q16) / ONE).toFixed(4);
}

/** Returns a count with its noun: "1 update", "4 updates". */
export function counted(count, one, many = `${one}s`) {
  return `${count} ${Number(count) === 1 ? one : many}`;
}

/** Returns a power as a part of all power: "25.0 %". */
export function powerShare(power, total) {
  const all = BigInt(total);
  if (all === 0n) return "0.0 %";
  return `${(Number((BigInt(power) * 10_000n) / all) / 100).toFixed(1)} %`;
}
