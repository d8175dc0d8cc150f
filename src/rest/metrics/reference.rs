//! `configs/METRICS.md`, made of the tables, and what the tables owe to Kafka's registry.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::families::{
    CONNECTOR_TEXTS, COORDINATOR, ERRORS, Group, OWN_SHARD, OWN_TASK, OWN_WORKER, REBALANCE,
    REBALANCE_INFO, REBALANCE_TEXTS, REQUESTS, REQUESTS_HELP, RESTARTS, RESTARTS_HELP, SINK,
    SOURCE, STAGES, STAGES_HELP, STALLS, STALLS_HELP, STEP_GROUPS, TASK, TASK_TEXTS, WORKER,
    WORKER_CONNECTOR, metric,
};

/// Attributes of Kafka's that are not there, and why.
const ABSENT: [(&str, &str, &str); 4] = [
    (
        "source-task-metrics",
        "transaction-size-min",
        "there are no transactions yet",
    ),
    (
        "source-task-metrics",
        "transaction-size-max",
        "there are no transactions yet",
    ),
    (
        "source-task-metrics",
        "transaction-size-avg",
        "there are no transactions yet",
    ),
    (
        "sink-task-metrics",
        "sink-record-lag-max",
        "Kafka declares it and never fills it; see `ringmain_task_lag_records`",
    ),
];

const HEAD: &str = "# Metrics

Made from the tables in `src/rest/metrics` by `rest::metrics::reference`; a test holds this file to them.

`GET /metrics` gives what Prometheus reads (text format 0.0.4), `GET /connectors/NAME/metrics` the same numbers of one
connector as JSON. Both are answered without asking a shard. For Prometheus:

```yaml
scrape_configs:
  - job_name: connect
    static_configs:
      - targets: [\"localhost:8083\"]
```

## Names

Apache's attributes are named as the usual rules of the JMX exporter name them, so that dashboards find them:
`kafka_connect_`, the group without `-metrics`, `_`, the attribute, with `-` as `_`; the tags `connector`, `task`, `transform`
and `predicate` are labels. One group drops more: `connect-worker-metrics` is `kafka_connect_worker_…` and not
`kafka_connect_connect_worker_…`, since that is how Strimzi's rules and the dashboards for them have it.

* Values keep Kafka's units: milliseconds, and shares of 1 where the name says `percentage` or `ratio`.
* `# TYPE` says counter for what only grows, gauge else; the JMX exporter's rules often say untyped or gauge, which makes no
  difference to a query. Counters keep Kafka's names, so some do not end with `_total`.
* Rates, means and maxima look back over `metrics.num.samples` samples of `metrics.sample.window.ms`, as Kafka's do; a mean or maximum of
  nothing is `NaN` (null in JSON). A batch's numbers are counted when it is through, so rates move in steps of batches.
* Totals count since the task's last start here. The metrics of a task vanish when it stops; those of a failed task stay until it is started
  again or its connector is stopped or deleted.
* A state is one sample of value 1 with the label `status`; only the state that something is in is there. Other texts are labels of an `…_info` metric.

";

const OWN: &str = "
Percentiles (label `quantile`) are those of the last half to whole window (`metrics.num.samples` × `metrics.sample.window.ms`), right to
3 %; `_sum` and `_count` go on since the task's start, so means over any time are
`rate(ringmain_task_stage_duration_seconds_sum[5m]) / rate(ringmain_task_stage_duration_seconds_count[5m])`. A stage that a task has not used is
absent. Stages, by the label `stage`:

| Stage | One value is |
|---|---|
| `poll` | the wait for a batch of the source |
| `fetch` | the wait for records of the consumer |
| `convert` | converters over a batch of a source, or over what one fetch brought |
| `transform` | transforms over the same, from the time of one record in the middle of the batch; on the roads where transforms are one with the conversion (plan `tape` or `beside`) all of it |
| `produce` | from handing a batch to the producer until Kafka has all of it; one batch at a time is timed |
| `put` | a `put` of the sink with records |
| `commit` | an offset commit that succeeded |

## Stalls

