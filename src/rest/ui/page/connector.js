// One connector: state, tasks, plots; its actions.

const TABS = [["", "Overview"], ["config", "Configuration"], ["offsets", "Offsets"], ["preview", "Preview"]];

function tabs(name, current) {
  return el("nav", { class: "tabs", "aria-label": `Parts of ${name}` }, TABS.map(([part, title]) =>
    el("a", { href: `#/connectors/${encodeURIComponent(name)}${part ? `/${part}` : ""}`, "aria-current": part === current ? "page" : null }, title)));
}

function actions(name, state, update) {
  const act = (title, method, path, body) => async () => {
    if (await attempt(title, () => call(method, path, body))) await update();
  };
  const remove = async () => {
    const sure = await confirmed(`Delete ${name}?`, "Its tasks stop and its configuration is gone. Its offsets stay and are used again by a connector of the same name.", "Delete");
    if (sure && await attempt(`Deleted ${name}`, () => call("DELETE", pathOf(name)))) location.hash = "#/";
  };
  const button = (title, onclick, disabled = false, kind = "") =>
    el("button", { type: "button", id: `act-${title}`, class: kind, disabled, onclick }, title);
  const stopped = state === "STOPPED";
  const paused = state === "PAUSED";
  return el("div", { class: "row" },
    button("Pause", act(`Paused ${name}`, "PUT", pathOf(name, "pause")), paused || stopped),
    button("Resume", act(`Resumed ${name}`, "PUT", pathOf(name, "resume")), !paused && !stopped),
    button("Stop", act(`Stopped ${name}`, "PUT", pathOf(name, "stop")), stopped),
    button("Restart", act(`Restarted ${name} and its tasks`, "POST", `${pathOf(name, "restart")}?includeTasks=true`), stopped),
    button("Restart what failed", act(`Restarted what had failed of ${name}`, "POST", `${pathOf(name, "restart")}?includeTasks=true&onlyFailed=true`), stopped),
    button("Delete", remove, false, "danger"));
}

function trace(id, text) {
  if (!text) return null;
  const first = text.split("\n", 1)[0];
  return el("details", { id, open: false }, el("summary", {}, first), el("pre", { tabindex: "0" }, text));
}

function taskRows(name, status, seen, update) {
  return status.tasks.map((task) => {
    const metrics = seen?.tasks.get(task.id);
    const restart = async () => {
      if (await attempt(`Restarted task ${name}-${task.id}`, () => call("POST", pathOf(name, "tasks", task.id, "restart")))) await update();
    };
    return [
      String(task.id),
      el("div", {}, chip(task.state), task.stalled ? el("p", { class: "problem" }, `stalled: ${task.stalled.stage ?? task.stalled}`) : null, trace(`trace-${task.id}`, task.trace)),
      metrics?.rate === null || metrics?.rate === undefined ? "–" : `${short(metrics.rate)}/s`,
      short(metrics?.lag),
      metrics?.cpu === null || metrics?.cpu === undefined ? "–" : `${short(metrics.cpu * 100)} %`,
      task.worker_id,
      el("button", { type: "button", id: `restart-${task.id}`, onclick: restart, "aria-label": `Restart task ${task.id}` }, "Restart"),
    ];
  });
}

function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function plotsOf(name, seen) {
  if (!seen) return el("p", { class: "soft" }, "This worker does not measure connectors.");
  const points = remember(name, seen.rate ?? 0);
  const hot = seen.bottleneck ? `${seen.bottleneck.name} is the stage that works most (${Math.round(seen.bottleneck.busy * 100)} % of the time)` : "no stage is busy";
  return el("div", { class: "plots" },
    el("figure", {}, el("figcaption", {}, "Records per second", el("small", {}, "since this page is open")), rateLine(points)),
    seen.stages.length
      ? el("figure", {}, el("figcaption", {}, "Time per batch and stage", el("small", {}, `bar p50 to p99, line to p99.9; ${hot}`)), stageBars(seen.stages))
      : null);
}

async function showConnector(main, name) {
  const update = async () => {
    const [status, metrics, topics] = await Promise.all([
      get(pathOf(name, "status")), metricsOf(name), get(pathOf(name, "topics")).catch(() => null),
    ]);
    const seen = metrics ? readMetrics(metrics) : null;
    const heads = ["Task", "State", "Records", "Lag", "CPU", "Worker", ""];
    const used = topics?.[name]?.topics ?? [];
    replace(main,
      el("h1", {}, name, " ", chip(status.connector.state)),
      actions(name, status.connector.state, update),
      tabs(name, ""),
      trace("trace-connector", status.connector.trace),
      facts([["Type", status.type], ["Tasks", tasksInWords(status.tasks)], ["Records", seen?.rate === null || !seen ? "–" : `${short(seen.rate)}/s`],
        ["Lag", short(seen?.lag)], ["Bottleneck", seen?.bottleneck?.name ?? "none"]]),
      status.tasks.length ? table(heads, taskRows(name, status, seen, update), [2, 3, 4]) : el("p", { class: "note" }, "No tasks are there."),
      el("h2", {}, "What happens"), plotsOf(name, seen),
      used.length ? [el("h2", {}, "Topics"), el("p", {}, used.map((topic) => [el("code", {}, topic), " "]))] : null);
  };
  await update();
  return update;
}
