use super::cluster::{Cluster, Found, Origin};
use super::finding::{Finding, Verdict, Weight};
use super::*;
use crate::api::{ConfigMap, ConnectorKind};
use crate::config::properties;

/// Apache's stock file of a distributed worker.
const STOCK: &str = "bootstrap.servers=127.0.0.1:1
group.id=connect-cluster
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
offset.storage.topic=connect-offsets
config.storage.topic=connect-configs
status.storage.topic=connect-status
";

fn config(text: &str) -> ConfigMap {
    properties::parse_text(text).unwrap()
}

fn load(text: &str) -> Result<Worker, Failure> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.properties");
    std::fs::write(&path, text).unwrap();
    Worker::load(&path, &Plugins::builtin())
}

fn worker(more: &str) -> Worker {
    load(&format!("{STOCK}{more}")).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn found(more: &str) -> Found {
    let config = config(&format!(
        "name=c\nconnector.class=FileStreamSource\nfile=/in\ntopic=t\n{more}"
    ));
    Found {
        name: "c".to_owned(),
        kind: cluster::kind_by_keys(&config),
        config,
        state: "RUNNING".to_owned(),
        tasks: 1,
        offsets: Ok(1),
    }
}

fn judged(worker: &Worker, connector: &Found) -> Vec<Finding> {
    let plugins = Plugins::builtin();
    let judge = Judge {
        plugins: &plugins,
        worker,
    };
    judge.findings(connector)
}

/// Weight and key of each.
fn shape(findings: &[Finding]) -> Vec<(Weight, &str)> {
    let all = findings.iter();
    let mut all: Vec<_> = all
        .map(|finding| (finding.weight, finding.key.as_deref().unwrap_or_default()))
        .collect();
    all.sort_unstable();
    all
}

use Weight::{Differs, Note, Unsupported};

#[test]
fn a_connector_of_ours_with_what_is_here_runs_natively() {
    let worker = worker("");
    assert!(worker.findings.is_empty(), "{:?}", worker.findings);
    for more in [
        "",
        "key.converter=StringConverter",
        "connector.class=org.apache.kafka.connect.file.FileStreamSourceConnector",
        "connector.class=FileStreamSink\ntopics=t",
        "transforms=a\ntransforms.a.type=org.apache.kafka.connect.transforms.RegexRouter\n\
         transforms.a.regex=x\ntransforms.a.replacement=y",
    ] {
        let mut connector = found(more);
        if connector.kind == ConnectorKind::Sink {
            connector.config.shift_remove("topic");
        }
        let findings = judged(&worker, &connector);
        assert!(findings.is_empty(), "{more}: {findings:?}");
        assert_eq!(Verdict::of(&findings), Verdict::Native);
    }
}

#[test]
fn classes_that_are_not_here_are_named_with_what_would_be_needed() {
    let worker = worker("");
    let connector = found(
        "connector.class=com.example.JdbcSource
         value.converter=com.example.Xml
         transforms=a,b
         transforms.a.type=com.example.Mask$Value
         transforms.b.type=org.apache.kafka.connect.transforms.HoistField$Value
         predicates=p
         predicates.p.type=com.example.IsOld",
    );
    let findings = judged(&worker, &connector);
    let expected = [
        (Unsupported, "connector.class"),
        (Unsupported, "predicates.p.type"),
        (Unsupported, "transforms.a.type"),
        (Unsupported, "value.converter"),
    ];
    assert_eq!(shape(&findings), expected);
    for finding in &findings {
        assert!(finding.what.contains("com.example."), "{finding:?}");
        assert!(finding.needed.is_some(), "{finding:?}");
    }
    assert_eq!(Verdict::of(&findings), Verdict::Unsupported);
}

#[test]
fn each_class_that_is_missing_from_a_connector_of_ours_is_told_once() {
    let findings = judged(
        &worker(""),
        &found(
            "value.converter=com.example.Xml
             transforms=a
             transforms.a.type=com.example.Mask$Value
             transforms.a.fields=x",
        ),
    );
    let expected = [
        (Unsupported, "transforms.a.type"),
        (Unsupported, "value.converter"),
    ];
    assert_eq!(shape(&findings), expected, "{findings:?}");
}

#[test]
fn keys_are_told_apart_by_what_they_change() {
    let findings = judged(
        &worker(""),
        &found(
            "no.such.key=1
             producer.override.metric.reporters=com.example.Reporter
             producer.override.acks=2",
        ),
    );
    let expected = [
        (Note, "no.such.key"),
        (Differs, "producer.override.metric.reporters"),
        (Unsupported, "producer.override.acks"),
    ];
    assert_eq!(shape(&findings), expected, "{findings:?}");
    let sink = found("connector.class=FileStreamSink\ntopics.regex=a(?!b).*");
    let findings = judged(&worker(""), &sink);
    assert_eq!(Verdict::of(&findings), Verdict::Unsupported, "{findings:?}");
}

#[test]
fn references_that_can_t_be_read_leave_the_rest_checked() {
    let worker = worker(
        "config.providers=file
         config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider",
    );
    let connector = found("topic=${file:/no/such/file:t}\nbatch.size=${file:/no/such/file:n}");
    let findings = judged(&worker, &connector);
    assert_eq!(shape(&findings), [(Differs, "")], "{findings:?}");
    assert!(findings[0].what.contains("/no/such/file"), "{findings:?}");
    let connector = found("topic=${file:/no/such/file:t}\nbatch.size=many");
    let findings = judged(&worker, &connector);
    let expected = [(Differs, ""), (Unsupported, "batch.size")];
    assert_eq!(shape(&findings), expected, "{findings:?}");
}

#[test]
fn without_the_worker_s_file_what_only_it_tells_is_left_open() {
    let worker = Worker::unknown().unwrap();
    let open = found("topic=${vault:secret/a:t}");
    let findings = judged(&worker, &open);
    let expected = [
        (Differs, ""),
        (Differs, "key.converter"),
        (Differs, "value.converter"),
    ];
    assert_eq!(shape(&findings), expected, "{findings:?}");
    let asked = findings.iter().all(|finding| {
        let needed = finding.needed.as_deref();
        needed.is_some_and(|needed| needed.contains("--worker"))
    });
    assert!(asked, "{findings:?}");
    let own = found("key.converter=StringConverter\nvalue.converter=StringConverter");
    assert!(judged(&worker, &own).is_empty());
}

#[test]
fn a_worker_s_file_is_read_as_far_as_it_goes() {
    let worker = worker(
        "exactly.once.source.support=enabled
         rest.extension.classes=com.example.Auth
         config.providers=file,vault
         config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider
         config.providers.vault.class=com.example.Vault
         config.providers.vault.param.url=https://x
         plugin.path=/opt/plugins
         metric.reporters=com.example.Reporter,org.apache.kafka.common.metrics.JmxReporter
         header.converter=com.example.Headers
         config.storage.partitions=2
         no.such.key=1",
    );
    let expected = [
        (Note, "config.storage.partitions"),
        (Note, "no.such.key"),
        (Note, "plugin.path"),
        (Differs, "metric.reporters"),
        (Unsupported, "config.providers.vault.class"),
        (Unsupported, "exactly.once.source.support"),
        (Unsupported, "header.converter"),
        (Unsupported, "rest.extension.classes"),
    ];
    assert_eq!(shape(&worker.findings), expected, "{:?}", worker.findings);
    assert!(worker.is_set_to("exactly.once.source.support", &["ENABLED"]));
    let distributed = worker.file.config.distributed().unwrap();
    assert_eq!(distributed.group_id, "connect-cluster");
    // The connectors that use what is missing do not run; those that bring their own do.
    let findings = judged(&worker, &found(""));
    assert_eq!(shape(&findings), [(Unsupported, "header.converter")]);
    let own = found("header.converter=org.apache.kafka.connect.storage.SimpleHeaderConverter");
    assert!(judged(&worker, &own).is_empty());
}

#[test]
fn secrets_of_a_worker_that_are_not_here_are_no_end() {
    let worker = worker(
        "config.providers=file
         config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider
         producer.ssl.keystore.password=${file:/no/such/file:p}",
    );
    let expected = [(Differs, "producer.ssl.keystore.password")];
    assert_eq!(shape(&worker.findings), expected, "{:?}", worker.findings);
}

#[test]
fn a_worker_s_file_without_what_is_needed_fails() {
    let without = STOCK.replace("bootstrap.servers=127.0.0.1:1\n", "");
    let failure = load(&without).err().unwrap();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.message.contains("bootstrap.servers"), "{failure:?}");
    assert!(failure.message.contains("worker.properties"), "{failure:?}");
}

