// The stream from left to right: receivers, what each processor takes out, the journal, destinations. As wide as the rate.

import { h, svg } from "./dom.js";
import { bytes, count, percent, rate, short } from "./format.js";
import { KEPT_UP, find, standing } from "./model.js";

const WINDOWED = new Set(["assemble", "tail_sample"]);
const REMOVALS = [["filtered", "filtered"], ["sampled_out", "sampled out"]];
const WIDEST = 34;
const ROOMY = { receiver: 148, journal: 146, destination: 222, before: 44, behind: 52, step: 108, height: 56, gap: 12 };
const TIGHT = { receiver: 112, journal: 116, destination: 208, before: 22, behind: 34, step: 74, height: 56, gap: 10 };
const LANE = { head: 24, above: 48, below: 62 };
/** Below this width the stream falls from top to bottom. */
const NARROW = 620;
let CARD = ROOMY;

/** The drawing, with its numbers as a table; `width` is what there is of room. */
export function topology(model, width) {
  const lanes = model.pipelines.map((pipeline) => measure(model, pipeline));
  const widest = Math.max(...lanes.map((lane) => lane.entering ?? 0), 0.2);
  if (width < NARROW) return fall(lanes, widest);
  CARD = width < least(lanes, ROOMY) ? TIGHT : ROOMY;
  const room = Math.max(width, least(lanes, CARD));
  let top = 0;
  const drawn = lanes.map((lane) => {
    const group = draw(lane, top, room, (flow) => Math.max(1.5, (WIDEST * (flow ?? 0)) / widest));
    top += group.height;
    return group.content;
  });
  // A little smaller is better than a part of it out of sight.
  const scale = width < room ? Math.max(width / room, 0.85) : 1;
  return [
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The stream, drawn" },
      svg("svg", { class: "stream", width: room * scale, height: top * scale, viewBox: `0 0 ${room} ${top}`, role: "img", "aria-label": summary(lanes) }, drawn)),
    h("details", { class: "beside" }, h("summary", {}, "As a table"), table(lanes)),
  ];
}

/** What the longest lane needs. */
function least(lanes, card) {
  const stages = Math.max(0, ...lanes.map(({ front, behind }) => front.length + behind.length));
  return card.receiver + card.before + stages * card.step + card.journal + card.behind + card.destination;
}

/** What a lane shows: rates of everything on the way of one signal through one pipeline. */
function measure(model, pipeline) {
  const of = (status) => status.pipelines.find((other) => other.name === pipeline.name && other.signal === pipeline.signal);
  const settings = model.component("pipelines", pipeline.name);
  const receivers = (settings.receivers ?? Object.keys(pipeline.receivers)).map((name) => ({
    name,
    type: model.component("receivers", name).type ?? "receiver",
    total: pipeline.receivers[name]?.accepted ?? 0,
    flow: model.rate((status) => of(status)?.receivers[name]?.accepted ?? 0),
  }));
  let flow = receivers.some((receiver) => receiver.flow === null) ? null : receivers.reduce((sum, { flow }) => sum + flow, 0);
  const entering = flow;
  // What redacts runs before all others, wherever it is listed.
  const isLater = (name) => model.component("processors", name).type !== "redact";
  const names = [...(settings.processors ?? Object.keys(pipeline.processors))].sort((a, b) => isLater(a) - isLater(b));
  const stages = names.map((name) => {
    const { type } = model.component("processors", name);
    const counts = pipeline.processors[name] ?? {};
    const removed = REMOVALS.flatMap(([outcome, words]) => {
      const key = Object.keys(counts).find((other) => other.startsWith(`${outcome}_`));
      if (!key) return [];
      return [{ words, outcome, total: counts[key], flow: model.rate((status) => of(status)?.processors[name]?.[key] ?? 0) }];
    });
    const before = flow;
    for (const part of removed) if (flow !== null) flow = Math.max(0, flow - (part.flow ?? 0));
    return { name, type: type ?? "", counts, removed, before, after: flow };
  }).filter((stage) => stage.type !== "batch");
  const window = stages.findIndex((stage) => WINDOWED.has(stage.type));
  const destinations = pipeline.destinations.map((row) => ({
    row,
    type: model.component("exporters", row.name).type ?? "",
    flow: model.rate((status) => find(status, pipeline, row.name)?.delivered),
    state: standing(row),
  }));
  const front = window < 0 ? stages : stages.slice(0, window);
  return { pipeline, receivers, entering, front, behind: window < 0 ? [] : stages.slice(window), destinations, journal: model.status.journal,
    journaled: front.at(-1)?.after ?? entering, leaving: flow };
}