A task is stalled when, for longer than `task.stall.timeout.ms`, a call of connector code or a wait for the producer does not end, Kafka acknowledges nothing of
what was sent, a sink refuses the same batch again and again, or nothing comes though records are known to wait in its topics. What a source could give, nobody
knows, so an idle source is never stalled. Then `GET /connectors/NAME/status` has, in the task's object, `stalled` with `stage` and `for_ms`, and `/health` a list
`stalled` with `connector`, `task`, `stage` and `for_ms`; both are absent otherwise, and the worker's own health does not change. Besides the stages above there are `start`
and `stop` (of the task, and of a sink's partitions).

## JSON

`GET /connectors/NAME/metrics` is an object with `name`, `type`, the groups `connector-metrics` and `connect-worker-metrics` as objects from attribute to
value, and `tasks`: for each task its `id`, its groups, `connector-transform-metrics` and `connector-predicate-metrics` by alias where there are any, and
`ringmain-task`, whose member `restarts` has a count for each reason, whose member `stalled_stage` is null or a stage and whose member `stages` has for each stage `count`, `sum_ms`, `p50_ms`, `p90_ms`, `p99_ms`, `p999_ms` and `max_ms`.
A connector that is not there is a 404, as everywhere.
";

fn reference() -> String {
    let mut out = HEAD.to_owned();
    section(&mut out, "Worker", &["connect-worker-metrics"]);
    numbers(&mut out, &WORKER);
    section(
        &mut out,
        "Rebalances, in distributed mode",
        &[REBALANCE.name, COORDINATOR.name],
    );
    texts(
        &mut out,
        REBALANCE_INFO,
        REBALANCE_TEXTS.map(|(name, _)| name).as_slice(),
    );
    numbers(&mut out, &REBALANCE);
    numbers(&mut out, &COORDINATOR);
    section(
        &mut out,
        "Tasks of a connector",
        &["connect-worker-metrics"],
    );
    numbers(&mut out, &WORKER_CONNECTOR);
    section(&mut out, "Application", &["app-info"]);
    row(
        &mut out,
        "version, commit-id",
        "kafka_connect_app_info",
        "gauge",
        "Labels; `id` is the worker's address.",
    );
    row(
        &mut out,
        "start-time-ms",
        "kafka_connect_app_info_start_time_ms",
        "gauge",
        "When the worker started, in milliseconds since 1970.",
    );
    section(&mut out, "Connectors", &["connector-metrics"]);
    row(
        &mut out,
        "status",
        "kafka_connect_connector_status",
        "gauge",
        "1 for the state that the connector is in; with the label `task` also its tasks, as Strimzi's rules have it.",
    );
    texts(
        &mut out,
        "kafka_connect_connector_info",
        CONNECTOR_TEXTS.map(|(name, _)| name).as_slice(),
    );
    tasks(&mut out);
    absent(&mut out);
    own(&mut out);
    out
}

fn tasks(out: &mut String) {
    section(out, "Tasks", &[TASK.name]);
    row(
        out,
        "status",
        "kafka_connect_connector_task_status",
        "gauge",
        "1 for the state that the task is in.",
    );
    let mut labels = vec!["connector-type"];
    labels.extend(TASK_TEXTS.map(|(name, _)| name));
    texts(out, "kafka_connect_connector_task_info", &labels);
    numbers(out, &TASK);
    section(
        out,
        "Steps of transforms",
        &STEP_GROUPS.each_ref().map(|group| group.name),
    );
    for group in &STEP_GROUPS {
        let attributes = [
            format!("{}-class", group.tag),
            format!("{}-version", group.tag),
        ];
        texts(
            out,
            group.metric,
            &attributes.each_ref().map(String::as_str),
        );
    }
    for (title, group) in [
        ("Source tasks", &SOURCE),
        ("Sink tasks", &SINK),
        ("Errors", &ERRORS),
    ] {
        section(out, title, &[group.name]);
        numbers(out, group);
    }
}

fn section(out: &mut String, title: &str, groups: &[&str]) {
    let groups: Vec<String> = groups.iter().map(|group| format!("`{group}`")).collect();
    let groups = groups.join(", ");
    write!(
        out,
        "\n## {title} ({groups})\n\n| Apache | `/metrics` | Type | |\n|---|---|---|---|\n"
    )
    .unwrap();
}

fn row(out: &mut String, attribute: &str, metric: &str, kind: &str, text: &str) {
    writeln!(out, "| {attribute} | `{metric}` | {kind} | {text} |").unwrap();
}

fn texts(out: &mut String, metric: &str, attributes: &[&str]) {
    row(
        out,
        &attributes.join(", "),
        metric,
        "gauge",
        "Labels of a sample of value 1.",
    );
}

fn numbers<T: 'static>(out: &mut String, group: &Group<T>) {
    for attribute in group.attributes {
        let metric = group.metric(attribute);
        row(
            out,
            attribute.name,
            &metric,
            attribute.kind.name(),
            attribute.help,
        );
    }
}

fn absent(out: &mut String) {
    out.push_str("\n## What is not there\n\n| Group | Attribute | Because |\n|---|---|---|\n");
    for (group, attribute, why) in ABSENT {
        writeln!(out, "| {group} | {attribute} | {why} |").unwrap();
    }
    out.push_str("| connect-coordinator-metrics | times and rates of requests to the group's coordinator | see `ringmain_broker_request_duration_seconds` |\n");
    out.push_str("| MirrorSourceConnector | all | not counted yet |\n");
    out.push_str("| metrics of clients and of plugins | all | Ringmain's clients count for their task; plugins are built in |\n");
}

