//! Against what Apache Kafka Connect 4.3.1 answered.

use super::*;
use crate::config::worker;

fn worker_file(more: &str) -> WorkerFile {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.properties");
    let text = format!(
        "bootstrap.servers=127.0.0.1:9092\noffset.storage.file.filename=offsets\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=StringConverter\n{more}"
    );
    std::fs::write(&path, text).unwrap();
    worker::load(&path).unwrap()
}

fn config(entries: &[(&str, Option<&str>)]) -> ConfigMap {
    let owned = |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(str::to_owned));
    entries.iter().map(owned).collect()
}

fn validate_with(worker: &WorkerFile, entries: &[(&str, Option<&str>)]) -> ConfigInfos {
    let plugins = Plugins::builtin();
    let validation = Validation {
        plugins: &plugins,
        worker: &worker.config,
        providers: &worker.providers,
        stage: &StageCell::default(),
    };
    validation.validate(&config(entries)).unwrap()
}

fn validate(entries: &[(&str, Option<&str>)]) -> ConfigInfos {
    validate_with(&worker_file(""), entries)
}

fn errors(infos: &ConfigInfos) -> Vec<(&str, &str)> {
    let each = infos.configs.iter().flat_map(|info| {
        let errors = info.value.errors.iter();
        errors.map(|error| (info.value.name.as_str(), error.as_str()))
    });
    each.collect()
}

fn find<'a>(infos: &'a ConfigInfos, name: &str) -> &'a ConfigInfo {
    infos
        .configs
        .iter()
        .find(|info| info.value.name == name)
        .unwrap()
}

const NULL: &str = "Null value can not be supplied as the configuration value.";

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one answer, looked at from all sides"
)]
fn a_sources_sections_come_in_kafkas_order_with_its_texts() {
    let infos = validate(&[
        ("connector.class", Some("FileStreamSource")),
        ("tasks.max", Some("0")),
        ("topic", Some("t")),
        ("value.converter", Some("JsonConverter")),
        ("value.converter.schemas.cache.size", Some("x")),
        ("producer.override.nope", Some("x")),
        ("producer.override.linger.ms", Some("5")),
        ("unknown", None),
    ]);
    assert_eq!(infos.name, "FileStreamSource");
    let expected = [
        ("unknown", NULL),
        (
            "name",
            "Missing required configuration \"name\" which has no default value.",
        ),
        (
            "tasks.max",
            "Invalid value 0 for configuration tasks.max: Value must be at least 1",
        ),
        (
            "value.converter.schemas.cache.size",
            "Invalid value x for configuration schemas.cache.size: Not a number of type INT",
        ),
    ];
    assert_eq!(errors(&infos), expected);
    assert_eq!(infos.error_count(), 4);
    let groups = [
        "Common",
        "Transforms",
        "Predicates",
        "Error Handling",
        "Topic Creation",
        "Exactly Once Support",
        "offsets.topic",
    ];
    assert_eq!(infos.groups[..7], groups);
    let position = |name: &str| {
        infos
            .configs
            .iter()
            .position(|info| info.value.name == name)
            .unwrap()
    };
    let order = [
        "unknown",
        "name",
        "config.action.reload",
        "errors.tolerance",
        "offsets.storage.topic",
        "file",
        "producer.override.nope",
        "value.converter.schemas.enable",
    ];
    assert!(
        order
            .windows(2)
            .all(|pair| position(pair[0]) < position(pair[1]))
    );
    assert!(find(&infos, "producer.override.nope").definition.is_none());
    let linger = find(&infos, "producer.override.linger.ms")
        .definition
        .as_ref();
    assert_eq!(linger.unwrap().display_name, "linger.ms");
    let json = "org.apache.kafka.connect.json.JsonConverter";
    assert_eq!(
        find(&infos, "value.converter").value.value.as_deref(),
        Some(json)
    );
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let definition = find(&infos, "value.converter").definition.as_ref().unwrap();
    assert_eq!(definition.default_text().as_deref(), Some(string));
    assert_eq!(
        find(&infos, "value.converter.converter.type")
            .value
            .value
            .as_deref(),
        Some("value")
    );
}

