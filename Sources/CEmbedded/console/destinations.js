// One panel for each destination: its balance, what waits, and what it said last.

import { address, post } from "./api.js";
import { balance, spark } from "./chart.js";
import { h } from "./dom.js";
import { ago, bytes, count, duration, percent, rate } from "./format.js";
import { OUTCOMES, find, isFailing, standing } from "./model.js";

/** The panels of all destinations. */
export function destinations(app) {
  const several = app.model.pipelines.length > 1;
  return h("div", { class: "cards" }, app.model.destinations.map(({ pipeline, row }) => panel(app, pipeline, row, several)));
}

function panel(app, pipeline, row, several) {
  const state = standing(row);
  const settings = app.model.component(row.window ? "processors" : "exporters", row.name);
  const inUse = row.delivery?.endpoints?.find((endpoint) => endpoint.in_use);
  const whither = inUse?.address ?? settings.endpoint ?? settings.traces_endpoint ?? settings.endpoints?.[0] ?? settings.path ?? "";
  const id = `destination-${pipeline.name}-${pipeline.signal}-${row.name}`;
  return h("article", { class: `panel destination ${state.level}`, key: id, "aria-labelledby": id },
    h("header", {},
      h("h3", { id }, row.name, several && h("small", {}, ` ${[...new Set([pipeline.name, pipeline.signal])].join(", ")}`)),
      h("span", { class: `pill ${state.level}` }, h("i", { "aria-hidden": "true" }, state.mark), state.word),
      row.delivery && pauser(app, pipeline, row)),
    h("p", { class: "faint where" }, [settings.type, whither].filter(Boolean).join(" → ")),
    endpoints(row),
    ledger(pipeline, row),
    backlog(app.model, pipeline, row),
    trouble(pipeline, row));
}

/** Its addresses in order, where it has several. */
function endpoints({ name, delivery }) {
  if (!delivery?.endpoints?.length) return null;
  return h("ol", { class: "endpoints", "aria-label": `Endpoints of ${name}` }, delivery.endpoints.map(({ address: place, circuit, in_use: isInUse }) =>
    h("li", { key: place, class: circuit === "closed" ? (isInUse ? "good" : "quiet") : "bad" },
      h("i", { "aria-hidden": "true" }, circuit === "closed" ? (isInUse ? "●" : "○") : "▲"),
      h("span", {}, ` ${place}`),
      h("span", { class: "faint" }, circuit === "closed" ? (isInUse ? " in use" : " stands by") : ` circuit ${circuit}`))));
}

function pauser(app, pipeline, row) {
  const isPaused = row.delivery.paused;
  const change = async () => {
    const path = `/api/destinations/${isPaused ? "resume" : "pause"}`;
    try {
      await post(address(path, { exporter: row.name, pipeline: pipeline.name }));
      row.delivery.paused = !isPaused;
      app.say(`${row.name} is ${isPaused ? "sent to again" : "paused"}.`);
    } catch (error) {
      app.say(error.message);
    }
    app.redraw();
  };
  return h("button", { class: "plain", onclick: change, "aria-label": `${isPaused ? "Resume" : "Pause"} ${row.name}` }, isPaused ? "Resume" : "Pause");
}

function ledger(pipeline, row) {
  const whole = row.accepted + row.created;
  const parts = OUTCOMES.map(([name, title, meaning]) => [name, title, row[name] ?? 0, meaning]);
  const sum = parts.reduce((total, [, , part]) => total + part, 0);
  const isEven = sum === whole;
  return h("div", { class: "ledger" },
    balance(parts, whole),
    h("table", {},
      h("caption", { class: "unseen" }, `What became of the ${pipeline.items} for ${row.name}`),
      h("tbody", {},
        parts.filter(([name, , part]) => part > 0 || name === "delivered" || name === "queued").map(([name, title, part, meaning]) =>
          h("tr", { key: name, title: meaning },
            h("th", { scope: "row" }, h("i", { class: `swatch ${name}`, "aria-hidden": "true" }), title),
            h("td", { class: "number" }, count(part)),
            h("td", { class: "number faint" }, percent(part, whole)))),
        h("tr", { class: "sum" },
          h("th", { scope: "row" }, "accepted", row.created > 0 && " and created"),
          h("td", { class: "number" }, count(whole)),
          h("td", { class: isEven ? "even" : "uneven" }, isEven ? "✓ balances" : `✗ ${count(whole - sum)} missing`)))));
}

