// What the connector would do with its next records; nothing is written.

function changeLine(change) {
  if (change.before === null) return `+ ${change.path} = ${change.after}`;
  if (change.after === null) return `- ${change.path} = ${change.before}`;
  return `~ ${change.path} = ${change.before} → ${change.after}`;
}

/** Base64 as text where it is text, else as it is. */
function bytesText(text) {
  if (text === null) return "null";
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `base64 ${text}`;
  }
}

function resultLines(record) {
  if (record.result === "filtered") return [`dropped by ${record.transform}`];
  if (record.result === "error") {
    return [`${record.stage} in ${record.plugin}`, `${record.class}: ${record.message}`, ...(record.hint ? [`${record.hint.key}: ${record.hint.fix}`] : [])];
  }
  if (record.written) {
    return [`topic ${record.written.topic}`, `key ${bytesText(record.written.key)}`, `value ${bytesText(record.written.value)}`];
  }
  const { topic, text, fields } = record.delivered;
  return [`topic ${topic}`, ...(text === null ? fields.map((field) => `${field.path} = ${field.text}`) : [text])];
}

const RESULTS = { record: "good", filtered: "wait", error: "bad" };

function recordCard(record) {
  const read = record.read;
  const place = read.topic ? `${read.topic}-${read.partition} offset ${read.offset}` : JSON.stringify(read.sourceOffset);
  const block = (title, lines) => [el("h3", {}, title), el("pre", { tabindex: "0" }, lines.join("\n") || "no change")];
  return el("details", { id: `preview-${record.number}`, open: record.result === "error" },
    el("summary", {}, `${record.number} `, el("span", { class: `chip ${RESULTS[record.result]}` }, record.result), ` ${place}`),
    read.topic ? block("Read", [`key ${bytesText(read.key)}`, `value ${bytesText(read.value)}`]) : null,
    record.fields ? block("Converted", record.fields.map((field) => `${field.path} = ${field.text}`)) : null,
    record.steps.map((step) => block(`After ${step.transform} (${simple(step.class)})`, step.changes.map(changeLine))),
    block(record.written ? "Written" : "Result", resultLines(record)));
}

function previewResult(found) {
  const { roads, warnings, records } = found;
  return [
    roads ? el("p", {}, "Roads: key ", el("code", {}, roads.key), ", value ", el("code", {}, roads.value)) : null,
    warnings.map((warning) => el("p", { class: "note" }, `${warning.key}: ${warning.message}`, warning.fix ? ` – ${warning.fix}` : "")),
    records.length ? records.map(recordCard) : el("p", { class: "note" }, "No records came in time."),
  ];
}

async function showPreview(main, name) {
  const config = await get(pathOf(name, "config"));
  const result = el("div", { "aria-live": "polite" }, el("p", { class: "soft" }, "Records are read and converted, and written nowhere."));
  const look = async () => {
    byId("look").disabled = true;
    result.replaceChildren(el("p", { class: "soft" }, "Looking."));
    const query = `limit=${byId("preview-limit").value}&from=${byId("preview-from").value}`;
    try {
      const plugin = encodeURIComponent(simple(config["connector.class"]));
      replace(result, previewResult(await call("PUT", `/connector-plugins/${plugin}/preview?${query}`, config)));
    } catch (error) {
      result.replaceChildren(el("p", { class: "note bad" }, error.message));
    }
    if (byId("look")) byId("look").disabled = false;
  };
  const choice = (value, text) => el("option", { value }, text);
  main.replaceChildren(el("h1", {}, name), tabs(name, "preview"),
    el("div", { class: "row" },
      el("label", { for: "preview-limit" }, "Records ", el("input", { type: "number", id: "preview-limit", min: "1", max: "100", value: "10" })),
      el("label", { for: "preview-from" }, "From ", el("select", { id: "preview-from" },
        choice("last", "the last ones"), choice("earliest", "the first ones"), choice("committed", "where the group is"))),
      el("button", { type: "button", id: "look", class: "primary", onclick: look }, "Look")),
    result);
  return null;
}
