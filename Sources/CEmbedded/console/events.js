// What happened lately, as a line of marks over time with its list, and what clients write otherwise than OTLP asks.

import { h, svg } from "./dom.js";
import { ago, clock, count, duration, moment } from "./format.js";

const WORDS = {
  started: ["●", "good", "started"],
  started_again: ["▲", "warn", "started again"],
  stopping: ["■", "held", "stopping"],
  stopped: ["■", "quiet", "stopped"],
  reloaded: ["↻", "good", "configuration loaded"],
  reload_refused: ["▲", "bad", "configuration refused"],
  circuit_opened: ["▲", "bad", "circuit opened"],
  circuit_closed: ["●", "good", "circuit closed"],
  endpoint_changed: ["◆", "warn", "endpoint changed"],
  paused: ["❚❚", "held", "paused"],
  resumed: ["▶", "good", "resumed"],
};
const LISTED = 12;
const SHOWN = 50;
const NUMBERS = new Set(["Count", "Requests", "Items", "Last"]);

export function timeline(model) {
  const { events } = model.status;
  return h("section", { class: "panel", key: "timeline", "aria-labelledby": "timeline-title" },
    h("h2", { id: "timeline-title" }, "Timeline", h("small", {}, "across restarts; the newest 200")),
    strip(model, events),
    h("ol", { class: "events", reversed: true }, events.slice(-LISTED).reverse().map((event, index) => {
      const [mark, level, words] = WORDS[event.kind] ?? ["○", "quiet", event.kind];
      return h("li", { key: `${event.at} ${index}` },
        h("time", { datetime: event.at, title: moment(event.at) }, clock(event.at)),
        h("i", { class: level, "aria-hidden": "true" }, mark),
        h("span", {}, h("b", {}, words), event.name && [" ", event.name], event.text && h("span", { class: "faint" }, ` ${event.text}`)));
    })));
}

function strip(model, events) {
  const end = Date.parse(model.status.at);
  const begin = Math.min(Date.parse(events[0]?.at ?? model.status.at), end - 60000);
  const place = (at) => `${(1 + (98 * Math.min(Math.max(Date.parse(at) - begin, 0), end - begin)) / Math.max(end - begin, 1)).toFixed(2)}%`;
  const line = (kind, from, to) => svg("line", { class: kind, x1: place(from), x2: to ? place(to) : "99%", y1: 10, y2: 10 });
  return h("figure", { class: "strip" },
    svg("svg", { width: "100%", height: 20, role: "img", "aria-label": `${events.length} events in ${duration((end - begin) / 1000)}; listed below` },
      svg("line", { x1: 0, y1: 10, x2: "100%", y2: 10 }),
      absences(events).map(([from, to]) => line("absence", from, to)),
      outages(events).map(([from, to]) => line("outage", from, to)),
      events.map((event) => svg("circle", { class: (WORDS[event.kind] ?? [])[1] ?? "quiet", cx: place(event.at), cy: 10, r: 4.5 }))),
    h("figcaption", {}, h("span", {}, duration((end - begin) / 1000), " ago"), h("span", {}, "now")));
}

const STARTS = new Set(["started", "started_again"]);

/** From where to where no process ran; when one was killed is not known. */
const absences = (events) => events.flatMap((event, index) => (STARTS.has(event.kind) && events[index - 1]?.kind === "stopped" ? [[events[index - 1].at, event.at]] : []));

/** From where to where circuits were open; those of a process end with it, of one that was killed at the next start. */
function outages(events) {
  const open = new Map();
  const found = [];
  for (const { kind, name, at } of events) {
    if (kind === "stopped" || STARTS.has(kind)) {
      for (const from of open.values()) found.push([from, at]);
      open.clear();
    }
    if (kind === "circuit_opened" && !open.has(name)) open.set(name, at);
    if (kind === "circuit_closed" && open.has(name)) {
      found.push([open.get(name), at]);
      open.delete(name);
    }
  }
  return [...found, ...[...open.values()].map((from) => [from, null])];
}

/** What clients write otherwise than OTLP asks: understood, or refused with what they were told. */
export function deviations(model) {
  const { deviations: understood, refusals } = model.status;
  const table = (title, heads, rows) =>
    h("div", { class: "scroll", key: title, tabindex: "0", role: "region", "aria-label": title },
      h("table", {}, h("caption", {}, title),
        h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", class: NUMBERS.has(head) ? "number" : null }, head)))),
        h("tbody", {}, rows)));
  const client = (name) => h("th", { scope: "row", class: "clip", title: name }, name);
  return h("section", { class: "panel deviations", key: "deviations", "aria-labelledby": "deviations-title" },
    h("h2", { id: "deviations-title" }, "Deviations", h("small", {}, "from OTLP, by client")),
    understood.length + refusals.length === 0 && h("p", { class: "empty" }, "Every client writes as the specification says."),
    refusals.length > 0 && table("Refused", ["Client", "Told last", "Requests", "Items", "Last"], refusals.slice(0, SHOWN).map((row) =>
      h("tr", { key: `${row.client} ${row.reason} ${row.receiver} ${row.signal}` },
        client(row.client ?? "all others"),
        h("td", { class: "told" }, row.reason && h("b", { class: "warn" }, row.reason.replaceAll("_", " ")), row.message && ` ${row.message}`),
        h("td", { class: "number" }, count(row.requests)), h("td", { class: "number" }, row.items > 0 ? count(row.items) : "–"), h("td", { class: "number" }, ago(row.seconds_ago))))),
    understood.length > 0 && table("Understood all the same", ["Client", "Kind", "Receiver", "Count"], understood.slice(0, SHOWN).map((row) =>
      h("tr", { key: `${row.client} ${row.kind} ${row.receiver} ${row.signal}` },
        client(row.client), h("td", {}, row.kind.replaceAll("_", " ")), h("td", {}, row.receiver), h("td", { class: "number" }, count(row.count))))));
}
