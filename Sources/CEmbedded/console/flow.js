// The overview: vital signs, the stream, every destination, what happened.

import { spark } from "./chart.js";
import { destinations, room } from "./destinations.js";
import { h } from "./dom.js";
import { deviations, timeline } from "./events.js";
import { bytes, count, duration, rate, short } from "./format.js";
import { KEPT_UP } from "./model.js";
import { topology } from "./topology.js";

let width = 1200;
let seen = null;

export const flow = {
  enter(app) {
    seen = new ResizeObserver(([entry]) => {
      // The view's own width; the drawing scrolls where it needs more.
      if (Math.abs(entry.contentRect.width - width) < 1) return;
      width = entry.contentRect.width;
      app.redraw();
    });
    seen.observe(document.getElementById("view"));
  },

  leave() {
    seen?.disconnect();
  },

  draw(app) {
    const inner = Math.max(width - 34, 300);
    return [
      h("h1", { class: "unseen" }, "Flow"),
      vitals(app.model),
      h("section", { class: "panel", key: "stream", "aria-labelledby": "stream-title" },
        h("h2", { id: "stream-title" }, "Stream", h("small", {}, "items a second, as wide as the rate")),
        topology(app.model, inner)),
      h("h2", { key: "destinations-title" }, "Destinations"),
      destinations(app),
      h("div", { class: "pair", key: "below" }, timeline(app.model), deviations(app.model)),
    ];
  },
};

function vitals(model) {
  const { status } = model;
  const sum = (pick) => (other) => other.pipelines.reduce((total, pipeline) => total + pick(pipeline), 0);
  const ends = (pick) => sum((pipeline) => pipeline.destinations.reduce((total, row) => total + pick(row), 0));
  const accepted = sum((pipeline) => pipeline.accepted);
  const refused = sum((pipeline) => pipeline.refused);
  const [delivered, queued, dead] = [ends((row) => row.delivered), ends((row) => row.queued), ends((row) => row.dead_lettered)];
  const oldest = Math.max(0, ...model.destinations.map(({ row }) => row.oldest_queued_seconds));
  const level = queued(status) > 0 && oldest > KEPT_UP ? "held" : "";
  const cpu = model.rate((other) => other.process.cpu_seconds);
  return h("section", { class: "vitals", key: "vitals", "aria-label": "Vital signs" },
    sign("accepted", `${rate(model.rate(accepted))}/s`, `${count(accepted(status))} in all`, spark(model.rates(accepted))),
    sign("delivered", `${rate(model.rate(delivered))}/s`, `${count(delivered(status))} in all`, spark(model.rates(delivered))),
    sign("waiting", short(queued(status)), queued(status) > 0 ? `the oldest for ${duration(oldest)}` : "nothing waits",
      spark(model.values(queued), { level }), level),
    sign("dead letters", count(dead(status)), dead(status) > 0 ? "look, replay, purge" : "none", null, dead(status) > 0 ? "bad" : "", "#/letters"),
    sign("refused", count(refused(status)), refusals(model) || "since the start", null, refused(status) > 0 ? "warn" : ""),
    sign("journal", bytes(status.journal.used_bytes), `${bytes(status.journal.left_bytes)} left`, null, "", null, room(status.journal)),
    sign("process", bytes(status.process.resident_bytes), cpu === null ? "of memory" : `${Math.round(cpu * 100)} % of a core`, spark(model.rates((other) => other.process.cpu_seconds))));
}

/** Why items were refused, most first. */
function refusals(model) {
  const reasons = {};
  for (const { receivers } of model.pipelines) {
    for (const counts of Object.values(receivers)) {
      for (const [reason, items] of Object.entries(counts)) if (reason !== "accepted" && items > 0) reasons[reason] = (reasons[reason] ?? 0) + items;
    }
  }
  return Object.entries(reasons).sort((a, b) => b[1] - a[1]).slice(0, 2).map(([reason, items]) => `${short(items)} ${reason.replaceAll("_", " ")}`).join(", ");
}

function sign(title, value, note, drawing, level = "", link = null, hint = null) {
  const body = [h("span", { class: "title" }, title), h("strong", { class: level }, value), h("span", { class: "faint" }, note), drawing];
  return link ? h("a", { class: "sign", key: title, href: link }, body) : h("div", { class: "sign", key: title, title: hint }, body);
}
