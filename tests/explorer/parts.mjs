/** The explorer's pure modules, for tests: browsers know them as modules, older Node by the hook. */

import { register } from "node:module";

const HOOK = `export const load = (url, context, next) =>
  next(url, url.includes("/explorer/static/") ? { ...context, format: "module" } : context);`;
register(`data:text/javascript,${encodeURIComponent(HOOK)}`);

const PARTS = new URL("../../node/rpc/explorer/static/parts/", import.meta.url);

/** Return the exports of a part that needs no page. */
export function part(name) {
  return import(new URL(`${name}.js`, PARTS).href);
}