function draw(lane, top, room, thick) {
  const rows = Math.max(lane.receivers.length, lane.destinations.length, 1);
  const body = Math.max(rows * (CARD.height + CARD.gap) - CARD.gap, LANE.above + LANE.below + 20);
  const height = LANE.head + body + 14;
  const middle = top + LANE.head + body / 2;
  const stages = lane.front.length + lane.behind.length;
  const start = CARD.receiver + CARD.before;
  const end = room - CARD.destination - CARD.behind;
  const step = (end - start - CARD.journal) / Math.max(stages, 1);
  const content = [label(lane, top)];
  let x = start;
  const pen = { x, middle, thick, content };
  join(pen, lane.receivers, lane.entering, start);
  for (const stage of lane.front) gate(pen, stage, step);
  basin(pen, lane, x);
  for (const stage of lane.behind) gate(pen, stage, step);
  fan(pen, lane, room);
  return { height, content: svg("g", { key: `${lane.pipeline.name}/${lane.pipeline.signal}` }, content) };
}

const label = ({ pipeline }, top) =>
  svg("text", { class: "lane", x: 0, y: top + 16 }, pipeline.name, svg("tspan", { class: "faint", dx: 8 }, pipeline.items));

/** A band from one place to another, each with its middle and width. */
function band(x1, y1, w1, x2, y2, w2, kind) {
  const bend = (x2 - x1) * 0.5;
  const side = (sign) => [y1 + (sign * w1) / 2, y2 + (sign * w2) / 2].map((y) => y.toFixed(1));
  const [[a, b], [c, d]] = [side(-1), side(1)];
  const path = `M${x1},${a}C${x1 + bend},${a} ${x2 - bend},${b} ${x2},${b}V${d}C${x2 - bend},${d} ${x1 + bend},${c} ${x1},${c}Z`;
  const line = `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
  return [svg("path", { class: `water ${kind}`, d: path }), w1 > 3 && kind === "" && svg("path", { class: "ripple", d: line })];
}

function stacked(places, middle) {
  const whole = places.length * (CARD.height + CARD.gap) - CARD.gap;
  return places.map((_, index) => middle - whole / 2 + index * (CARD.height + CARD.gap));
}

function join(pen, receivers, entering, start) {
  const widths = receivers.map((receiver) => pen.thick(receiver.flow));
  const whole = widths.reduce((sum, width) => sum + width, 0);
  let y = pen.middle - whole / 2;
  stacked(receivers, pen.middle).forEach((top, index) => {
    const receiver = receivers[index];
    const width = widths[index];
    pen.content.push(band(CARD.receiver, top + CARD.height / 2, width, start, y + width / 2, width, receiver.flow > 0 ? "" : "still"));
    pen.content.push(card(0, top, CARD.receiver, receiver.name, receiver.type, `${rate(receiver.flow)}/s`, "", CARD === ROOMY ? short(receiver.total) : ""));
    y += width;
  });
  pen.width = whole;
}

function gate(pen, stage, step) {
  const at = pen.x + step * 0.5;
  const [before, after] = [Math.max(pen.width, 1.5), pen.thick(stage.after)];
  const kind = stage.before > 0 ? "" : "still";
  pen.content.push(band(pen.x, pen.middle, before, at, pen.middle, pen.thick(stage.before), kind));
  pen.content.push(band(at, pen.middle, after, pen.x + step, pen.middle, after, stage.after > 0 ? "" : "still"));
  const half = Math.max(pen.thick(stage.before) / 2, 5) + 6;
  let y = pen.middle + half + 15;
  for (const part of stage.removed.filter((part) => part.total > 0)) {
    const width = Math.min(pen.thick(part.flow), 14);
    if (part.flow > 0) {
      const down = pen.middle + half + 2;
      pen.content.push(svg("path", { class: "taken", "stroke-width": width.toFixed(1), d: `M${at},${pen.middle}C${at + 16},${pen.middle} ${at + 18},${pen.middle + 8} ${at + 18},${down}` }));
    }
    pen.content.push(text(at, y, "removed", `−${rate(part.flow)}/s`, stage.before > 0 && CARD === ROOMY ? `, ${percent(part.flow, stage.before)}` : ""));
    pen.content.push(text(at, y + 14, "faint", part.words));
    y += 28;
  }
  if (!stage.removed.some((part) => part.total > 0)) {
    const [total, ...words] = does(stage).split(" ");
    pen.content.push(text(at, y, "faint", total), text(at, y + 14, "faint", clip(words.join(" "), (step - 8) / 6.9)));
  }
  pen.content.push(svg("rect", { class: "gate", x: at - 2, y: pen.middle - half, width: 4, height: half * 2, rx: 2 }));
  pen.content.push(text(at, pen.middle - half - 19, "name", clip(stage.name, (step - 8) / 7.4)));
  pen.content.push(text(at, pen.middle - half - 6, "faint", clip(stage.type, (step - 8) / 6.9)));
  pen.x += step;
  pen.width = after;
}

/** What a processor that takes nothing out has counted most of. */
function does(stage) {
  const [name, total] = Object.entries(stage.counts).filter(([name]) => !REMOVALS.some(([outcome]) => name.startsWith(outcome))).sort((a, b) => b[1] - a[1])[0] ?? [];
  return name && total > 0 ? `${short(total)} ${name.replace(/_(spans|log_records|data_points)$/, "").replaceAll("_", " ")}` : "";
}

function basin(pen, lane) {
  const width = Math.max(pen.width, 1.5);
  const [x, height] = [pen.x, 64];
  const y = pen.middle - height / 2;
  const { used_bytes: used, left_bytes: left } = lane.journal;
  const share = Math.min(1, used / Math.max(used + left, 1));
  const queued = Math.max(...lane.destinations.map(({ row }) => row.queued), 0);
  const isOld = lane.destinations.some(({ row }) => row.oldest_queued_seconds > KEPT_UP);
  pen.content.push(band(x - 1, pen.middle, width, x + 8, pen.middle, width, lane.journaled > 0 ? "" : "still"));
  pen.content.push(svg("rect", { class: "card", x, y, width: CARD.journal, height, rx: 8 }));
  pen.content.push(svg("rect", { class: "level", x: x + 1, y: y + height - 5, width: Math.max(2, (CARD.journal - 2) * share), height: 4, rx: 2 }));
  pen.content.push(text(x + CARD.journal / 2, y + 18, "name", "journal"));
  pen.content.push(text(x + CARD.journal / 2, y + 34, queued > 0 && isOld ? "held" : "faint", queued > 0 ? `${short(queued)} waiting` : "nothing waits"));
  pen.content.push(text(x + CARD.journal / 2, y + 49, "faint", CARD === ROOMY ? `${bytes(used)} of ${bytes(used + left)}` : `${percent(used, used + left)} full`));
  pen.x += CARD.journal;
  pen.width = pen.thick(lane.journaled);
}

function fan(pen, lane, room) {
  const x = room - CARD.destination;
  stacked(lane.destinations, pen.middle).forEach((top, index) => {
    const { row, type, flow, state } = lane.destinations[index];
    const width = pen.thick(flow);
    const kind = state.level === "bad" || state.level === "held" ? "shut" : flow > 0 ? "" : "still";
    pen.content.push(band(pen.x, pen.middle, Math.max(Math.min(pen.width, width), 1.5), x, top + CARD.height / 2, width, kind));
    pen.content.push(card(x, top, CARD.destination, row.name, type, `${rate(flow)}/s`, state.level,
      row.queued > 0 ? `${short(row.queued)} waiting` : short(row.delivered), `${state.mark} ${state.word}`));
  });
}

function card(x, y, width, name, type, flow, level, note, state) {
  return svg("g", { key: `card ${name} ${x}`, class: `node ${level}` },
    svg("title", {}, `${name} (${type})`),
    svg("rect", { class: "card", x, y, width, height: CARD.height, rx: 8 }),
    svg("text", { class: "name", x: x + 12, y: y + 21 }, clip(name, (width - 74) / 7.2)),
    svg("text", { class: "flow", x: x + width - 12, y: y + 21, "text-anchor": "end" }, flow),
    svg("text", { class: state ? "state" : "faint", x: x + 12, y: y + 42 }, state ?? clip(type, 11)),
    svg("text", { class: "faint", x: x + width - 12, y: y + 42, "text-anchor": "end" }, note));
}

/** The same for narrow screens: one bar below the other. */
function fall(lanes, widest) {
  const row = (key, name, type, flow, note, level = "") =>
    h("tr", { key, class: level }, h("th", { scope: "row" }, name, h("small", {}, ` ${type}`)),
      h("td", { class: "over" }, h("span", { class: `fall ${level}`, style: { width: `max(2px, ${(100 * (flow ?? 0)) / widest}%)` } })),
      h("td", { class: "number" }, `${rate(flow)}/s`), h("td", { class: "faint" }, note));
  return lanes.map((lane) => h("table", { class: "falls", key: `${lane.pipeline.name}/${lane.pipeline.signal}` },
    h("caption", {}, lane.pipeline.name, h("small", {}, lane.pipeline.items)),
    h("tbody", {},
      lane.receivers.map((receiver) => row(`from ${receiver.name}`, receiver.name, receiver.type, receiver.flow, "in")),
      [...lane.front, ...lane.behind].map((stage) => {
        const removed = stage.removed.filter((part) => part.total > 0).map((part) => `−${rate(part.flow)}/s ${part.words}`).join(", ");
        return row(stage.name, stage.name, stage.type, stage.after, removed || does(stage), removed ? "removes" : "");
      }),
      lane.destinations.map(({ row: end, type, flow, state }) =>
        row(`to ${end.name}`, end.name, type, flow, `${state.mark} ${state.word}${end.queued > 0 ? `, ${short(end.queued)} waiting` : ""}`, state.level)))));
}

const text = (x, y, kind, ...words) => svg("text", { class: kind, x, y, "text-anchor": "middle" }, words.join(""));

const clip = (name, most) => (name.length > most ? `${name.slice(0, Math.max(2, Math.floor(most) - 1))}…` : name);

function summary(lanes) {
  return lanes.map((lane) => {
    const { pipeline } = lane;
    const ends = lane.destinations.map(({ row, flow, state }) => `${row.name} ${rate(flow)} a second, ${state.word}`);
    return `${pipeline.name}: ${rate(lane.entering)} ${pipeline.items} a second come in; ${ends.join("; ")}`;
  }).join(". ");
}

function table(lanes) {
  const row = (lane, name, kind, flow, total, note) =>
    h("tr", {}, h("td", {}, lane.pipeline.name), h("th", { scope: "row" }, name), h("td", {}, kind),
      h("td", { class: "number" }, rate(flow)), h("td", { class: "number" }, count(total)), h("td", {}, note));
  const rows = lanes.flatMap((lane) => [
    ...lane.receivers.map((receiver) => row(lane, receiver.name, receiver.type, receiver.flow, receiver.total, "accepted")),
    ...[...lane.front, ...lane.behind].flatMap((stage) =>
      stage.removed.length > 0
        ? stage.removed.map((part) => row(lane, stage.name, stage.type, part.flow, part.total, `taken out: ${part.words}`))
        : [row(lane, stage.name, stage.type, stage.after, 0, does(stage) || "takes nothing out")]),
    ...lane.destinations.map(({ row: end, type, flow, state }) => row(lane, end.name, type, flow, end.delivered, state.word)),
  ]);
  return h("table", {}, h("thead", {}, h("tr", {}, ["Pipeline", "Name", "Type", "A second", "Since start", "What"].map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, rows));
}