#[test]
fn nulls_are_reported_after_what_the_definition_says() {
    let infos = validate(&[
        ("connector.class", Some("FileStreamSource")),
        ("tasks.max", None),
        ("name", None),
        ("topic", Some("a")),
        ("transforms", None),
    ]);
    let expected = [
        ("name", NULL),
        (
            "tasks.max",
            "Invalid value null for configuration tasks.max: Value must be non-null",
        ),
        ("tasks.max", NULL),
        (
            "transforms",
            "Invalid value null for configuration transforms: entry must be non null",
        ),
        ("transforms", NULL),
    ];
    assert_eq!(errors(&infos), expected);
}

#[test]
fn a_sinks_conflicts_and_classes_that_do_not_exist_are_told() {
    let infos = validate(&[
        ("connector.class", Some("FileStreamSink")),
        ("name", Some("s")),
        ("topics", Some("a")),
        ("topics.regex", Some("b")),
        ("header.converter", Some("Nope")),
        ("key.converter", Some("SimpleHeaderConverter")),
        ("admin.override.x", Some("y")),
        ("errors.tolerance", Some("bad")),
    ]);
    let both = "topics and topics.regex are mutually exclusive options, but both are set.";
    let expected = [
        (
            "key.converter",
            "Invalid value SimpleHeaderConverter for configuration key.converter: Class SimpleHeaderConverter could not be found.",
        ),
        (
            "header.converter",
            "Invalid value Nope for configuration header.converter: Class Nope could not be found.",
        ),
        (
            "errors.tolerance",
            "Invalid value bad for configuration errors.tolerance: String must be one of: none, all",
        ),
        ("topics", both),
        ("topics.regex", both),
    ];
    assert_eq!(errors(&infos), expected);
    assert_eq!(find(&infos, "header.converter").value.value, None);
    assert!(
        !infos
            .configs
            .iter()
            .any(|info| info.value.name == "admin.override.x")
    );
}

#[test]
fn overrides_of_a_sinks_dead_letter_producer_are_checked_when_it_has_one() {
    let entries = [
        ("connector.class", Some("FileStreamSink")),
        ("name", Some("s")),
        ("topics", Some("a")),
        ("producer.override.linger.ms", Some("soon")),
        ("admin.override.client.id", Some("mine")),
    ];
    let without = validate(&entries);
    assert_eq!(errors(&without), []);
    let shown =
        |infos: &ConfigInfos, key: &str| infos.configs.iter().any(|info| info.value.name == key);
    assert!(!shown(&without, "producer.override.linger.ms"));
    let queue = ("errors.deadletterqueue.topic.name", Some("dead"));
    let with: Vec<_> = entries.into_iter().chain([queue]).collect();
    let with = validate(&with);
    assert!(shown(&with, "admin.override.client.id"));
    let [(key, text)] = errors(&with)[..] else {
        panic!("{:?}", errors(&with))
    };
    assert_eq!(key, "producer.override.linger.ms");
    assert!(text.contains("soon"), "{text}");

    let source = [
        ("connector.class", Some("FileStreamSource")),
        ("name", Some("s")),
        ("topic", Some("a")),
        queue,
    ];
    assert_eq!(errors(&validate(&source)), []);
}

#[test]
fn overrides_are_held_to_the_policy_and_to_what_the_client_takes() {
    let none = worker_file("connector.client.config.override.policy=None\n");
    let entries = [
        ("connector.class", Some("FileStreamSource")),
        ("name", Some("s")),
        ("topic", Some("t")),
        ("producer.override.acks", Some("1")),
    ];
    let infos = validate_with(&none, &entries);
    let text =
        "The 'None' policy does not allow 'acks' to be overridden in the connector configuration.";
    assert_eq!(errors(&infos), [("producer.override.acks", text)]);
    let bad = [
        entries[0],
        entries[1],
        entries[2],
        ("producer.override.acks", Some("foo")),
    ];
    let infos = validate(&bad);
    assert!(
        errors(&infos)
            .iter()
            .all(|(key, _)| *key == "producer.override.acks")
    );
    assert_eq!(infos.error_count(), 1, "{:?}", errors(&infos));
}

