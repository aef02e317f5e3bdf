// The configuration that runs: with every default filled in, and secrets masked.

import { post } from "./api.js";
import { h } from "./dom.js";

const view = { filter: "", copied: false, said: [], isTaken: true };

export const config = {
  enter() {
    Object.assign(view, { copied: false, said: [] });
  },

  draw(app) {
    const all = Object.entries(app.model.file).filter(([name]) => name !== "$schema" && name !== "tests");
    const single = all.filter(([, value]) => isPlain(value));
    const sections = [...all.filter(([, value]) => !isPlain(value)), ["process", Object.fromEntries(single)]];
    const copy = async () => {
      await navigator.clipboard.writeText(JSON.stringify(app.model.file, null, 2)).catch(() => app.say("The browser does not let this page copy."));
      view.copied = true;
      app.redraw();
    };
    const shown = sections.map(([name, value]) => [name, prune(value, view.filter.toLowerCase(), name)]).filter(([, value]) => value !== undefined);
    return [
      h("div", { class: "bar", key: "bar" },
        h("h1", {}, "Configuration", h("small", {}, "as it runs: defaults filled in, secrets masked")),
        h("label", { class: "find" }, h("span", { class: "unseen" }, "Filter settings"), h("input", {
          type: "search", placeholder: "Filter by setting or value", value: view.filter,
          oninput: (event) => { view.filter = event.target.value; app.redraw(); },
        })),
        h("button", { class: "plain", onclick: copy }, view.copied ? "Copied" : "Copy as JSON"),
        h("button", { onclick: () => reload(app) }, "Reload the file")),
      view.said.length > 0 && h("div", { class: `panel message ${view.isTaken ? "" : "refused"}`, key: "said", role: "alert" }, view.said.map((line, index) => h("p", { key: index }, line))),
      shown.length === 0 && h("p", { class: "empty", key: "none" }, "No setting matches."),
      h("div", { class: "columns", key: "all" }, shown.map(([name, value]) =>
        h("section", { class: "panel setting", key: name, "aria-label": name }, h("h2", {}, name), tree(value, name, name === "processors" ? app.model.inEffect : {})))),
    ];
  },
};

/** Has the process read its file again; a file with anything wrong changes nothing, and says where. */
async function reload(app) {
  try {
    const { hash, warnings } = await post("/api/reload");
    [view.isTaken, view.said] = [true, [`✓ The pipeline file is taken, hash ${hash.slice(0, 12)}.`, ...warnings]];
  } catch (error) {
    const problems = error.status === 422 ? JSON.parse(error.message).problems : [error.message];
    [view.isTaken, view.said] = [false, ["▲ Nothing has changed:", ...problems]];
  }
  app.say(view.said.join(" "));
  app.redraw();
}

/** What of a value has the text in a name or a value; undefined where nothing has. */
function prune(value, text, name) {
  if (!text || name.toLowerCase().includes(text)) return value;
  if (value === null || typeof value !== "object") return String(value).toLowerCase().includes(text) ? value : undefined;
  const kept = Object.entries(value).map(([key, part]) => [key, prune(part, text, key)]).filter(([, part]) => part !== undefined);
  if (kept.length === 0) return undefined;
  return Array.isArray(value) ? kept.map(([, part]) => part) : Object.fromEntries(kept);
}

const isPlain = (value) => value === null || typeof value !== "object";

/** A value with what is in it; `effect` has by component and setting what works where it names nothing, or not all. */
function tree(value, path, effect = {}, isComponent = true) {
  if (isPlain(value)) return leaf(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return h("span", { class: "faint" }, "none");
    if (value.every(isPlain)) return words(value);
    return h("ol", { class: "tree" }, value.map((part, index) => h("li", { key: index }, tree(part, `${path}/${index}`))));
  }
  if (Object.keys(value).length === 0) return h("span", { class: "faint" }, "default");
  return h("dl", { class: "tree" }, Object.entries(value).map(([name, part]) => {
    const working = !isComponent && effect[name];
    const isGroup = !working && !isPlain(part) && Object.keys(part).length > 0 && !(Array.isArray(part) && part.every(isPlain));
    return h("div", { key: name, class: isGroup ? "group" : "" }, h("dt", {}, name),
      h("dd", {}, working ? inEffect(part, working) : isComponent ? tree(part, `${path}/${name}`, effect[name] ?? {}, false) : tree(part, `${path}/${name}`)));
  }));
}

const words = (list) => h("span", { class: "words" }, list.map((part, index) => h("code", { key: index }, String(part))));

/** What works, and what of it the file says. */
function inEffect(said, working) {
  const own = Array.isArray(said) ? said.length > 0 : Object.keys(said).length > 0;
  return [words(working), h("span", { class: "faint" }, own ? ` in effect; the file says ${JSON.stringify(said)}` : " by default")];
}

function leaf(value) {
  if (typeof value === "string" && /^\*+$/.test(value)) return h("code", { class: "masked", title: "a secret" }, "•••••• masked");
  return h("code", { class: typeof value }, String(value));
}