#[test]
fn what_our_mirror_source_does_not_copy_is_said() {
    let mirror = "connector.class=org.apache.kafka.connect.mirror.MirrorSourceConnector
         source.cluster.alias=a
         target.cluster.alias=b
         source.cluster.bootstrap.servers=h:1
         target.cluster.bootstrap.servers=h:2\n";
    let mut connector = found(mirror);
    connector.config.shift_remove("file");
    connector.config.shift_remove("topic");
    let findings = judged(&worker(""), &connector);
    assert_eq!(shape(&findings), [(Differs, "sync.topic.acls.enabled")]);
    for (value, verdict) in [("false", Verdict::Native), ("true", Verdict::Unsupported)] {
        let key = "sync.topic.acls.enabled".to_owned();
        connector.config.insert(key, Some(value.to_owned()));
        let findings = judged(&worker(""), &connector);
        assert_eq!(Verdict::of(&findings), verdict, "{findings:?}");
    }
}

#[test]
fn a_connector_that_nobody_knows_is_a_sink_by_its_topics() {
    assert_eq!(found("").kind, ConnectorKind::Source);
    assert_eq!(found("topics=a").kind, ConnectorKind::Sink);
    assert_eq!(found("topics.regex=a").kind, ConnectorKind::Sink);
    assert_eq!(found("topics=").kind, ConnectorKind::Source);
}

