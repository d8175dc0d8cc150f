use super::*;
use crate::api::config_def::{ConfigKey, Validator};
use crate::config::properties;

fn config(text: &str) -> ConfigMap {
    properties::parse_text(text).unwrap()
}

fn parse(kind: ConnectorKind, text: &str) -> Result<ConnectorConfig, Vec<ConfigProblem>> {
    let config = config(&format!("name=n\nconnector.class=FileStreamSource\n{text}"));
    ConnectorConfig::parse(kind, &config, &ConfigDef::new())
}

fn problems(kind: ConnectorKind, text: &str) -> Vec<(String, String)> {
    let problems = parse(kind, text).unwrap_err();
    problems
        .into_iter()
        .map(|problem| (problem.key, problem.message))
        .collect()
}

fn problem(key: &str, message: &str) -> (String, String) {
    (key.to_owned(), message.to_owned())
}

const SOURCE: ConnectorKind = ConnectorKind::Source;
const SINK: ConnectorKind = ConnectorKind::Sink;

#[test]
fn the_smallest_connectors_have_the_defaults_of_kafka() {
    let source = parse(SOURCE, "").unwrap();
    assert_eq!((source.name.as_str(), source.tasks_max), ("n", 1));
    assert_eq!(source.class, "FileStreamSource");
    assert!(source.tasks_max_enforce && source.restart_on_reload);
    assert!(source.key_converter.is_none() && source.transforms.is_empty());
    assert_eq!(
        source.errors,
        ErrorHandling {
            retry_timeout: Some(Duration::ZERO),
            retry_delay_max: Duration::from_secs(60),
            tolerate_all: false,
            log: false,
            log_messages: false,
        }
    );
    let KindConfig::Source(kind) = source.kind else {
        panic!()
    };
    assert!(kind.topic_creation.is_none() && !kind.exactly_once_required);
    assert_eq!(kind.transaction_boundary, TransactionBoundary::Poll);

    let sink = parse(SINK, "topics=a, b").unwrap();
    let KindConfig::Sink(SinkConfig {
        topics: SinkTopics::List(topics),
    }) = sink.kind
    else {
        panic!()
    };
    assert_eq!(topics, ["a", "b"]);
    assert_eq!(sink.dead_letters, None);
}

#[test]
fn plugins_of_a_connector_get_the_keys_below_their_prefix() {
    let source = parse(
        SOURCE,
        "value.converter=JsonConverter
         value.converter.schemas.enable=false
         value.converter.plugin.version=1
         key.converter.schemas.enable=ignored
         transforms=a,b
         transforms.a.type=org.x.A
         transforms.a.field=f
         transforms.a.predicate=p
         transforms.a.negate=true
         transforms.b.type=B
         predicates=p
         predicates.p.type=P
         predicates.p.pattern=x",
    )
    .unwrap();
    assert!(source.key_converter.is_none());
    let value = source.value_converter.unwrap();
    assert_eq!(
        (value.class.as_str(), value.config),
        ("JsonConverter", config("schemas.enable=false"))
    );
    let first = &source.transforms[0];
    assert_eq!(
        (first.alias.as_str(), first.plugin.class.as_str()),
        ("a", "org.x.A")
    );
    assert_eq!(first.plugin.config, config("field=f"));
    assert_eq!(
        (first.predicate.as_deref(), first.negate),
        (Some("p"), true)
    );
    assert_eq!(source.transforms[1].predicate, None);
    assert_eq!(source.predicates[0].plugin.config, config("pattern=x"));
}

#[test]
fn topic_creation_takes_the_first_group_that_matches_the_whole_name() {
    let text = "topic.creation.groups=logs,wide
         topic.creation.default.replication.factor=1
         topic.creation.default.partitions=-1
         topic.creation.default.cleanup.policy=compact
         topic.creation.logs.include=log-.*,audit
         topic.creation.logs.exclude=log-not
         topic.creation.logs.partitions=6
         topic.creation.logs.retention.ms=1000
         topic.creation.wide.include=.*-wide
         topic.creation.wide.replication.factor=3";
    let KindConfig::Source(source) = parse(SOURCE, text).unwrap().kind else {
        panic!()
    };
    let rules = source.topic_creation.unwrap();
    let shape = |topic: &str| {
        let group = rules.group(topic);
        (
            group.name.clone(),
            group.replication_factor,
            group.partitions,
        )
    };
    assert_eq!(shape("log-x-wide"), ("logs".to_owned(), 1, 6));
    assert_eq!(shape("audit"), ("logs".to_owned(), 1, 6));
    assert_eq!(shape("audits"), ("default".to_owned(), 1, -1));
    assert_eq!(shape("log-not"), ("default".to_owned(), 1, -1));
    assert_eq!(shape("x-wide"), ("wide".to_owned(), 3, -1));
    let settings = |topic: &str| rules.group(topic).settings.clone();
    assert_eq!(
        settings("audit"),
        [("retention.ms".to_owned(), "1000".to_owned())]
    );
    assert_eq!(
        settings("other"),
        [("cleanup.policy".to_owned(), "compact".to_owned())]
    );
}

#[test]
fn the_default_group_must_be_complete_when_topics_are_created() {
    assert_eq!(
        problems(
            SOURCE,
            "topic.creation.groups=g\ntopic.creation.g.include=(x\ntopic.creation.g.partitions=0"
        )
        .iter()
        .map(|(key, _)| key.as_str())
        .collect::<Vec<_>>(),
        [
            "topic.creation.default.replication.factor",
            "topic.creation.default.partitions",
            "topic.creation.g.include",
            "topic.creation.g.partitions",
        ]
    );
    assert_eq!(
        problems(
            SOURCE,
            "topic.creation.default.partitions=0\ntopic.creation.default.replication.factor=-1"
        ),
        [problem(
            "topic.creation.default.partitions",
            "Invalid value 0 for configuration topic.creation.default.partitions: Number of \
             partitions must be positive, or -1 to use the broker's default"
        )]
    );
}

