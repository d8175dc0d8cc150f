// All connectors.

const listView = { text: "", state: "" };

function tasksInWords(tasks) {
  const running = tasks.filter((task) => task.state === "RUNNING").length;
  const failed = tasks.filter((task) => task.state === "FAILED").length;
  return [`${running} of ${tasks.length} `, failed ? el("span", { class: "chip bad" }, `${failed} failed`) : null];
}

/** Failed ones first, then by name. */
function byUrgency([nameA, a], [nameB, b]) {
  const bad = (status) => status.connector.state === "FAILED" || status.tasks.some((task) => task.state === "FAILED");
  return bad(b.status) - bad(a.status) || nameA.localeCompare(nameB);
}

function matches([name, { status, info }]) {
  const text = listView.text.toLowerCase();
  const inText = `${name} ${info.config["connector.class"] ?? ""}`.toLowerCase().includes(text);
  const states = [status.connector.state, ...status.tasks.map((task) => task.state)];
  return inText && (!listView.state || states.includes(listView.state));
}

function listRow([name, { status, info, metrics }]) {
  const seen = metrics ? readMetrics(metrics) : null;
  return [
    el("a", { href: `#/connectors/${encodeURIComponent(name)}`, id: `row-${name}` }, name),
    status.type,
    chip(status.connector.state),
    el("span", {}, tasksInWords(status.tasks)),
    seen?.rate === null || seen?.rate === undefined ? "" : `${short(seen.rate)}/s`,
    seen?.lag === null || seen?.lag === undefined ? "" : short(seen.lag),
    (info.config["connector.class"] ?? "").split(".").pop(),
  ];
}

function listHead(redraw) {
  const states = ["", "RUNNING", "PAUSED", "STOPPED", "FAILED", "RESTARTING", "UNASSIGNED"];
  return [
    el("h1", {}, "Connectors"),
    el("div", { class: "row" },
      el("input", { type: "search", class: "grow", id: "filter", "aria-label": "Filter by name or class", placeholder: "Filter by name or class ( / )", value: listView.text,
        oninput: (event) => { listView.text = event.target.value; redraw(); } }),
      el("select", { id: "filter-state", "aria-label": "State", style: null, class: "grow", onchange: (event) => { listView.state = event.target.value; redraw(); } },
        states.map((state) => el("option", { value: state, selected: state === listView.state }, state || "Any state"))),
      el("a", { class: "button", href: "#/new" }, "New connector")),
  ];
}

/** Shows the list; gives the function that brings it up to date. */
async function showList(main) {
  const body = el("div", {});
  let entries = [];
  const redraw = () => {
    const shown = entries.filter(matches).sort(byUrgency);
    const count = shown.length === entries.length ? `${entries.length} in all` : `${shown.length} of ${entries.length}`;
    const heads = ["Name", "Type", "State", "Tasks running", "Records", "Lag", "Class"];
    replace(body, entries.length
      ? [el("p", { class: "soft" }, count), table(heads, shown.map(listRow), [4, 5])]
      : el("p", { class: "note" }, "No connectors yet. ", el("a", { href: "#/new" }, "Create the first one.")));
  };
  const update = async () => {
    entries = Object.entries(await get("/connectors?expand=status&expand=info&expand=metrics"))
      .filter(([, entry]) => entry.status && entry.info);
    redraw();
  };
  await update();
  main.replaceChildren(...listHead(redraw), body);
  return update;
}
