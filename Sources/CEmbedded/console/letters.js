// Dead letters: what destinations refuse for good, with what they said and what they were sent.

import { address, get, post } from "./api.js";
import { h } from "./dom.js";
import { bytes, count, moment } from "./format.js";

const SHOWN = 50;
/** Letters that are asked for at once, and that are listed at most: the process hands them out from the oldest on. */
const PAGE = 1000;
const LISTED = 3000;
const NUMBERS = new Set(["Items", "Status"]);
const view = { exporter: "", filter: "", list: [], isWhole: true, shown: SHOWN, items: null, open: null, message: "", isAsked: false };

export const letters = {
  enter(app) {
    view.message = "";
    load(app);
  },

  draw(app) {
    const names = [...new Set(app.model.destinations.map(({ row }) => row.name))];
    const found = view.list.filter((letter) => matches(letter, view.filter));
    const shown = found.slice(0, view.shown);
    const isOld = view.items !== null && view.items !== lying(app);
    return [
      h("div", { class: "bar", key: "bar" },
        h("h1", {}, "Dead letters", h("small", {}, view.isAsked ? `${count(found.length)} of ${count(view.list.length)} letters, the newest first` : "what a destination refuses for good")),
        h("label", {}, h("span", { class: "unseen" }, "Exporter"), h("select", { onchange: (event) => { view.exporter = event.target.value; load(app); } },
          h("option", { value: "", selected: view.exporter === "" }, "All exporters"),
          names.map((name) => h("option", { key: name, value: name, selected: view.exporter === name }, name)))),
        h("label", { class: "find" }, h("span", { class: "unseen" }, "Filter dead letters"), h("input", {
          type: "search", class: "long", placeholder: "Filter by reason, service, route, trace id", value: view.filter,
          oninput: (event) => { view.filter = event.target.value; app.redraw(); },
        })),
        h("button", { class: isOld ? "strong" : "plain", onclick: () => load(app) }, isOld ? "Look again: others lie there now" : "Look again"),
        found.length > 0 && [
          h("button", { onclick: () => change(app, "replay", found) }, view.filter ? `Replay these ${count(found.length)}` : "Replay all"),
          h("button", { class: "danger", onclick: () => change(app, "purge", found) }, view.filter ? `Purge these ${count(found.length)}` : "Purge all")]),
      !view.isWhole && h("p", { class: "panel message", key: "part" }, `There are more: the oldest ${count(LISTED)} are listed. Replay or purge them to see others.`),
      view.message && h("p", { class: "panel message", key: "message" }, view.message),
      h("div", { class: "panel scroll", key: "list", tabindex: "0", role: "region", "aria-label": "Dead letters" },
        shown.length === 0
          ? h("p", { class: "empty" }, !view.isAsked ? "Reading …" : view.list.length === 0 ? "No dead letters: nothing was refused for good." : "None matches.")
          : h("table", { class: "wide" },
            h("thead", {}, h("tr", {}, ["Refused", "Exporter", "Route", "Items", "Status", "Reason", "Services", ""].map((title) => h("th", { scope: "col", class: NUMBERS.has(title) ? "number" : null }, title || h("span", { class: "unseen" }, "Actions"))))),
            h("tbody", {}, shown.flatMap((letter) => rows(app, letter))))),
      found.length > shown.length && h("button", { class: "plain", key: "more", onclick: () => { view.shown += SHOWN; app.redraw(); } }, `Show more of ${count(found.length)}`),
    ];
  },
};

const items = (letter) => letter.spans ?? letter.log_records ?? letter.data_points ?? 0;

function matches(letter, text) {
  const all = [letter.id, letter.reason, letter.route, letter.status ?? "", ...letter.services, ...letter.trace_ids];
  return all.join(" ").toLowerCase().includes(text.toLowerCase());
}

/** Items that lie among the dead letters of the chosen exporter, as the status has it. */
const lying = (app) => app.model.destinations.reduce((sum, { row }) => (view.exporter === "" || view.exporter === row.name ? sum + row.dead_lettered : sum), 0);

