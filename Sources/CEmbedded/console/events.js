// What happened lately, as a line of marks over time with its list, and what clients write otherwise than OTLP asks.

import { h, svg } from "./dom.js";
import { clock, count, duration, moment } from "./format.js";

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
  const place = (at) => 6 + (588 * (Date.parse(at) - begin)) / Math.max(end - begin, 1);
  return svg("svg", { class: "strip", viewBox: "0 0 600 34", role: "img", "aria-label": `${events.length} events in ${duration((end - begin) / 1000)}; listed below` },
    svg("line", { x1: 0, y1: 17, x2: 600, y2: 17 }),
    outages(events).map(([from, to]) => svg("line", { class: "outage", x1: place(from), x2: to ? place(to) : 594, y1: 17, y2: 17 })),
    events.map((event) => svg("circle", { class: (WORDS[event.kind] ?? [])[1] ?? "quiet", cx: place(event.at), cy: 17, r: 4.5 })),
    svg("text", { x: 0, y: 32 }, duration((end - begin) / 1000), " ago"),
    svg("text", { x: 600, y: 32, "text-anchor": "end" }, "now"));
}

/** From where to where circuits were open. */
function outages(events) {
  const open = new Map();
  const found = [];
  for (const { kind, name, at } of events) {
    if (kind === "circuit_opened" && !open.has(name)) open.set(name, at);
    if (kind === "circuit_closed" && open.has(name)) {
      found.push([open.get(name), at]);
      open.delete(name);
    }
  }
  return [...found, ...[...open.values()].map((from) => [from, null])];
}

export function deviations(model) {
  const rows = model.status.deviations;
  return h("section", { class: "panel", key: "deviations", "aria-labelledby": "deviations-title" },
    h("h2", { id: "deviations-title" }, "Deviations", h("small", {}, "from OTLP, by client; all of it was understood")),
    rows.length === 0
      ? h("p", { class: "empty" }, "What was accepted is written as the specification says.")
      : h("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "deviations-title" },
        h("table", {},
          h("thead", {}, h("tr", {}, ["Client", "Kind", "Receiver", "Count"].map((title) => h("th", { scope: "col", class: title === "Count" ? "number" : null }, title)))),
          h("tbody", {}, rows.slice(0, 50).map((row) =>
            h("tr", { key: `${row.client} ${row.kind} ${row.receiver} ${row.signal}` },
              h("th", { scope: "row", class: "clip", title: row.client }, row.client), h("td", {}, row.kind.replaceAll("_", " ")), h("td", {}, row.receiver), h("td", { class: "number" }, count(row.count))))))));
}
