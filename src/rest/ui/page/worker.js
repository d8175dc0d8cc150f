// The worker itself: shards, plugins, log levels.

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"];

async function optional(path) {
  try {
    return await get(path);
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}

function shardTable(shards) {
  return table(["Shard", "Load", "", "Tasks"], shards.map(({ shard, load, tasks }) => [
    shard, load === null ? "–" : `${short(load * 100)} %`, shareBar(load ?? 0), short(tasks),
  ]), [1, 3]);
}

function loggerTable(loggers, update) {
  return table(["Logger", "Level", "Changed"], Object.entries(loggers).map(([name, logger]) => {
    const change = async (event) => {
      const level = event.target.value;
      if (await attempt(`${name} logs at ${level}`, () => call("PUT", `/admin/loggers/${encodeURIComponent(name)}`, { level }))) await update();
    };
    const levels = LEVELS.includes(logger.level) ? LEVELS : [logger.level, ...LEVELS];
    return [
      name,
      el("select", { id: `level-${name}`, "aria-label": `Level of ${name}`, onchange: change }, levels.map((level) => el("option", { selected: level === logger.level }, level))),
      logger.last_modified ? new Date(logger.last_modified).toLocaleString() : "",
    ];
  }));
}

async function showWorker(main) {
  const update = async () => {
    const [root, plugins, loggers, worker] = await Promise.all([
      get("/"), get("/connector-plugins?connectorsOnly=false"), optional("/admin/loggers"), shards(),
    ]);
    replace(main,
      el("h1", {}, "Worker"),
      facts([["Ringmain", root.ringmain_version], ["Speaks for Kafka", root.version], ["Kafka cluster", root.kafka_cluster_id ?? "–"]]),
      worker ? [el("h2", {}, "Shards"), shardTable(worker)] : null,
      loggers ? [el("h2", {}, "Log levels"), loggerTable(loggers, update)] : null,
      el("h2", {}, "Plugins"),
      el("details", { id: "plugins" }, el("summary", {}, `${plugins.length} plugins`),
        table(["Class", "Type", "Version"], plugins.map((plugin) => [plugin.class, plugin.type, plugin.version ?? ""]))));
  };
  await update();
  return update;
}
