// Traces: one that is looked for, and those that come while this view is open, with what each processor does to their spans.

import { address, get } from "./api.js";
import { h } from "./dom.js";
import { clock, count, duration, moment } from "./format.js";
import { extent, waterfall } from "./waterfall.js";

/** Traces that are kept in the list. */
const KEPT = 100;
const view = { id: "", found: null, message: "", tail: "", list: new Map(), leftOut: 0, isPaused: false, chosen: null };

export const traces = {
  enter(app) {
    app.watch(view.tail, (event) => take(app, event));
  },

  leave(app) {
    app.watch(null);
  },

  draw(app) {
    return [
      h("div", { class: "bar", key: "bar" }, h("h1", {}, "Traces"), finder(app)),
      view.message && h("p", { class: "panel message", key: "message", role: "alert" }, view.message),
      view.found && outcome(app),
      tail(app),
      view.chosen && h("section", { class: "panel", key: "chosen", "aria-label": "The chosen trace" },
        h("div", { class: "bar" }, h("h2", {}, "Trace ", h("code", {}, view.chosen.id)), h("button", { class: "plain", onclick: () => { view.chosen = null; app.redraw(); } }, "Close")),
        waterfall(app, view.chosen.spans, `tail ${view.chosen.id}`)),
    ];
  },
};

function finder(app) {
  const find = async (event) => {
    event.preventDefault();
    view.id = event.target.elements.id.value.trim().replaceAll("-", "").toLowerCase();
    [view.found, view.message] = [null, ""];
    try {
      view.found = await get(address("/api/traces", { id: view.id }));
    } catch (error) {
      view.message = error.message;
    }
    app.say(view.found ? `${view.found.records.length} records found` : view.message);
    app.redraw();
  };
  return h("form", { class: "bar", onsubmit: find, role: "search" },
    h("label", { class: "find" }, h("span", { class: "unseen" }, "Trace id"), h("input", { name: "id", type: "search", placeholder: "Find a trace id", spellcheck: "false", autocomplete: "off", maxlength: "40" })),
    h("button", {}, "Find"));
}

function outcome(app) {
  const { records, trace_id: id } = view.found;
  const close = h("button", { class: "plain", onclick: () => { view.found = null; app.redraw(); } }, "Close");
  const title = h("div", { class: "bar" }, h("h2", {}, "Trace ", h("code", {}, id)), close);
  if (records.length === 0) {
    return h("section", { class: "panel", key: "found", "aria-label": "What was found" }, title,
      h("p", { class: "empty" }, "The journal does not hold it any more: it was delivered and its segment is gone, or it never came. journal.retain keeps segments for longer."));
  }
  const spans = new Map(records.flatMap((record) => record.spans).map((span) => [span.span_id, span]));
  return h("section", { class: "panel", key: "found", "aria-label": "What was found" }, title,
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Records" }, h("table", { class: "wide" },
      h("thead", {}, h("tr", {}, ["Received", "Pipeline", "Experiment", "Spans", "Destinations"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, records.map((record, index) => h("tr", { key: index },
        h("td", { class: "time" }, moment(record.received_at)),
        h("td", {}, record.pipeline, record.window && h("span", { class: "faint" }, " behind its window"), record.signal !== "traces" && h("span", { class: "faint" }, ` ${record.signal}`)),
        h("td", { class: "clip" }, record.experiment ?? (record.destinations.length === 0 ? "decided by the window" : "Default")),
        h("td", { class: "number" }, count(record.spans.length)),
        h("td", { class: "ends" }, record.destinations.map(({ name, state }) => ending(name, state)))))))),
    spans.size > 0 && waterfall(app, [...spans.values()], `found ${id}`));
}

function ending(name, state) {
  const [mark, level] = { settled: ["●", "good"], queued: ["◷", "held"], "dead letter": ["▲", "bad"] }[state] ?? ["○", "quiet"];
  return h("span", { class: `pill ${level}`, key: name }, h("i", { "aria-hidden": "true" }, mark), `${name}: ${state}`);
}

