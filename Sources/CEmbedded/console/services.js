// Which service sends what to which experiment.

import { get } from "./api.js";
import { h } from "./dom.js";
import { ago, count, money, percent, rate, short } from "./format.js";

const EVERY = 2000;
const WINDOW = 10;
const COLUMNS = [
  ["service", "Service"], ["experiment", "Experiment"], ["flow", "Spans/s"], ["spans", "Spans"], ["tokenFlow", "Tokens/s"],
  ["tokens", "Tokens"], ["cost", "Cost"], ["errors", "Errors"], ["last", "Last seen"],
];
const WORDS = new Set(["service", "experiment"]);
/** Seconds after which a service that sends nothing is not named as one that waits, and how many of them are named. */
const RECENT = 600;
const NAMED = 5;

/** The table's rows as they are asked for; kept between views, because others want them, too. */
export const known = { rows: [], arrivals: [], history: [], rowsMax: 1000 };
const view = { filter: "", by: "spans", isUp: false, timer: null };

export const services = {
  enter(app) {
    refresh(app);
    view.timer = setInterval(() => refresh(app), EVERY);
  },

  leave() {
    clearInterval(view.timer);
  },

  draw(app) {
    const rows = sorted(measured().filter((row) => matches(row, view.filter)));
    const several = new Set(known.rows.map((row) => row.pipeline)).size > 1;
    return [
      h("div", { class: "bar", key: "bar" },
        h("h1", {}, "Services", h("small", {}, "by experiment, since the process started")),
        h("label", { class: "find" }, h("span", { class: "unseen" }, "Filter services"), h("input", {
          type: "search", placeholder: "Filter by service or experiment", value: view.filter,
          oninput: (event) => { view.filter = event.target.value; app.redraw(); },
        })),
        h("span", { class: "faint" }, `${count(rows.length)} of ${count(known.rows.length)} rows; ${count(known.rowsMax)} are kept`)),
      h("div", { class: "panel scroll", key: "table", tabindex: "0", role: "region", "aria-label": "Services and experiments" },
        rows.length === 0 ? h("p", { class: "empty" }, nothing())
          : h("table", { class: "wide" }, head(app), h("tbody", {}, rows.map((row) => line(row, several))))),
      waiting().length > 0 && known.rows.length > 0 && h("p", { class: "panel message", key: "waiting" }, undecided()),
      h("p", { class: "faint note", key: "note" }, "Tokens are those that mlflow_map finds, each model call once; cost is what apps report, in their currency. Errors are spans with an error status."),
    ];
  },
};

/** Services of which no trace is complete yet, the one seen last first. */
function waiting() {
  const decided = new Set(known.rows.map((row) => JSON.stringify([row.pipeline, row.service])));
  return known.arrivals.filter((row) => !row.others && row.last_seen_seconds_ago < RECENT && !decided.has(JSON.stringify([row.pipeline, row.service])));
}

function undecided() {
  const rows = waiting();
  const names = rows.slice(0, NAMED).map((row) => `${label(row)} (${count(row.spans)} ${row.spans === 1 ? "span" : "spans"})`).join(", ");
  return `Still in the window, which decides on a trace when it is complete, or dropped by it: ${names}${rows.length > NAMED ? `, and ${rows.length - NAMED} more` : ""}.`;
}

function nothing() {
  if (known.rows.length > 0) return "No row matches.";
  if (waiting().length > 0) return undecided();
  return ["No span has come yet. ", h("a", { href: "#/connect" }, "Connect an app")];
}

/** Asks for the rows and remembers them for rates. */
export async function refresh(app) {
  if (document.hidden || app.isPaused) return;
  const answer = await get("/api/services").catch(() => null);
  if (!answer) return;
  [known.rows, known.arrivals] = [answer.services, answer.arrivals];
  known.rowsMax = answer.rows_max;
  known.history.push({ seconds: answer.seconds, rows: new Map(answer.services.map((row) => [name(row), row])) });
  while (answer.seconds - known.history[0].seconds > WINDOW) known.history.shift();
  app.redraw();
}

const name = (row) => JSON.stringify([row.pipeline, row.service, row.experiment]);

function measured() {
  const first = known.history[0];
  const time = (known.history.at(-1)?.seconds ?? 0) - (first?.seconds ?? 0);
  return known.rows.map((row) => {
    const before = first?.rows.get(name(row)) ?? { spans: 0, tokens: 0 };
    const grown = (key) => (time > 0 ? Math.max(0, (row[key] - before[key]) / time) : null);
    return { ...row, id: name(row), flow: grown("spans"), tokenFlow: grown("tokens"), last: row.last_seen_seconds_ago };
  });
}

/** The experiment of a row. */
export const whither = (row) => row.experiment ?? "Default";
const label = (row) => (row.others ? "all others" : row.service || "no service.name");
const experiment = (row) => (row.others ? "" : whither(row));
const matches = (row, text) => `${label(row)} ${experiment(row)}`.toLowerCase().includes(text.toLowerCase());

function sorted(rows) {
  const value = (row) => (view.by === "service" ? label(row) : view.by === "experiment" ? experiment(row) : row[view.by] ?? 0);
  const order = (a, b) => (WORDS.has(view.by) ? value(a).localeCompare(value(b)) : value(a) - value(b));
  return rows.sort((a, b) => (view.isUp ? order(a, b) : order(b, a)) || label(a).localeCompare(label(b)));
}

function head(app) {
  const sort = (key) => () => {
    view.isUp = view.by === key ? !view.isUp : WORDS.has(key) || key === "last";
    view.by = key;
    app.redraw();
  };
  return h("thead", {}, h("tr", {}, COLUMNS.map(([key, title]) =>
    h("th", { scope: "col", key, class: WORDS.has(key) ? null : "number", "aria-sort": view.by === key ? (view.isUp ? "ascending" : "descending") : null },
      h("button", { class: "sort", onclick: sort(key) }, title, view.by === key && h("i", { "aria-hidden": "true" }, view.isUp ? " ↑" : " ↓"))))));
}

function line(row, several) {
  return h("tr", { key: row.id },
    h("th", { scope: "row", class: "clip", title: label(row) }, label(row), several && h("small", {}, ` ${row.pipeline}`)),
    h("td", { class: "clip", title: experiment(row) }, experiment(row)),
    h("td", { class: "number" }, rate(row.flow)),
    h("td", { class: "number" }, count(row.spans)),
    h("td", { class: "number" }, row.tokens > 0 ? rate(row.tokenFlow) : "–"),
    h("td", { class: "number" }, row.tokens > 0 ? short(row.tokens) : "–"),
    h("td", { class: "number" }, money(row.cost)),
    h("td", { class: `number ${row.errors > 0 ? "bad" : ""}` }, row.errors > 0 ? `▲ ${count(row.errors)} (${percent(row.errors, row.spans)})` : "0"),
    h("td", { class: "number" }, ago(row.last)));
}
