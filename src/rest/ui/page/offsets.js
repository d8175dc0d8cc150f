// A connector's offsets: looking at them, and changing them while it is stopped.

async function showOffsets(main, name) {
  const update = async () => {
    const [offsets, status] = await Promise.all([get(pathOf(name, "offsets")), get(pathOf(name, "status"))]);
    const stopped = status.connector.state === "STOPPED";
    const rows = offsets.offsets.map((entry) => [el("code", {}, JSON.stringify(entry.partition)), el("code", {}, JSON.stringify(entry.offset))]);
    main.replaceChildren(el("h1", {}, name, " ", chip(status.connector.state)), tabs(name, "offsets"),
      rows.length ? table(["Partition", "Offset"], rows) : el("p", { class: "note" }, "No offsets are stored."),
      el("h2", {}, "Change"), stopped ? changeForm(name, offsets, update) : el("p", { class: "note" }, "Offsets can be changed while the connector is stopped. ",
        el("button", { type: "button", onclick: async () => { if (await attempt(`Stopped ${name}`, () => call("PUT", pathOf(name, "stop")))) await update(); } }, "Stop it")));
  };
  await update();
  return null;
}

function changeForm(name, offsets, update) {
  const send = async () => {
    let body;
    try {
      body = JSON.parse(byId("offsets-text").value);
    } catch (error) {
      return note(`This is no JSON: ${error.message}`, true);
    }
    try {
      note((await call("PATCH", pathOf(name, "offsets"), body)).message);
      await update();
    } catch (error) {
      note(error.message, true);
    }
  };
  const reset = async () => {
    const sure = await confirmed(`Reset the offsets of ${name}?`, "All of them are deleted; the connector then begins as a new one does.", "Reset");
    if (!sure) return;
    try {
      note((await call("DELETE", pathOf(name, "offsets"))).message);
      await update();
    } catch (error) {
      note(error.message, true);
    }
  };
  return [
    el("label", { for: "offsets-text" }, "Partitions and offsets; an offset of null forgets the partition"),
    el("textarea", { id: "offsets-text", spellcheck: "false" }, JSON.stringify(offsets, null, 2)),
    el("div", { class: "row" },
      el("button", { type: "button", class: "primary", onclick: send }, "Change offsets"),
      el("button", { type: "button", class: "danger", onclick: reset }, "Reset all")),
  ];
}