async function load(app) {
  Object.assign(view, { shown: SHOWN, open: null, items: app.model.status ? lying(app) : null });
  try {
    let [list, next] = [[], null];
    do {
      const answer = await get(address("/api/dead-letters/list", { exporter: view.exporter, after: next, limit: PAGE }));
      list = [...list, ...answer.dead_letters];
      next = answer.next;
    } while (next && list.length < LISTED);
    Object.assign(view, { list: list.reverse().sort((a, b) => b.last_attempt.localeCompare(a.last_attempt)), isWhole: !next });
  } catch (error) {
    Object.assign(view, { list: [], isWhole: true });
    // An exporter that never refused has no letters: that is no trouble.
    if (error.status !== 404) view.message = error.message;
  }
  view.isAsked = true;
  app.redraw();
}

function rows(app, letter) {
  const isOpen = view.open?.id === letter.id;
  const row = h("tr", { key: letter.id },
    h("td", { class: "time" }, moment(letter.last_attempt)),
    h("td", {}, letter.exporter),
    h("td", { class: "clip", title: letter.route }, letter.route),
    h("td", { class: "number" }, count(items(letter))),
    h("td", { class: "number" }, letter.status ?? "–"),
    h("td", { class: "clip reason", title: letter.reason }, letter.reason),
    h("td", { class: "clip", title: letter.services.join(", ") }, letter.services.join(", ")),
    h("td", { class: "actions" },
      h("button", { class: "plain", "aria-expanded": String(isOpen), "aria-label": `Show ${letter.id}`, onclick: () => show(app, letter) }, isOpen ? "Close" : "Show"),
      h("button", { class: "plain", "aria-label": `Replay ${letter.id}`, onclick: () => change(app, "replay", [letter]) }, "Replay"),
      h("button", { class: "plain danger", "aria-label": `Purge ${letter.id}`, onclick: () => change(app, "purge", [letter]) }, "Purge")));
  return isOpen ? [row, h("tr", { key: `${letter.id} open`, class: "opened" }, h("td", { colspan: "8" }, content(view.open)))] : [row];
}

function content(letter) {
  const fact = (title, value) => h("div", {}, h("dt", {}, title), h("dd", {}, value));
  return [
    h("dl", { class: "facts" }, fact("id", letter.id), fact("attempts", count(letter.attempts)), fact("first", moment(letter.first_attempt)),
      fact("size", bytes(letter.bytes)), fact("traces", letter.trace_ids.join(" ") || "–")),
    h("h3", {}, "What the destination said"),
    h("pre", { tabindex: "0", "aria-label": "What the destination said" }, letter.answer || letter.reason),
    h("h3", {}, "What it was sent"),
    h("pre", { class: "tall", tabindex: "0", "aria-label": "What it was sent" }, JSON.stringify(letter.request, null, 2)),
  ];
}

async function show(app, letter) {
  if (view.open?.id === letter.id) {
    view.open = null;
    return app.redraw();
  }
  try {
    view.open = (await get(address("/api/dead-letters/show", { id: letter.id }))).dead_letters[0];
  } catch (error) {
    view.message = error.message;
  }
  app.redraw();
}

async function change(app, action, chosen) {
  const isAll = chosen.length > 1 && !view.filter;
  const what = isAll ? `all ${view.isWhole ? "" : "more than "}${count(chosen.length)} dead letters${view.exporter && ` of ${view.exporter}`}` : chosen.length === 1 ? chosen[0].id : `${chosen.length} dead letters`;
  if (action === "purge" && !(await app.ask(`Purge ${what}?`, `Their items count as expired and cannot be brought back.${isAll ? " What is refused meanwhile goes, too." : ""}`, "Purge"))) return;
  try {
    let moved = 0;
    const targets = isAll ? [{ exporter: view.exporter }] : chosen.map(({ id }) => ({ id }));
    for (const target of targets) moved += (await post(address(`/api/dead-letters/${action}`, target))).letters;
    view.message = `${count(moved)} ${moved === 1 ? "letter" : "letters"} ${action === "replay" ? "queued for delivery" : "purged"}.`;
  } catch (error) {
    view.message = error.message;
  }
  app.say(view.message);
  await load(app);
}
