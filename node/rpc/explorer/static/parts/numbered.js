const NUMBER = /^(0|[1-9][0-9]{0,15})$/;

/** Return the number that a part of an address names, or null for anything else. */
export function numbered(text) {
  return NUMBER.test(text) ? Number(text) : null;
}