function backlog(model, pipeline, row) {
  const { growth, drained, full, keepsUp } = model.backlog(pipeline, row);
  const waiting = model.values((status) => find(status, pipeline, row.name)?.queued);
  const isStuck = row.queued > 0 && drained === null && !keepsUp;
  const isFilling = full !== null && !keepsUp;
  const fact = (title, value, level) => h("div", {}, h("dt", {}, title), h("dd", { class: level ?? "" }, value));
  return h("div", { class: "backlog" },
    h("dl", {},
      fact("waiting", count(row.queued), row.queued > 0 && !keepsUp ? "held" : ""),
      fact("oldest", row.queued > 0 ? duration(row.oldest_queued_seconds) : "–"),
      fact("drained in", row.queued === 0 ? "–" : keepsUp ? "keeps up" : isStuck ? "not draining" : duration(drained), isStuck ? "warn" : ""),
      fact("full in", isFilling ? duration(full) : "–", isFilling && full < 3600 ? "bad" : ""),
      growth !== null && !keepsUp && Math.abs(growth) >= 0.05 && fact("growth", `${growth > 0 ? "+" : "−"}${rate(Math.abs(growth))}/s`)),
    isStuck && takesOut(pipeline) && h("p", { class: "faint note" }, "What processors took out before the journal is among them until its record is settled."),
    spark(waiting, { width: 300, height: 26, level: row.queued > 0 && !keepsUp ? "held" : "" }));
}

/** Whether processors of the pipeline take something out. */
const takesOut = ({ destinations: rows }) => rows.some((row) => row.filtered + row.sampled_out > 0);

function trouble(pipeline, row) {
  const { delivery } = row;
  if (!delivery?.error) return h("p", { class: "faint error-free" }, withoutError(row));
  const { error } = delivery;
  const isNow = isFailing(delivery) || delivery.circuit !== "closed";
  const next = delivery.paused ? "not while paused" : delivery.next_try_seconds === null ? (delivery.under_way > 0 ? "under way" : "with the next item") : delivery.next_try_seconds <= 0.05 ? "now" : `in ${duration(delivery.next_try_seconds)}`;
  return h("details", { class: `error ${isNow ? "now" : "past"}`, key: "error", open: isNow ? true : undefined },
    h("summary", {}, h("span", {}, "Last error"), h("span", { class: "faint" }, ` ${ago(error.seconds_ago)}${isNow || delivery.failures_in_a_row > 0 ? "" : ", delivered since"}`)),
    h("pre", { tabindex: "0", "aria-label": `Last error of ${row.name}` }, error.reason, error.body && error.body !== error.reason && `\n${error.body}`),
    h("dl", {},
      [["failed in a row", count(delivery.failures_in_a_row)], ["kind", error.outcome.replaceAll("_", " ")],
        [`${pipeline.items} in the batch`, count(error.items)], ["next try", isNow ? next : "not needed"], ["circuit", delivery.circuit]].map(([title, value]) =>
        h("div", {}, h("dt", {}, title), h("dd", {}, value)))));
}

function withoutError({ window, delivery }) {
  if (window) return "The window makes them content of the spans that they name.";
  return delivery ? "No attempt has failed." : "The pipeline file no longer names it.";
}

/** What the journal holds for all of them, in one line. */
export const room = ({ used_bytes: used, left_bytes: left }) => `${bytes(used)} used, ${bytes(left)} left`;
