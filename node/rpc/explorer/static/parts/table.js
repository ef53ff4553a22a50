import { h, replace } from "../dom.js";
import { count } from "../format.js";

const PAGE_ROWS = 25;

/** Made once: to make one costs more than to sort with it. */
const letters = new Intl.Collator("en", { numeric: true });

/**
 * Return a table as an element with a method `update(rows)` that keeps page and sorting.
 *
 * `columns` are `{label, cell(row), sort?(row), number?, head?}`: `cell` gives nodes or text, `sort`
 * a number, bigint or string and makes the column sortable, `head` marks the row header. Twenty-five rows
 * stand in the page at a time. `empty` is shown where there are no rows: text or a node. With
 * `keyOf(row)`, text that names a row, rows that are still there stay the same elements in an
 * update, but for cells that changed, and so keep focus and selection. Where a table is made anew
 * in its place, `replaceKeeping` has it show the same page in the same order.
 */
export function table({ caption, columns, rows, empty, pageRows = PAGE_ROWS, keyOf = null }) {
  const view = { rows, columns, pageRows, page: 0, column: null, descending: false, order: null };
  const box = h("div", { class: "table-box", "data-keep": `table-${caption}` });
  let parts = null;
  const draw = () => {
    if (!view.rows.length) {
      parts = null;
      replace(box, h("div", { class: "nothing" }, empty ?? "There are none."));
      return;
    }
    turnTo(view, view.page);
    if (!parts) {
      parts = makeParts(view, { caption, draw });
      replace(box, scroller(caption, parts.table), parts.pager.element);
    }
    const fresh = body(columns, visible(view), keyOf);
    if (keyOf) patch(parts.body, fresh);
    else parts.body.replaceChildren(...fresh.childNodes);
    parts.header.update();
    parts.pager.update();
  };
  box.update = (next) => {
    view.rows = next;
    view.order = null;
    draw();
  };
  box.place = () => {
    const { page, column, descending } = view;
    return page || column ? { page, label: column?.label, descending } : null;
  };
  box.turnTo = ({ page, label, descending }) => {
    const column = columns.find((one) => one.sort && one.label === label) ?? null;
    Object.assign(view, { page, column, descending, order: null });
    draw();
  };
  draw();
  return box;
}

function makeParts(view, { caption, draw }) {
  const header = headerOf(view, { caption, draw });
  const rows = h("tbody");
  const element = h("table", {}, h("caption", {}, caption), header.element, rows);
  return { table: element, body: rows, header, pager: pagerOf(view, { caption, draw }) };
}

function turnTo(view, page) {
  const last = Math.max(0, Math.ceil(view.rows.length / view.pageRows) - 1);
  view.page = Math.min(Math.max(page, 0), last);
}

function visible(view) {
  const first = view.page * view.pageRows;
  view.order ??= sorted(view);
  return view.order.slice(first, first + view.pageRows);
}

/** Make the rows of one body those of another, touching only what differs. */
function patch(old, fresh) {
  const kept = new Map([...old.rows].map((row) => [row.dataset.key, row]));
  const wanted = [...fresh.rows].map((row) => renewed(kept.get(row.dataset.key), row));
  const stays = new Set(wanted);
  for (const row of [...old.rows]) if (!stays.has(row)) row.remove();
  wanted.forEach((row, place) => {
    if (old.rows[place] !== row) old.insertBefore(row, old.rows[place] ?? null);
  });
}

function renewed(row, fresh) {
  if (!row) return fresh;
  [...fresh.cells].forEach((cell, place) => {
    if (!row.cells[place].isEqualNode(cell)) row.cells[place].replaceWith(cell);
  });
  return row;
}

/** Return a box that scrolls within itself and can be reached by keyboard. */
export function scroller(label, children) {
  const attributes = { class: "scroll", tabindex: "0", role: "group", "data-keep": `s-${label}` };
  return h("div", { ...attributes, "aria-label": `${label}, scrolls sideways` }, children);
}

function sorted({ rows, column, descending }) {
  if (!column) return rows;
  const sign = descending ? -1 : 1;
  return rows
    .map((row) => [column.sort(row), row])
    .sort(([one], [other]) => sign * compare(one, other))
    .map(([, row]) => row);
}

function compare(one, other) {
  if (typeof one === "string" && typeof other === "string") return letters.compare(one, other);
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Return the header, whose buttons stay the same elements however the rows are sorted. */
function headerOf(view, { caption, draw }) {
  const cells = view.columns.map((column) => headCell(view, column, { caption, draw }));
  return {
    element: h("thead", {}, h("tr", {}, cells.map((cell) => cell.element))),
    update: () => cells.forEach((cell) => cell.update()),
  };
}

function headCell(view, column, { caption, draw }) {
  const attributes = { scope: "col", class: column.number ? "right" : null };
  if (!column.sort) return { element: h("th", attributes, column.label), update: () => {} };
  const press = () => {
    const isSorted = view.column === column;
    view.descending = isSorted ? !view.descending : Boolean(column.number);
    view.column = column;
    view.order = null;
    view.page = 0;
    draw();
  };
  const sign = h("span", { "aria-hidden": "true", class: "muted" });
  const key = `sort-${caption}-${column.label}`;
  const element = h(
    "th",
    attributes,
    h(
      "button",
      { type: "button", class: "sort", "data-keep": key, on: { click: press } },
      column.label,
      sign,
    ),
  );
  const update = () => {
    const isSorted = view.column === column;
    const direction = view.descending ? "descending" : "ascending";
    element.setAttribute("aria-sort", isSorted ? direction : "none");
    sign.textContent = ` ${isSorted ? (view.descending ? "▾" : "▴") : "↕"}`;
  };
  return { element, update };
}

function body(columns, rows, keyOf) {
  const row = (one) =>
    h("tr", { "data-key": keyOf?.(one) }, columns.map((column) => cell(column, one)));
  return h("tbody", {}, rows.map(row));
}

function cell(column, row) {
  const attributes = { class: column.number ? "right number" : null };
  if (column.head) return h("th", { ...attributes, scope: "row" }, column.cell(row));
  return h("td", attributes, column.cell(row));
}

/** Return what turns the pages; it is hidden while there is one page only. */
function pagerOf(view, { caption, draw }) {
  const turn = (step) => () => {
    turnTo(view, view.page + step);
    draw();
  };
  const button = (label, step) =>
    h(
      "button",
      {
        type: "button",
        class: "button",
        "data-keep": `page-${caption}-${label}`,
        on: { click: turn(step) },
      },
      label,
    );
  const [previous, next, place] = [button("Previous", -1), button("Next", 1), h("span")];
  const element = h(
    "nav",
    { class: "pager", "aria-label": `Pages of: ${caption}` },
    [previous, place, next],
  );
  const update = () => {
    const { page, pageRows, rows } = view;
    const first = page * pageRows + 1;
    const last = Math.min(first + pageRows - 1, rows.length);
    element.hidden = rows.length <= pageRows;
    place.textContent = `${count(first)} to ${count(last)} of ${count(rows.length)}`;
    // Not `disabled`, which would drop the focus of whoever turns pages by keyboard.
    setOff(previous, page === 0);
    setOff(next, last === rows.length);
  };
  return { element, update };
}

function setOff(button, isOff) {
  if (isOff) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}
