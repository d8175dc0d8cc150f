// What `GET /connectors/NAME/metrics` says, in the terms of this page.

const total = (values) => {
  const known = values.filter((value) => Number.isFinite(value));
  return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
};

/** Times of running totals, by name: what they grew by since the reading before, in a second. */
const readings = new Map();

function growth(name, value) {
  const now = performance.now();
  const before = readings.get(name);
  // Two readings of the same moment, or of a task that was started anew, tell nothing.
  if (!before || now - before.at > 500) readings.set(name, { at: now, value, share: before ? before.share : null });
  if (before && now - before.at > 500) readings.get(name).share = value < before.value ? null : (value - before.value) / ((now - before.at) / 1000);
  return readings.get(name).share;
}

/** Rates, lag and stages of one task. */
function readTask(connector, task) {
  const source = task["source-task-metrics"];
  const rate = source ? source["source-record-write-rate"] : task["sink-task-metrics"]?.["sink-record-send-rate"];
  const own = task["ringmain-task"] ?? {};
  const key = `${connector}-${task.id}`;
  const stages = Object.entries(own.stages ?? {}).filter(([, stage]) => stage.count > 0).map(([name, stage]) => ({
    name, p50: stage.p50_ms, p99: stage.p99_ms, p999: stage.p999_ms, busy: (growth(`${key}-${name}`, stage.sum_ms) ?? 0) / 1000,
  }));
  const cpu = own.busy_seconds_total === undefined ? null : growth(`${key}-cpu`, own.busy_seconds_total);
  return { id: task.id, rate: rate ?? null, lag: own.lag_records ?? null, cpu, stages };
}

/** Stages that mostly wait, for input or for Kafka's answers, never are what holds a connector up. */
const WAITS = new Set(["poll", "fetch", "produce"]);

/** All tasks together; of each stage the slowest task counts. */
function readMetrics(metrics) {
  const tasks = (metrics.tasks ?? []).map((task) => readTask(metrics.name, task));
  const stages = new Map();
  for (const stage of tasks.flatMap((task) => task.stages)) {
    const known = stages.get(stage.name);
    if (!known || stage.p99 > known.p99) stages.set(stage.name, { ...stage, busy: Math.max(stage.busy, known?.busy ?? 0) });
  }
  const working = [...stages.values()].filter((stage) => !WAITS.has(stage.name)).sort((a, b) => b.busy - a.busy);
  const bottleneck = working.length && working[0].busy > 0.05 ? working[0] : null;
  if (bottleneck) bottleneck.hot = true;
  return {
    tasks: new Map(tasks.map((task) => [task.id, task])),
    rate: total(tasks.map((task) => task.rate)),
    lag: total(tasks.map((task) => task.lag)),
    cpu: total(tasks.map((task) => task.cpu)),
    stages: [...stages.values()].filter((stage) => Number.isFinite(stage.p50)),
    bottleneck,
  };
}

/** Values of one label of a family in Prometheus' text, by the label's value. */
function family(text, name, label) {
  const line = new RegExp(`^${name}\\{[^}]*\\b${label}="([^"]*)"[^}]*\\} (\\S+)`, "gm");
  return new Map([...text.matchAll(line)].map(([, key, value]) => [key, Number(value)]));
}

/** What the shards do; null where the worker has no such resource. */
async function shards() {
  const answer = await fetch("/metrics", { signal: AbortSignal.timeout(30_000) });
  if (!answer.ok) return null;
  const text = await answer.text();
  const tasks = family(text, "ringmain_shard_tasks", "shard");
  return [...family(text, "ringmain_shard_cpu_seconds_total", "shard")].map(([shard, seconds]) => ({
    shard, load: growth(`shard-${shard}`, seconds), tasks: tasks.get(shard) ?? null,
  }));
}
