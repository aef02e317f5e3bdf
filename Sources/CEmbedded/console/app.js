// The page: which view is shown, what is live, and who may see it.

import { Stream, get, hasToken, setToken, takeToken } from "./api.js";
import { config } from "./config.js";
import { connect } from "./connect.js";
import { byId, h, render } from "./dom.js";
import { flow } from "./flow.js";
import { ago, clock, duration } from "./format.js";
import { letters } from "./letters.js";
import { Model } from "./model.js";
import { services } from "./services.js";
import { traces } from "./traces.js";

const VIEWS = [
  ["flow", "Flow", flow],
  ["services", "Services", services],
  ["traces", "Traces", traces],
  ["letters", "Dead letters", letters],
  ["config", "Configuration", config],
  ["connect", "Connect an app", connect],
];

/** What views share: `redraw()` after a change of their own, `say(text)` for people who do not see it, `watch(text, take)` for requests. */
const app = { model: new Model(), live: "connecting", error: null, answered: 0, notice: null, isPaused: false, redraw, say, ask, watch };
/** Behind these another file may run. */
const LOADS = new Set(["started", "started_again", "reloaded"]);
let watched = { text: null, take: null };
let stream = null;
let shown = null;

function redraw() {
  const [name, , view] = current();
  document.body.classList.toggle("stale", app.live === "away");
  if (app.live === "refused") {
    drawTop(name);
    return render(byId("view"), door());
  }
  if (shown !== view) {
    shown?.leave?.(app);
    shown = view;
    render(byId("view"));
    view.enter?.(app);
  }
  drawTop(name);
  render(byId("view"), app.notice && notice(), app.model.status ? view.draw(app) : waiting());
}

/** What the page itself has to say. */
const notice = () =>
  h("p", { class: "panel message notice", key: "notice" }, h("span", {}, app.notice),
    h("button", { class: "plain", onclick: () => { app.notice = null; redraw(); } }, "Close"));

const current = () => VIEWS.find(([name]) => location.hash === `#/${name}`) ?? VIEWS[0];

function waiting() {
  if (app.live !== "away") return h("p", { class: "empty" }, "Asking the process …");
  return h("p", { class: "empty" }, "The process does not answer: ", app.error?.message ?? "no connection", ".");
}

function drawTop(name) {
  const dead = app.model.destinations.reduce((sum, { row }) => sum + row.dead_lettered, 0);
  render(
    byId("nav"),
    VIEWS.map(([id, title]) =>
      h("a", { key: id, href: `#/${id}`, "aria-current": id === name ? "page" : null }, title,
        id === "letters" && dead > 0 && h("span", { class: "badge", "aria-label": `${dead} items` }, dead)),
    ),
  );
  const { status } = app.model;
  const states = {
    connecting: ["quiet", "○", "connecting"], live: ["good", "●", "live"], polling: ["good", "●", "every 2 s"],
    away: ["bad", "▲", app.answered ? `no answer, the last ${ago((Date.now() - app.answered) / 1000)}` : "no answer"],
    refused: ["bad", "▲", "no access"],
  };
  const [level, mark, word] = app.isPaused ? ["held", "❚❚", "paused"] : states[app.live];
  const ready = status && !status.ready && app.live !== "away";
  render(
    byId("health"),
    ready && h("span", { class: "pill bad", title: status.reasons.join("; ") }, h("i", { "aria-hidden": "true" }, "▲"), "not ready: ", status.reasons[0]),
    h("span", { class: `pill ${level}` }, h("i", { "aria-hidden": "true" }, mark), word),
    app.live !== "refused" && h("button", { class: "plain", onclick: togglePause, "aria-pressed": String(app.isPaused) }, app.isPaused ? "Resume page" : "Pause page"),
  );
  render(
    byId("foot"),
    status && [`Millrace ${status.version}`, `up ${duration(status.process.uptime_seconds)}`,
      "rates over 6 s", "nothing on this page comes from elsewhere"].map((text) => h("span", {}, text)),
  );
}

function togglePause() {
  app.isPaused = !app.isPaused;
  if (app.isPaused) stream?.stop();
  else listen();
  say(app.isPaused ? "The page stands still." : "The page is live.");
  redraw();
}

function listen() {
  stream?.stop();
  const path = watched.text === null ? "/api/stream" : `/api/stream?tail=${encodeURIComponent(watched.text)}`;
  stream = new Stream(path, take, (state, error) => {
    const changed = app.live !== state;
    [app.live, app.error] = [state, error];
    if (changed || state === "away") redraw();
  });
}

/** Has requests shown in which the text is found, or with null none. */
function watch(text, give) {
  const isNew = watched.text !== text;
  watched = { text, take: give };
  if (isNew && !app.isPaused && app.live !== "refused") listen();
}

async function take(name, status) {
  if (name === "tail") return watched.take?.(status);
  app.answered = Date.now();
  if (app.model.add(status)) restarted(status);
  const latest = status.events.findLast(({ kind }) => LOADS.has(kind));
  const loaded = `${latest?.at} ${latest?.kind}`;
  if (loaded !== app.loaded) {
    app.loaded = loaded;
    await readFile();
  }
  redraw();
}

/** Says that what is shown is of another process than before. */
function restarted({ process, events }) {
  const start = events.findLast(({ kind }) => kind === "started" || kind === "started_again");
  app.notice = `The process has been started again at ${clock(process.started_at)}${start ? `: ${start.text}` : ""}. What it counts begins anew; the ledger goes on.`;
  say(app.notice);
}

async function readFile() {
  app.model.file = (await get("/api/config").catch(() => ({ file: {} }))).file;
}

/** Why the page is closed. */
function refusal() {
  if (!hasToken()) return ["This page needs the admin token", ""];
  if (app.answered) return ["The admin token is another one now", "The process has been started again with another token, or has taken a pipeline file with one. "];
  return ["That token is not the one", "The process was asked with it and refuses it. "];
}

function door() {
  const send = (event) => {
    event.preventDefault();
    setToken(event.target.elements.token.value);
    app.live = "connecting";
    redraw();
    listen();
  };
  const [title, why] = refusal();
  return h("form", { class: "door panel", onsubmit: send },
    h("h1", {}, title),
    h("p", {}, why, "It is ", h("code", {}, "token"), " of ", h("code", {}, "admin"), " in the pipeline file, else what the file ",
      h("code", {}, "admin-token"), " in the journal's directory holds. A terminal shows the whole address when the process starts."),
    h("label", {}, "Token ", h("input", { name: "token", type: "password", autocomplete: "off", required: true, "aria-invalid": hasToken() ? "true" : null })),
    h("button", { class: "strong" }, "Open"));
}

function say(text) {
  byId("said").textContent = text;
}

/** Asks before something that cannot be undone; whether a person agreed. */
function ask(title, text, yes) {
  const dialog = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  byId("ask-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

takeToken();
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) {
    takeToken();
    listen();
  }
  redraw();
});
redraw();
listen();
