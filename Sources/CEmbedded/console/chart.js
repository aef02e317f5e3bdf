// Small drawings: a line of the last minutes, and a bar of parts. Each has its numbers beside it; the drawing alone says nothing.

import { h, svg } from "./dom.js";

/** A line of values, the newest at the right. */
export function spark(values, { width = 96, height = 22, level = "" } = {}) {
  const top = Math.max(...values, 1e-9);
  const step = width / Math.max(values.length - 1, 1);
  const points = values.map((value, index) => [index * step, height - 1.5 - (value / top) * (height - 3)]);
  const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  return svg("svg", { class: `spark ${level}`, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    values.length > 1 && svg("polygon", { points: `0,${height} ${line} ${width},${height}` }),
    values.length > 1 && svg("polyline", { points: line }));
}

/** A bar of parts `[name, title, count]`, each at least as wide as can be seen; its parts are listed beside it. */
export function balance(parts, whole) {
  const total = Math.max(whole, 1);
  return h("div", { class: "balance", "aria-hidden": "true" },
    parts.filter(([, , count]) => count > 0).map(([name, title, count]) =>
      h("span", { key: name, class: `part ${name}`, title: `${title}: ${count}`, style: { "flex-grow": String(Math.max(count / total, 0.004)) } })));
}
