// The spans of one trace over time, and of each what every processor changed, by which rule.

import { h } from "./dom.js";
import { duration } from "./format.js";

const open = new Set();
/** Spans that are drawn of one trace. */
const DRAWN = 300;
const ACTIONS = {
  set: "+ set", repaired: "✎ repaired", removed: "− removed", renamed: "✎ renamed", redacted: "■ redacted", truncated: "✂ cut",
  dropped: "− dropped", routed: "→ routed", kept: "● kept", ignored: "○ ignored", filtered: "− filtered", sampled_out: "− sampled out",
};

/** When the spans begin, and how long they take together, in milliseconds. */
export function extent(spans) {
  const starts = spans.map((span) => BigInt(span.start_ns));
  const ends = spans.map((span) => BigInt(span.end_ns));
  const begin = starts.reduce((least, time) => (time < least ? time : least), starts[0] ?? 0n);
  const end = ends.reduce((most, time) => (time > most ? time : most), begin);
  return { begin, whole: Number(end - begin) / 1e6 };
}

export function waterfall(app, spans, key) {
  const { begin, whole } = extent(spans);
  const rows = ordered(spans).slice(0, DRAWN);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Waterfall" },
    h("table", { class: "waterfall" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Span"), h("th", { scope: "col" }, "Type"), h("th", { scope: "col", class: "over" }, `0 to ${duration(whole / 1000)}`), h("th", { scope: "col", class: "number" }, "Takes"))),
      h("tbody", {}, rows.flatMap(({ span, depth }) => line(app, span, depth, begin, whole, `${key} ${span.span_id}`)))),
    spans.length > DRAWN && h("p", { class: "faint" }, `${spans.length - DRAWN} more spans are not drawn.`));
}

/** Depth first, each level by its start; a parent that is not there makes a span a top. */
function ordered(spans) {
  const byID = new Map(spans.map((span) => [span.span_id, span]));
  const below = Map.groupBy(spans, (span) => (byID.has(span.parent_id) && span.parent_id !== span.span_id ? span.parent_id : null));
  const rows = [];
  const seen = new Set();
  const walk = (parent, depth) => {
    const level = (below.get(parent) ?? []).sort((a, b) => (BigInt(a.start_ns) < BigInt(b.start_ns) ? -1 : 1));
    for (const span of level) {
      if (seen.has(span.span_id)) continue;
      seen.add(span.span_id);
      rows.push({ span, depth });
      walk(span.span_id, depth + 1);
    }
  };
  walk(null, 0);
  // Spans that are each other's parents have no top.
  for (const span of spans) if (!seen.has(span.span_id)) rows.push({ span, depth: 0 });
  return rows;
}

function line(app, span, depth, begin, whole, key) {
  const from = Number(BigInt(span.start_ns) - begin) / 1e6;
  const takes = Math.max(0, Number(BigInt(span.end_ns) - BigInt(span.start_ns)) / 1e6);
  const share = (value) => `${(100 * value) / Math.max(whole, 0.001)}%`;
  const isOpen = open.has(key);
  const toggle = () => {
    if (isOpen) open.delete(key);
    else open.add(key);
    app.redraw();
  };
  const type = span.attributes?.["mlflow.spanType"];
  const row = h("tr", { key, class: span.dropped ? "gone" : null },
    h("th", { scope: "row", style: { "padding-left": `${Math.min(depth, 12) * 16}px` } },
      h("button", { class: "span", "aria-expanded": String(isOpen), onclick: toggle }, h("i", { "aria-hidden": "true" }, isOpen ? "▾" : "▸"), " ", h("span", {}, span.name)),
      span.error && h("span", { class: "bad" }, " ▲ error"),
      span.dropped && h("span", { class: "faint" }, ` ${String(span.dropped).replaceAll("_", " ")} by ${span.dropped_by}`)),
    h("td", { class: "faint" }, typeof type === "string" ? type.replaceAll("_", " ").toLowerCase() : ""),
    h("td", { class: "over" }, h("span", { class: `bar-of-span ${span.error ? "failed" : ""} ${String(type ?? "").toLowerCase()}`, style: { "margin-left": share(Math.min(from, whole)), width: `max(3px, ${share(takes)})` } })),
    h("td", { class: "number" }, duration(takes / 1000)));
  return isOpen ? [row, h("tr", { key: `${key} open`, class: "opened" }, h("td", { colspan: "4" }, details(span)))] : [row];
}

function details(span) {
  const steps = (span.processors ?? []).filter(({ findings }) => findings.some(({ action }) => action !== "ignored"));
  return [
    h("p", { class: "faint" }, `span ${span.span_id}, service ${span.service ?? "–"}, experiment ${span.experiment ?? "–"}`),
    !span.attributes && h("p", { class: "faint" }, "What the processors made of it is asked for, or not kept any more."),
    span.processors && (steps.length === 0 ? h("p", { class: "faint" }, "No processor changed it.") : h("ol", { class: "steps" }, steps.map((step) =>
      h("li", { key: step.name }, h("b", {}, step.name), h("span", { class: "faint" }, ` ${step.type}`),
        h("ul", {}, step.findings.filter(({ action }) => action !== "ignored").map((finding, index) => h("li", { key: index }, told(finding)))))))),
    span.attributes && attributes(span),
  ];
}

function told({ action, target, rule, from, route, reason, value }) {
  return [
    h("span", { class: `action ${action}` }, ACTIONS[action] ?? action.replaceAll("_", " ")), " ",
    target && h("code", {}, target), route && h("span", {}, ` to ${route}`),
    from?.length > 0 && h("span", { class: "faint" }, ` from ${from.join(", ")}`),
    value !== undefined && action !== "redacted" && h("span", { class: "faint" }, ` = ${brief(value, 80)}`),
    rule && h("span", { class: "rule" }, ` by ${rule}`), reason && h("span", { class: "faint" }, ` because ${reason}`),
  ];
}

const brief = (value, most = 400) => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > most ? `${text.slice(0, most)}…` : text;
};

/** Every attribute as it came, behind redaction, and as it goes. */
function attributes(span) {
  const after = span.attributes;
  const before = span.before ?? after;
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])].sort();
  const isSame = (name) => JSON.stringify(before[name]) === JSON.stringify(after[name]);
  return h("table", { class: "attributes" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Attribute"), span.before && h("th", { scope: "col" }, "As it came"), h("th", { scope: "col" }, span.before ? "As it goes" : "Value"))),
    h("tbody", {}, names.map((name) => h("tr", { key: name, class: isSame(name) ? null : "changed" },
      h("th", { scope: "row" }, h("code", {}, name), !isSame(name) && h("span", { class: "rule" }, name in before ? (name in after ? " changed" : " taken out") : " added")),
      span.before && h("td", {}, name in before ? h("code", {}, brief(before[name])) : "–"),
      h("td", {}, name in after ? h("code", {}, brief(after[name])) : "–")))));
}