#[test]
fn texts_about_topics_are_those_of_kafka() {
    let none = "Must configure one of topics or topics.regex";
    assert_eq!(
        problems(SINK, ""),
        [problem("topics", none), problem("topics.regex", none)]
    );
    let both = "topics and topics.regex are mutually exclusive options, but both are set.";
    assert_eq!(
        problems(SINK, "topics=a\ntopics.regex=b"),
        [problem("topics", both), problem("topics.regex", both)]
    );
    assert_eq!(
        problems(SINK, "topics=a,d\nerrors.deadletterqueue.topic.name=d"),
        [problem(
            "topics",
            "The DLQ topic 'd' may not be included in the list of topics ('topics=[a, d]') consumed \
             by the connector"
        )]
    );
    assert_eq!(
        problems(
            SINK,
            "topics.regex=d.*\nerrors.deadletterqueue.topic.name=dlq"
        ),
        [problem(
            "topics.regex",
            "The DLQ topic 'dlq' may not be matched by the regex for the topics ('topics.regex=d.*') \
             consumed by the connector"
        )]
    );
    assert!(
        parse(
            SINK,
            "topics.regex=d.\nerrors.deadletterqueue.topic.name=dlq"
        )
        .is_ok()
    );
}

#[test]
fn all_problems_come_together_with_those_of_the_plugin() {
    let given = config(
        "name=a\\u0007b\ntasks.max=0\ntransforms=x,x\ntransforms.x.negate=true\nerrors.tolerance=ALL\nfile=",
    );
    let plugin = ConfigDef::new()
        .define(ConfigKey::string("file").validator(Validator::non_empty_string()))
        .define(ConfigKey::string("topic"));
    let problems = ConnectorConfig::parse(SOURCE, &given, &plugin).unwrap_err();
    let texts: Vec<&str> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "Invalid value a\u{7}b for configuration name: String may not contain control sequences \
             but had the following ASCII chars: 7",
            "Missing required configuration \"connector.class\" which has no default value.",
            "Invalid value 0 for configuration tasks.max: Value must be at least 1",
            "Invalid value [x, x] for configuration transforms: Duplicate alias provided.",
            "Invalid value ALL for configuration errors.tolerance: String must be one of: none, all",
            "Missing required configuration \"transforms.x.type\" which has no default value.",
            "Invalid value  for configuration file: String must be non-empty",
            "Missing required configuration \"topic\" which has no default value.",
            "Config 'transforms.x.negate' was provided but there is no config \
             'transforms.x.predicate' defining a predicate to be negated.",
        ]
    );
}

#[test]
fn null_values_are_refused() {
    let mut given = config("name=n\nconnector.class=c");
    given.insert("file".to_owned(), None);
    let problems = ConnectorConfig::parse(SOURCE, &given, &ConfigDef::new()).unwrap_err();
    assert_eq!(
        (problems[0].key.as_str(), problems[0].message.as_str()),
        (
            "file",
            "Null value can not be supplied as the configuration value."
        )
    );
}

#[test]
fn retries_may_go_on_for_ever() {
    let source = parse(SOURCE, "errors.retry.timeout=-1").unwrap();
    assert_eq!(source.errors.retry_timeout, None);
}

#[test]
fn warnings_pass_over_the_keys_of_plugins_and_clients() {
    let given = config(
        "name=n
         connector.class=c
         taks.max=1
         file=x
         key.converter.anything=x
         producer.override.linger.ms=1
         producer.override.lingerms=1
         transforms=a
         transforms.a.field=x
         transforms.b.field=x
         topic.creation.default.partitions=1
         topic.creation.default.cleanup.policy=x",
    );
    let plugin = ConfigDef::new().define(ConfigKey::string("file"));
    assert_eq!(
        warnings(SOURCE, &given, &[&plugin], None),
        [
            "unknown key 'taks.max', did you mean 'tasks.max'?",
            "unknown key 'transforms.b.field'",
            "unknown key 'producer.override.lingerms', did you mean 'producer.override.linger.ms'?",
        ]
    );
}

#[test]
fn display_data_of_the_common_keys_is_that_of_kafka() {
    let mut wrong = Vec::new();
    for row in include_str!("../kafka_keys_4_3_1.tsv").lines() {
        let columns: Vec<&str> = row.split('\t').collect();
        let def = match columns[0] {
            "source" => connector_def(SOURCE),
            "sink" => connector_def(SINK),
            _ => continue,
        };
        let Some(key) = def.key(columns[1]) else {
            wrong.push(row.to_owned());
            continue;
        };
        let default = match key.default_text() {
            Some(text) => text,
            None if key.is_required() => "<required>".to_owned(),
            None => "<null>".to_owned(),
        };
        let order = key.order_in_group.to_string();
        let ours = [
            columns[0],
            &key.name,
            key.kind.name(),
            &default,
            key.importance.name(),
            key.group.as_deref().unwrap_or("null"),
            &order,
            key.width.name(),
            &key.display_name,
        ];
        if ours != columns[..] {
            wrong.push(format!("{row}\nours: {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn debug_shows_no_values_of_other_keys() {
    let source = parse(
        SOURCE,
        "token=hunter2\nkey.converter=c\nkey.converter.token=hunter2",
    )
    .unwrap();
    assert!(!format!("{source:?}").contains("hunter2"));
}
