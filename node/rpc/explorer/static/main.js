import { get } from "./api.js";
import { h, replace } from "./dom.js";
import { start } from "./router.js";
import { onAnew, onState, retryNow } from "./stream.js";

const AWAY_PATIENCE_MS = 1_500;
const THEME_KEY = "hanse-theme";
const THEMES = { auto: "As the system", light: "Light", dark: "Dark" };

const PLACES = [
  ["Overview", "#/", ["overview"]],
  ["Tasks", "#/tasks", ["tasks", "task", "round", "models", "model"]],
  ["Participants", "#/participants", ["participants", "participant"]],
  ["Chain", "#/chain", ["chain", "commit", "transaction", "account"]],
  ["Validators", "#/validators", ["validators"]],
  ["Contracts", "#/contracts", ["contracts", "contract"]],
];

function top() {
  const links = PLACES.map(([label, href, views]) => ({ views, link: h("a", { href }, label) }));
  const notice = h("p", { class: "away", role: "status" });
  const where = h("span", { class: "where" });
  replace(
    document.getElementById("top"),
    h(
      "div",
      { class: "bar" },
      h("a", { class: "brand", href: "#/" }, h("strong", {}, "Hanse"), where),
      h("nav", { "aria-label": "Main" }, h("ul", {}, links.map(({ link }) => h("li", {}, link)))),
      searchForm(),
    ),
    notice,
  );
  announceState(notice);
  tellChain(where);
  return (view) => {
    for (const { views, link } of links) {
      if (views.includes(view)) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  };
}

function searchForm() {
  const field = h("input", {
    type: "search",
    name: "q",
    id: "search",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: "300",
    placeholder: "Hash, did:key, name or height",
    "aria-keyshortcuts": "/",
    title: "Press / to come here",
  });
  const submit = (event) => {
    event.preventDefault();
    const query = field.value.trim();
    if (query) location.hash = `#/search/${encodeURIComponent(query)}`;
  };
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
  return h(
    "form",
    { class: "search", role: "search", on: { submit } },
    h("label", { for: "search", class: "visually-hidden" }, "Search"),
    field,
    h("button", { type: "submit", class: "button" }, "Search"),
  );
}

function announceState(notice) {
  let timer = null;
  onState((state) => {
    clearTimeout(timer);
    if (state === "open") {
      replace(notice);
      return;
    }
    if (state === "connecting") return;
    // A blink of the connection is no news.
    timer = setTimeout(() => {
      if (notice.hasChildNodes()) return;
      const retry = h("button", { type: "button", class: "button", on: { click: retryNow } });
      replace(retry, "Try now");
      replace(
        notice,
        "The node is away. What you see stays as it was, and goes on by itself once it is back. ",
        retry,
      );
    }, AWAY_PATIENCE_MS);
  });
}

function tellChain(where) {
  const read = async () => {
    try {
      const { name, chain_name: chain } = await get("/v1/status");
      replace(where, h("bdi", {}, chain));
      where.title = `This page is served by the node ${name} of the chain ${chain}`;
    } catch {
      // The notice of the stream says that the node is away.
    }
  };
  onAnew(read);
  read();
}

function bottom() {
  const root = document.documentElement;
  const choose = (event) => {
    const theme = event.target.value;
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    try {
      localStorage.setItem(THEME_KEY, theme);
    } catch {
      // Without a store the choice holds for this page.
    }
  };
  const chosen = root.dataset.theme ?? "auto";
  const options = Object.entries(THEMES).map(([value, label]) =>
    h("option", { value, selected: value === chosen }, label),
  );
  replace(
    document.getElementById("bottom"),
    h(
      "p",
      {},
      "Everything here comes from the public API of this node: ",
      h("a", { href: "/openapi.json" }, "its description"),
      ". Nothing is asked elsewhere.",
    ),
    h(
      "label",
      { class: "row" },
      "Colours ",
      h("select", { id: "theme", on: { change: choose } }, options),
    ),
  );
}

const mark = top();
bottom();
start(document.getElementById("content"), { onView: mark });
