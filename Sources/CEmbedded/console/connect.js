// Lines that send an app's spans here as they stand, and a tick when the first one has come.

import { clients, curlParts, parts, readClients } from "./snippets.js";
import { h } from "./dom.js";
import { duration } from "./format.js";
import { known, refresh, whither } from "./services.js";

/** Seconds without a span after which a service counts as new again. */
const IDLE = 20;
const view = { language: "curl", receiver: null, timer: null, seen: null, came: null, since: 0, copied: null };

export const connect = {
  async enter(app) {
    Object.assign(view, { seen: null, came: null, since: Date.now(), copied: null });
    view.timer = setInterval(() => look(app), 1000);
    await readClients().catch((error) => app.say(error.message));
    await look(app);
    app.redraw();
  },

  leave() {
    clearInterval(view.timer);
  },

  draw(app) {
    const receivers = Object.entries(app.model.file.receivers ?? {});
    const chosen = receivers.find(([name]) => name === view.receiver) ?? receivers.find(([, { type }]) => type === "otlp_http") ?? receivers[0];
    if (!chosen) return h("p", { class: "empty" }, "The pipeline file has no receiver.");
    if (!clients) return h("p", { class: "empty" }, "Asking the process …");
    const snippets = [CURL, ...clients.clients];
    const snippet = snippets.find(({ id }) => id === view.language);
    const target = place(chosen[0], chosen[1], receivers, Object.values(app.model.file.pipelines ?? {}));
    const texts = snippet === CURL ? curlParts(target) : parts(snippet, target);
    return [
      h("div", { class: "bar", key: "bar" }, h("h1", {}, "Connect an app", h("small", {}, "lines that work as they stand"))),
      h("div", { class: "connect", key: "connect" },
        h("div", { class: "panel languages", role: "group", "aria-label": "Language or tool" }, snippets.map(({ id, title }) =>
          h("button", { key: id, class: "plain", "aria-pressed": String(id === view.language), onclick: () => { Object.assign(view, { language: id, copied: null }); app.redraw(); } }, title))),
        h("section", { class: "panel snippet", "aria-labelledby": "snippet-title" },
          h("div", { class: "bar" }, h("h2", { id: "snippet-title" }, snippet.title),
            receivers.length > 1 && h("label", {}, h("span", { class: "unseen" }, "Receiver"), h("select", { onchange: (event) => { view.receiver = event.target.value; app.redraw(); } },
              receivers.map(([name, { listen, type }]) => h("option", { key: name, value: name, selected: name === chosen[0] }, `${name}: ${type} at ${listen}`))))),
          texts.map(({ title, text }, index) => block(app, title, text, index)),
          target.token && h("p", { class: "note" }, "The receiver wants credentials: put a member's token in the place of YOUR_TOKEN."),
          h("h3", {}, "What to know"), h("ul", { class: "know" }, told(snippet).map((line, index) => h("li", { key: index }, line)))),
        h("section", { class: `panel arrival ${view.came ? "good" : ""}`, "aria-live": "polite", "aria-label": "First span" }, arrival())),
    ];
  },
};

const CURL = { id: "curl", title: "curl", know: ["An answer of {} or {\"partialSuccess\":{}} means that it is in the journal."] };

function told({ know, default: usual, retries }) {
  return [...(usual ? [`Unless told otherwise: ${usual}.`] : []), ...know, ...(retries ? [`Sent again: ${retries}.`] : [])];
}

/** Where apps send to: this receiver's address as the machine itself reaches it. */
function place(name, settings, receivers, pipelines) {
  const reachable = (listen) => listen.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");
  const scheme = settings.tls ? "https" : "http";
  const grpc = receivers.find(([, { type }]) => type === "otlp_grpc")?.[1];
  const isGRPC = settings.type === "otlp_grpc";
  return {
    name, isGRPC, protocol: isGRPC ? "grpc" : "http/protobuf", isPlain: !settings.tls, token: Boolean(settings.auth),
    endpoint: settings.listen.startsWith("unix:") ? settings.listen : `${scheme}://${reachable(settings.listen)}`,
    path: settings.traces_path ?? "/v1/traces",
    signals: pipelines.filter(({ receivers: names }) => names.includes(name)).flatMap(({ signals }) => signals ?? ["traces"]),
    grpc: grpc && `${grpc.tls ? "https" : "http"}://${reachable(grpc.listen)}`,
  };
}

