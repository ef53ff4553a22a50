const SVG = "http://www.w3.org/2000/svg";
const HREF = /^(#|\/(?!\/))/;

/**
 * Return a new HTML element.
 *
 * Text reaches it only as text nodes. Attributes that are null, undefined or false are left out,
 * true gives an empty one; `class`, `on: {event: listener}` and `style: {property: value}` are
 * special. Links lead only to places on this page or this node.
 */
export function h(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

/** Return a new SVG element, by the same rules as `h`. */
export function s(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

/** Put these children, strings, numbers, nulls or arrays of them, in place of the node's own. */
export function replace(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

/**
 * Replace the children of a node, and keep what the reader had: the focus, open details, scroll
 * positions, and pages of tables, of elements that carry the same `data-keep` before and after.
 */
export function replaceKeeping(node, ...children) {
  const before = new Map(kept(node).map((one) => [one.dataset.keep, glance(one)]));
  replace(node, ...children);
  for (const one of kept(node)) {
    const old = before.get(one.dataset.keep);
    if (old) restore(one, old);
  }
  return node;
}

function kept(node) {
  return [...node.querySelectorAll("[data-keep]")];
}

function glance(one) {
  // To ask an element how far it is scrolled has the browser lay out the page.
  const scrolls = one.classList.contains("scroll");
  return {
    focused: one === document.activeElement,
    open: one.open,
    value: one.value,
    place: one.place?.(),
    left: scrolls && one.scrollLeft,
    top: scrolls && one.scrollTop,
  };
}

function restore(one, old) {
  if (one.tagName === "DETAILS") one.open = old.open;
  if (one.tagName === "INPUT" || one.tagName === "SELECT") one.value = old.value;
  if (old.place) one.turnTo?.(old.place);
  if (old.left) one.scrollLeft = old.left;
  if (old.top) one.scrollTop = old.top;
  if (old.focused) one.focus({ preventScroll: true });
}

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    return;
  }
  if (name === "style") {
    // Through the CSSOM, for the policy of the page refuses style attributes.
    for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    return;
  }
  if (/^on/i.test(name)) throw new TypeError(`listeners belong under "on": ${name}`);
  if (name === "href" && !HREF.test(String(value))) throw new TypeError("not a link of this node");
  element.setAttribute(name, value === true ? "" : String(value));
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}