function tail(app) {
  const rows = [...view.list.values()].reverse();
  const search = (event) => {
    view.tail = event.target.value;
    clear();
    app.watch(view.tail, (answer) => take(app, answer));
    app.redraw();
  };
  const pause = () => {
    view.isPaused = !view.isPaused;
    app.say(view.isPaused ? "The tail stands still." : "The tail goes on.");
    app.redraw();
  };
  return h("section", { class: "panel", key: "tail", "aria-labelledby": "tail-title" },
    h("div", { class: "bar" },
      h("h2", { id: "tail-title" }, "Live tail", h("small", {}, "spans as they come, and what the processors make of them")),
      h("span", { class: view.leftOut > 0 ? "warn" : "faint", id: "left-out" }, `${count(view.leftOut)} requests left out`),
      h("label", { class: "find" }, h("span", { class: "unseen" }, "Filter the tail"), h("input", { type: "search", placeholder: "Service, span, error, trace id", value: view.tail, onchange: search })),
      h("button", { class: "plain", onclick: pause, "aria-pressed": String(view.isPaused) }, view.isPaused ? "Go on" : "Pause tail"),
      h("button", { class: "plain", onclick: () => { clear(); app.redraw(); } }, "Clear")),
    rows.length === 0
      ? h("p", { class: "empty" }, view.isPaused ? "Paused." : "Nothing came since this view was opened.")
      : h("div", { class: "scroll tail", tabindex: "0", role: "region", "aria-labelledby": "tail-title" }, h("table", { class: "wide" },
        h("thead", {}, h("tr", {}, ["Time", "Service", "Trace", "Spans", "Takes", "Status", "Experiment", "Goes on", ""].map((name) => h("th", { scope: "col" }, name || h("span", { class: "unseen" }, "Actions"))))),
        h("tbody", {}, rows.map((row) => line(app, row))))));
}

function clear() {
  view.list.clear();
  view.leftOut = 0;
  view.chosen = null;
}

/** Adds what came; spans of a trace that is there already join it. */
function take(app, event) {
  view.leftOut += event.left_out;
  if (view.isPaused) {
    view.leftOut += event.requests.length;
  } else {
    for (const request of event.requests) for (const pipeline of request.pipelines) add(request, pipeline);
    while (view.list.size > KEPT) view.list.delete(view.list.keys().next().value);
  }
  app.redraw();
}

function add(request, pipeline) {
  for (const span of pipeline.spans) {
    const key = `${pipeline.name} ${span.trace_id}`;
    const row = view.list.get(key) ?? { key, id: span.trace_id, at: request.at, pipeline: pipeline.name, client: request.client, spans: [], refused: pipeline.refused };
    if (!row.spans.some((other) => other.span_id === span.span_id)) row.spans.push(span);
    view.list.set(key, row);
  }
}

function line(app, row) {
  const ids = new Set(row.spans.map((span) => span.span_id));
  const top = row.spans.find((span) => !span.parent_id) ?? row.spans.find((span) => !ids.has(span.parent_id)) ?? row.spans[0];
  const kept = row.spans.filter((span) => !span.dropped).length;
  const errors = row.spans.filter((span) => span.error).length;
  const isChosen = view.chosen?.key === row.key;
  const fate = row.refused ? "refused" : kept === row.spans.length ? "all" : kept === 0 ? `none: ${[...new Set(row.spans.map((span) => `${String(span.dropped).replaceAll("_", " ")} by ${span.dropped_by}`))].join(", ")}` : `${kept} of ${row.spans.length}`;
  return h("tr", { key: row.key, class: isChosen ? "chosen" : null },
    h("td", { class: "time" }, clock(row.at)),
    h("td", { class: "clip", title: `${top.service ?? ""} (${row.client})` }, top.service ?? "–"),
    h("th", { scope: "row", class: "clip", title: top.name }, top.name),
    h("td", { class: "number" }, count(row.spans.length)),
    h("td", { class: "number" }, duration(extent(row.spans).whole / 1000)),
    h("td", { class: errors > 0 ? "bad" : "" }, errors > 0 ? `▲ ${errors} failed` : "ok"),
    h("td", { class: "clip" }, top.experiment ?? "Default"),
    h("td", { class: kept === 0 ? "faint" : "" }, fate),
    h("td", { class: "actions" }, h("button", { class: "plain", "aria-expanded": String(isChosen), "aria-label": `Show the trace ${top.name}`, onclick: () => { view.chosen = isChosen ? null : row; app.redraw(); } }, isChosen ? "Close" : "Show")));
}