fn cluster(connectors: Vec<Found>, findings: Vec<Finding>) -> Cluster {
    Cluster {
        origin: Origin {
            by: "rest",
            at: "http://w:8083".to_owned(),
            version: Some("4.3.1".to_owned()),
            kafka_cluster_id: None,
        },
        connectors,
        findings,
    }
}

#[test]
fn the_exit_code_says_whether_all_runs_as_it_does() {
    let plain = worker("");
    let none = |_: &Found| Vec::new();
    let differs = |_: &Found| vec![Finding::differs("k", "w")];
    let note = |_: &Found| vec![Finding::note("k", "w")];
    let all = cluster(vec![found("")], Vec::new());
    assert_eq!(Report::new(&all, &plain, none).exit(), Exit::Clean);
    assert_eq!(Report::new(&all, &plain, note).exit(), Exit::Clean);
    assert_eq!(Report::new(&all, &plain, differs).exit(), Exit::Differs);
    let eos = worker("exactly.once.source.support=enabled");
    assert_eq!(Report::new(&all, &eos, none).exit(), Exit::Differs);
    let topics = vec![Finding::unsupported(
        "config.storage.topic",
        "it has 2 partitions",
    )];
    let topics = cluster(vec![found("")], topics);
    assert_eq!(Report::new(&topics, &plain, none).exit(), Exit::Differs);
    let empty = cluster(Vec::new(), Vec::new());
    assert_eq!(Report::new(&empty, &plain, none).exit(), Exit::Clean);
}

#[test]
fn steps_fit_the_mode_and_name_who_has_to_stay() {
    let all = cluster(vec![found("")], Vec::new());
    let steps = steps::Steps::new(&all, &worker(""), &[Verdict::Unsupported]);
    let text = steps.take_over.join("\n");
    assert!(text.contains("c can't run in Ringmain"), "{text}");
    assert!(text.contains("ctl --url http://w:8083 "), "{text}");
    assert!(text.contains("ringmain distributed"), "{text}");
    let steps = steps::Steps::new(&all, &worker(""), &[Verdict::Native]);
    assert!(!steps.take_over.join("\n").contains("can't run"));
    let alone = worker("offset.storage.file.filename=/x");
    let steps = steps::Steps::new(&all, &alone, &[Verdict::Native]);
    assert!(steps.take_over.join("\n").contains("ringmain standalone"));
    assert!(!steps.go_back.is_empty());
}

#[test]
fn an_address_has_a_scheme_and_a_file_has_none() {
    assert!(is_address("http://h:8083") && is_address("HTTPS://h"));
    assert!(!is_address("worker.properties") && !is_address("/a/http:/b"));
}
