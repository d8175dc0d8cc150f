// Making elements. Texts always go through textContent: nothing of a connector is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element: attributes, listeners as functions named on…, children. Null children are left out. */
function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const byId = (id) => document.getElementById(id);

/** Where somebody is typing, so that they can go on after the element was made anew. */
function typing(node) {
  const { id, selectionStart, selectionEnd } = document.activeElement ?? {};
  if (!id || !node.contains(document.activeElement)) return () => {};
  return () => {
    const again = byId(id);
    again?.focus({ preventScroll: true });
    if (typeof selectionStart === "number") again?.setSelectionRange?.(selectionStart, selectionEnd);
  };
}

/** Puts new content into a node while focus, caret and what is unfolded stay, if the same elements are still there. */
function replace(node, ...children) {
  const goOn = typing(node);
  const opened = new Set([...node.querySelectorAll("details[open][id]")].map((open) => open.id));
  node.replaceChildren(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  for (const id of opened) byId(id)?.setAttribute("open", "");
  goOn();
}

/** A message in the corner; errors stay until they are closed. */
function note(text, bad = false) {
  const close = el("button", { type: "button", "aria-label": "Close message", onclick: () => box.remove() }, "×");
  const box = el("div", { class: bad ? "note bad" : "note" }, el("span", {}, text), close);
  byId("notes").append(box);
  while (byId("notes").children.length > 4) byId("notes").firstChild.remove();
  if (!bad) setTimeout(() => box.remove(), 5000);
}

/** Asks before what can't be undone. */
function confirmed(title, text, action) {
  const dialog = byId("ask");
  return new Promise((resolve) => {
    const answer = (value) => () => { dialog.close(); resolve(value); };
    dialog.oncancel = () => resolve(false);
    dialog.replaceChildren(
      el("h2", { id: "ask-title" }, title),
      el("p", {}, text),
      el("div", { class: "row" },
        el("button", { type: "button", class: "danger", onclick: answer(true) }, action),
        el("button", { type: "button", autofocus: true, onclick: answer(false) }, "Cancel")));
    dialog.showModal();
  });
}

const STATE_LOOKS = { RUNNING: "good", FAILED: "bad", PAUSED: "wait", RESTARTING: "wait", UNASSIGNED: "wait" };

/** A state as a coloured word. */
function chip(state) {
  return el("span", { class: `chip ${STATE_LOOKS[state] ?? ""}` }, state);
}

/** A table that becomes cards on narrow screens. Rows are arrays of cells, numbers to the right. */
function table(heads, rows, numbers = []) {
  const kind = (at) => (numbers.includes(at) ? "number" : null);
  return el("table", { class: "cards" },
    el("thead", {}, el("tr", {}, heads.map((head, at) => el("th", { scope: "col", class: kind(at) }, head)))),
    el("tbody", {}, rows.map((cells) =>
      el("tr", {}, cells.map((cell, at) => el("td", { class: kind(at), "data-label": heads[at] }, cell))))));
}

/** Big numbers with three digits and a letter. */
function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const scale = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([size]) => Math.abs(value) >= size);
  const digits = (number) => number.toPrecision(3).replace(/\.?0+$/, "");
  if (scale) return `${digits(value / scale[0])} ${scale[1]}`;
  return Number.isInteger(value) ? String(value) : digits(value);
}

/** Milliseconds in the unit that fits. */
function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
  if (ms < 1) return `${short(Math.round(ms * 1000))} µs`;
  return ms < 1000 ? `${short(ms)} ms` : `${short(ms / 1000)} s`;
}