function block(app, title, text, index) {
  const copy = async () => {
    await navigator.clipboard.writeText(text).catch(() => app.say("The browser does not let this page copy."));
    view.copied = index;
    app.redraw();
  };
  return h("figure", { key: `${view.language} ${index}` },
    h("figcaption", {}, h("span", {}, title), h("button", { class: "plain", onclick: copy, "aria-label": `Copy: ${title}` }, view.copied === index ? "Copied" : "Copy")),
    h("pre", { tabindex: "0", "aria-label": title }, text));
}

const key = (row) => JSON.stringify([row.pipeline, row.service, row.experiment, Boolean(row.isOpen)]);

/** Takes the experiment of the app's first trace from the window, once that has decided. */
function decided(app, now) {
  const { pipeline, service, isOpen } = view.came;
  if (!isOpen) return;
  const row = [...now.values()].find((other) => !other.isOpen && other.pipeline === pipeline && other.service === service && other.spans > (view.seen.get(key(other)) ?? 0));
  if (!row) return;
  view.came = row;
  app.redraw();
}

/** Looks for spans that came since the view was opened. */
async function look(app) {
  await refresh(app);
  // Where a window waits for whole traces, what counts is that they come.
  const now = new Map([...known.arrivals.map((row) => ({ ...row, isOpen: true })), ...known.rows].map((row) => [key(row), row]));
  if (known.history.length === 0) return;
  // A service that sends all the time says nothing of the app that is being connected.
  view.seen ??= new Map([...now].map(([id, row]) => [id, row.last_seen_seconds_ago < IDLE ? Infinity : row.spans]));
  if (view.came) return decided(app, now);
  const came = [...now.values()].find((row) => row.spans > (view.seen.get(key(row)) ?? 0));
  if (!came) return app.redraw();
  view.came = came;
  app.say(`The first span of ${came.service || "an app without a name"} has come.`);
  app.redraw();
}

function arrival() {
  if (!view.came) {
    const waited = (Date.now() - view.since) / 1000;
    return [h("p", { class: "waiting" }, h("i", { class: "pulse", "aria-hidden": "true" }), h("b", {}, "Waiting for the first span of an app"), h("span", { class: "faint" }, waited > 3 ? ` for ${duration(waited)}` : "")),
      waited > 30 && h("div", { class: "causes" }, h("p", {}, "Nothing came for half a minute. Likely causes:"),
        h("ul", {}, ["The app speaks gRPC to the HTTP port, or HTTP to the gRPC port: set OTEL_EXPORTER_OTLP_PROTOCOL.",
          "The endpoint names a wrong port, or https where this receiver speaks http: that is Go's default.",
          "Spans leave every five seconds and at the end: a process that is killed sends none.",
          "Sampling is off: look for OTEL_TRACES_SAMPLER=always_off, or OTEL_SDK_DISABLED.",
          "Credentials are wrong: \"refused\" on the overview counts those requests."].map((line, index) => h("li", { key: index }, line))))];
  }
  const row = view.came;
  return [h("p", { class: "arrived" }, h("i", { "aria-hidden": "true" }, "✓"), " ", h("b", {}, "The first span has come")),
    h("p", {}, "from ", h("b", {}, row.service || "an app without service.name"), row.isOpen ? ". Its experiment is decided when the trace is complete." : [", for experiment ", h("b", {}, whither(row)), "."]),
    h("p", {}, h("a", { href: "#/services" }, "Services"), " · ", h("a", { href: "#/flow" }, "Flow"))];
}