#[test]
fn what_a_provider_gave_shows_neither_in_values_nor_in_messages() {
    let dir = tempfile::tempdir().unwrap();
    let secrets = dir.path().join("secrets.properties");
    std::fs::write(&secrets, "max=hunter2\nfile=/hunter3\n").unwrap();
    let worker = worker_file(
        "config.providers=file\n\
         config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider\n",
    );
    let reference = |key: &str| format!("${{file:{}:{key}}}", secrets.display());
    let (max, file) = (reference("max"), reference("file"));
    let entries = [
        ("connector.class", Some("FileStreamSource")),
        ("name", Some("s")),
        ("topic", Some("t")),
        ("tasks.max", Some(max.as_str())),
        ("file", Some(file.as_str())),
    ];
    let infos = validate_with(&worker, &entries);
    assert!(infos.error_count() > 0);
    let shown = format!("{infos:?} {infos}");
    assert!(!shown.contains("hunter"), "{shown}");
    assert_eq!(
        find(&infos, "file").value.value.as_deref(),
        Some(file.as_str())
    );
    let text = problems(&Plugins::builtin(), &worker, &config(&entries)).unwrap_err();
    assert!(
        text.contains("tasks.max") && !text.contains("hunter"),
        "{text}"
    );
    let fine: Vec<_> = entries
        .iter()
        .copied()
        .filter(|(key, _)| *key != "tasks.max")
        .collect();
    assert_eq!(
        problems(&Plugins::builtin(), &worker, &config(&fine)),
        Ok(())
    );
}

#[test]
fn what_a_plugin_finds_beyond_its_keys_stands_under_the_key_and_hides_what_a_provider_gave() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secrets.properties");
    std::fs::write(&file, "servers=hidden.example\n").unwrap();
    let worker = worker_file(
        "config.providers=file\n\
         config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider\n",
    );
    let servers = format!("${{file:{}:servers}}", file.display());
    let infos = validate_with(
        &worker,
        &[
            ("name", Some("m")),
            ("connector.class", Some("MirrorSource")),
            ("source.cluster.alias", Some("A")),
            ("source.cluster.bootstrap.servers", Some(&servers)),
            ("target.cluster.bootstrap.servers", Some("b:1")),
            ("sync.topic.acls.enabled", Some("true")),
            ("replication.policy.class", Some("com.x.Own")),
        ],
    );
    let errors = errors(&infos);
    let keys: Vec<&str> = errors.iter().map(|(key, _)| *key).collect();
    let expected = [
        "replication.policy.class",
        "sync.topic.acls.enabled",
        "source.cluster.bootstrap.servers",
    ];
    assert_eq!(keys, expected);
    for (key, error) in errors {
        assert!(error.contains(key), "{key}: {error}");
        assert!(!error.contains("hidden.example"), "{error}");
    }
}

const INSERT: &str = "org.apache.kafka.connect.transforms.InsertField$Value";