fn own(out: &mut String) {
    out.push_str("\n## Ringmain's own\n\n| `/metrics` | Labels | Type | |\n|---|---|---|---|\n");
    out.push_str("| `ringmain_build_info` | version | gauge | Ringmain's version, as a label. |\n");
    own_numbers(out, &OWN_WORKER, "");
    own_numbers(out, &OWN_SHARD, "shard");
    own_numbers(out, &OWN_TASK, "connector, task");
    writeln!(
        out,
        "| `{RESTARTS}` | connector, task, reason | counter | {RESTARTS_HELP} |"
    )
    .unwrap();
    writeln!(
        out,
        "| `{STALLS}` | connector, task, stage | gauge | {STALLS_HELP} |"
    )
    .unwrap();
    writeln!(
        out,
        "| `{REQUESTS}` | broker, api | summary | {REQUESTS_HELP} |"
    )
    .unwrap();
    writeln!(
        out,
        "| `{STAGES}` | connector, task, stage | summary | {STAGES_HELP} |"
    )
    .unwrap();
    out.push_str(OWN);
}

fn own_numbers<T: 'static>(out: &mut String, group: &Group<T>, labels: &str) {
    for attribute in group.attributes {
        let (metric, kind) = (group.metric(attribute), attribute.kind.name());
        let help = attribute.help;
        writeln!(out, "| `{metric}` | {labels} | {kind} | {help} |").unwrap();
    }
}

/// `RINGMAIN_WRITE_REFERENCE=1 cargo test reference` writes the file anew.
#[test]
fn the_committed_table_of_metrics_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/METRICS.md");
    let made = reference();
    if std::env::var_os("RINGMAIN_WRITE_REFERENCE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "configs/METRICS.md is out of date: run RINGMAIN_WRITE_REFERENCE=1 cargo test reference"
    );
}

/// Group and attribute of everything that the tables have.
fn offered() -> BTreeSet<(String, String)> {
    fn of<T: 'static>(group: &Group<T>) -> impl Iterator<Item = (String, String)> + use<'_, T> {
        let named = |name: &str| (group.name.to_owned(), name.to_owned());
        group
            .attributes
            .iter()
            .map(move |attribute| named(attribute.name))
    }
    let named = |group: &str, name: &str| (group.to_owned(), name.to_owned());
    let mut all: BTreeSet<_> = of(&WORKER).chain(of(&WORKER_CONNECTOR)).collect();
    for group in [&TASK, &SOURCE, &SINK, &ERRORS] {
        all.extend(of(group));
    }
    all.extend(of(&REBALANCE));
    all.extend(REBALANCE_TEXTS.map(|(name, _)| named(REBALANCE.name, name)));
    all.extend(CONNECTOR_TEXTS.map(|(name, _)| named("connector-metrics", name)));
    all.extend(TASK_TEXTS.map(|(name, _)| named(TASK.name, name)));
    // Printed for each by hand.
    all.insert(named("connector-metrics", "status"));
    all.extend(["status", "connector-type"].map(|name| named(TASK.name, name)));
    for group in &STEP_GROUPS {
        all.extend(
            ["class", "version"].map(|what| named(group.name, &format!("{}-{what}", group.tag))),
        );
    }
    all
}

/// `kafka_4_3_1.tsv` is what `tests/oracle/MetricsOracle.java` prints of Kafka's `ConnectMetricsRegistry`.
#[test]
fn every_attribute_of_kafka_connect_is_offered_or_its_absence_explained() {
    let kafka: BTreeSet<(String, String)> = include_str!("kafka_4_3_1.tsv")
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(group, attribute)| (group.to_owned(), attribute.to_owned()))
        .collect();
    let absent: BTreeSet<_> = ABSENT
        .map(|(group, attribute, _)| (group.to_owned(), attribute.to_owned()))
        .into();
    let ours: BTreeSet<_> = offered().union(&absent).cloned().collect();
    assert_eq!(ours, kafka);
    assert!(offered().is_disjoint(&absent));
}

#[test]
fn no_two_families_have_one_name() {
    let mut names: Vec<String> = Vec::new();
    names.extend(WORKER.attributes.iter().map(|found| WORKER.metric(found)));
    names.extend(
        WORKER_CONNECTOR
            .attributes
            .iter()
            .map(|found| metric(WORKER_CONNECTOR.prefix, found.name)),
    );
    for group in super::families::TASK_GROUPS {
        names.extend(group.attributes.iter().map(|found| group.metric(found)));
    }
    let distinct: BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}
