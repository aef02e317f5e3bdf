// Elements as plain descriptions, and the one function that brings the page in line with them.
//
// Texts become text nodes and never markup, so that what clients send cannot be anything but text. What is there already is kept where
// its description still fits: focus, selection, scroll positions and open details survive an update.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "open", "selected"]);

const describe = (space) => (tag, props, ...kids) => ({
  tag,
  space,
  props: props ?? {},
  kids: kids.flat(Infinity).filter((kid) => kid !== null && kid !== undefined && kid !== false),
});

/** An HTML element: `h("p", {class: "note"}, "text", child)`; `key` tells siblings apart, `on…` are listeners. */
export const h = describe(null);
/** The same in SVG. */
export const svg = describe(SVG);

/** Makes the children of `parent` those that are described. */
export function render(parent, ...described) {
  const wanted = described.flat(Infinity).filter((kid) => kid !== null && kid !== undefined && kid !== false);
  const keyed = new Map();
  for (const node of parent.childNodes) if (node.key !== undefined) keyed.set(node.key, node);
  let next = parent.firstChild;
  for (const kid of wanted) {
    const isText = typeof kid !== "object";
    let node = !isText && kid.props.key !== undefined ? keyed.get(kid.props.key) : next;
    if (!fits(node, kid, isText)) node = make(kid, isText);
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
    if (isText) {
      if (node.data !== String(kid)) node.data = String(kid);
    } else {
      update(node, kid);
    }
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

function fits(node, kid, isText) {
  if (!node) return false;
  if (isText) return node.nodeType === Node.TEXT_NODE;
  return node.nodeType === Node.ELEMENT_NODE && node.localName === kid.tag && node.key === kid.props.key;
}

function make(kid, isText) {
  if (isText) return document.createTextNode(String(kid));
  const node = kid.space ? document.createElementNS(kid.space, kid.tag) : document.createElement(kid.tag);
  if (kid.props.key !== undefined) node.key = kid.props.key;
  return node;
}

function update(node, { props, kids }) {
  const before = node.described ?? {};
  for (const name of Object.keys(before)) if (!(name in props)) set(node, name, null);
  for (const [name, value] of Object.entries(props)) if (before[name] !== value) set(node, name, value);
  node.described = props;
  if (!props.keeps) render(node, kids);
}

function set(node, name, value) {
  if (name === "key" || name === "keeps") return;
  if (name.startsWith("on")) {
    node[name] = value;
  } else if (name === "style") {
    // Through the object model, which the content security policy allows, and not as an attribute.
    for (const [property, text] of Object.entries(value ?? {})) node.style.setProperty(property, text);
  } else if (PROPERTIES.has(name) && !node.namespaceURI.endsWith("svg")) {
    // What a person has typed or opened since stays as it is.
    if (node[name] !== value) node[name] = value ?? (name === "value" ? "" : false);
  } else if (value === null || value === undefined || value === false) {
    node.removeAttribute(name);
  } else {
    node.setAttribute(name, value === true ? "" : String(value));
  }
}

/** The element of the page with that id. */
export const byId = (id) => document.getElementById(id);