#[test]
fn keys_of_transformations_and_predicates_stand_in_groups_of_their_aliases() {
    let infos = validate(&[
        ("connector.class", Some("FileStreamSink")),
        ("name", Some("s")),
        ("topics", Some("a")),
        ("transforms", Some("t")),
        ("transforms.t.type", Some(INSERT)),
        ("transforms.t.topic.field", Some("topic")),
        ("transforms.t.predicate", Some("p")),
        ("predicates", Some("p")),
        ("predicates.p.type", Some("TopicNameMatches")),
        ("predicates.p.pattern", Some("a.*")),
    ]);
    assert_eq!(errors(&infos), []);
    let groups = ["Common", "Transforms", "Predicates", "Error Handling"];
    assert_eq!(infos.groups[..4], groups);
    let groups = ["Transforms: t", "Predicates: p"];
    assert_eq!(infos.groups[4..6], groups);
    let of = |prefix: &str| {
        let mine = infos
            .configs
            .iter()
            .filter(|info| info.value.name.starts_with(prefix));
        let shown = mine.map(|info| {
            let key = info.definition.as_ref().unwrap();
            assert_eq!(key.group.as_deref().unwrap().len(), groups[0].len());
            let value = info.value.value.as_deref().unwrap_or("null");
            format!(
                "{} {} {value}",
                key.order_in_group,
                &key.name[prefix.len()..]
            )
        });
        shown.collect::<Vec<_>>()
    };
    let expected = [
        &format!("0 type {INSERT}"),
        "1 plugin.version 4.3.1",
        "2 negate false",
        "3 offset.field null",
        "4 partition.field null",
        "5 predicate p",
        "6 replace.null.with.default true",
        "7 static.field null",
        "8 static.value null",
        "9 timestamp.field null",
        "10 topic.field topic",
    ];
    assert_eq!(of("transforms.t."), expected);
    let class = "org.apache.kafka.connect.transforms.predicates.TopicNameMatches";
    let expected = [
        &format!("0 type {class}"),
        "1 plugin.version 4.3.1",
        "2 pattern a.*",
    ];
    assert_eq!(of("predicates.p."), expected);
    let offered = &find(&infos, "predicates.p.type").value.recommended_values;
    assert!(
        offered.iter().any(|offered| offered == class),
        "{offered:?}"
    );
}

#[test]
fn problems_of_transformations_are_told_by_their_keys() {
    let with = |steps: &[(&'static str, Option<&'static str>)]| {
        let mut entries = vec![
            ("connector.class", Some("FileStreamSink")),
            ("name", Some("s")),
            ("topics", Some("a")),
            ("transforms", Some("t")),
        ];
        entries.extend_from_slice(steps);
        let infos = validate(&entries);
        let owned = |(key, text): &(&str, &str)| format!("{key}: {text}");
        let problems: Vec<_> = errors(&infos).iter().map(owned).collect();
        problems
    };
    let key = "transforms.t.type: ";
    let missing =
        "Missing required configuration \"transforms.t.type\" which has no default value.";
    assert_eq!(with(&[]), [format!("{key}{missing}")]);
    let unknown =
        "Invalid value Nope for configuration transforms.t.type: Class Nope could not be found.";
    assert_eq!(
        with(&[("transforms.t.type", Some("Nope"))]),
        [format!("{key}{unknown}")]
    );
    let outer = "org.apache.kafka.connect.transforms.InsertField";
    let text = "This class is abstract and cannot be created. Did you mean org.apache.kafka.connect.transforms.InsertField$Key, org.apache.kafka.connect.transforms.InsertField$Value?";
    assert_eq!(
        with(&[("transforms.t.type", Some(outer))]),
        [format!("{key}{text}")]
    );
    let other = "org.apache.kafka.connect.json.JsonConverter";
    let text = format!("{key}Class class {other} does not implement the Transformation interface");
    assert_eq!(with(&[("transforms.t.type", Some(other))]), [text]);
    let negate = "Config 'transforms.t.negate' was provided but there is no config 'transforms.t.predicate' defining a predicate to be negated.";
    let negated = [
        ("transforms.t.type", Some("Filter")),
        ("transforms.t.negate", Some("true")),
    ];
    assert_eq!(with(&negated), [format!("{key}{negate}")]);
    // Kafka does not look at keys together until the task starts.
    assert_eq!(
        with(&[("transforms.t.type", Some(INSERT))]),
        [format!("{key}No field insertion configured")]
    );
    assert_eq!(
        with(&[
            ("transforms.t.type", Some(INSERT)),
            ("transforms.t.topic.field", Some("x")),
            ("transforms.t.replace.null.with.default", Some("perhaps")),
        ]),
        [
            "transforms.t.replace.null.with.default: Invalid value perhaps for configuration transforms.t.replace.null.with.default: Expected value to be either true or false"
        ]
    );
    assert_eq!(
        with(&[("transforms.t.type", Some("DropHeaders"))]),
        [
            "transforms.t.headers: Missing required configuration \"transforms.t.headers\" which has no default value.",
            "transforms.t.headers: Configuration 'headers' values must not be null."
        ]
    );
}
