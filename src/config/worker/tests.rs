use super::*;

fn config(text: &str) -> ConfigMap {
    properties::parse_text(text).unwrap()
}

/// The keys of Kafka's stock `connect-standalone.properties`.
const STOCK: &str = "bootstrap.servers=localhost:9092
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=false
offset.storage.file.filename=/tmp/connect.offsets
offset.flush.interval.ms=10000
";

fn stock(more: &str) -> ConfigMap {
    config(&format!("{STOCK}{more}"))
}

fn messages(more: &str) -> Vec<String> {
    let problems = WorkerConfig::parse(&stock(more)).unwrap_err();
    problems
        .into_iter()
        .map(|problem| problem.message)
        .collect()
}

#[test]
fn the_stock_file_becomes_a_worker() {
    let worker = WorkerConfig::parse(&stock("")).unwrap();
    assert_eq!(worker.log, Log::Kafka(vec!["localhost:9092".to_owned()]));
    assert_eq!(
        worker.value_converter.class,
        "org.apache.kafka.connect.json.JsonConverter"
    );
    assert_eq!(
        worker.value_converter.config,
        config("schemas.enable=false")
    );
    assert_eq!(
        worker.header_converter.class,
        "org.apache.kafka.connect.storage.SimpleHeaderConverter"
    );
    assert_eq!(
        worker.offset_file(),
        Some(Path::new("/tmp/connect.offsets"))
    );
    assert_eq!(worker.offset_flush_interval, Duration::from_secs(10));
    assert_eq!(worker.shutdown_timeout, Duration::from_secs(5));
    assert_eq!(worker.override_policy, OverridePolicy::All);
    assert!(worker.topic_creation_enable && worker.rest.listeners.is_none());
    assert_eq!(worker.shards.runtime, RuntimeChoice::Auto);
    assert_eq!(worker.embedded.segment_bytes, 1 << 30);
    assert_eq!(worker.embedded.retention_bytes, None);
    assert!(warnings(&stock("")).is_empty());
}

#[test]
fn the_embedded_log_and_our_own_keys_are_read() {
    let worker = WorkerConfig::parse(&stock(
        "bootstrap.servers = embedded:/tmp/log,1
         shard.count=2
         shard.cpus=0-1
         shard.runtime=epoll
         embedded.retention.ms=-1
         embedded.num.partitions=4
         listeners=http://127.0.0.1:0,https://[::1]:8443
         admin.listeners=
         key.converter.plugin.version=1",
    ))
    .unwrap();
    assert_eq!(worker.log, Log::Embedded("/tmp/log,1".into()));
    assert_eq!(
        worker.shards,
        ShardConfig {
            count: Some(2),
            cpus: Some(vec![0, 1]),
            runtime: RuntimeChoice::Epoll,
        }
    );
    assert_eq!(worker.embedded.retention, None);
    assert_eq!(worker.embedded.num_partitions, 4);
    let listeners = worker.rest.listeners.unwrap();
    assert_eq!(listeners[0], Listener::parse("http://127.0.0.1:0").unwrap());
    assert_eq!(
        (listeners[1].https, listeners[1].host.as_deref()),
        (true, Some("::1"))
    );
    assert_eq!(worker.rest.admin_listeners, Some(Vec::new()));
    assert_eq!(worker.key_converter.config, config("schemas.enable=true"));
}

#[test]
fn all_problems_of_a_file_come_together() {
    let problems = WorkerConfig::parse(&config(
        "bootstrap.servers=nohost
         key.converter=x
         offset.flush.interval.ms=soon
         shard.runtime=java
         shard.cpus=3-1
         producer.acks=2
         consumer.interceptor.classes=com.x.Spy
         security.protocol=SASL_SSL
         listeners=ftp://x:1
         rest.extension.classes=com.x.Auth
         connector.client.config.override.policy=com.x.Own",
    ))
    .unwrap_err();
    let keys: Vec<&str> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    for key in [
        "bootstrap.servers",
        "value.converter",
        "offset.storage.file.filename",
        "offset.flush.interval.ms",
        "shard.runtime",
        "shard.cpus",
        "producer.acks",
        "consumer.interceptor.classes",
        "sasl.mechanism",
        "listeners",
        "rest.extension.classes",
        "connector.client.config.override.policy",
    ] {
        let count = keys.iter().filter(|found| **found == key).count();
        assert_eq!(count, 1, "{key} in {problems:#?}");
    }
    assert_eq!(keys.len(), 12, "{problems:#?}");
}

#[test]
fn texts_are_those_of_kafka() {
    assert_eq!(
        messages("bootstrap.servers="),
        [
            "Configuration 'bootstrap.servers' must not be empty. Valid values include: any non-empty value"
        ]
    );
    assert_eq!(
        messages("listeners="),
        [
            "Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443."
        ]
    );
    assert_eq!(
        messages("offset.flush.interval.ms=0"),
        ["Invalid value 0 for configuration offset.flush.interval.ms: Value must be at least 1"]
    );
    assert_eq!(
        messages("bootstrap.servers=embedded:"),
        ["Invalid url in bootstrap.servers: embedded: must name a directory"]
    );
}

#[test]
fn warnings_name_what_is_unknown_or_without_effect() {
    let given = stock(
        "ofset.flush.interval.ms=1
         internal.key.converter=org.apache.kafka.connect.json.JsonConverter
         internal.key.converter.schemas.enable=false
         plugin.path=/opt/x
         group.id=known-to-distributed-workers
         offset.storage.cleanup.policy=compact
         producer.lingerms=1
         admin.listeners.https.ssl.protocol=x
         request.timeout.ms=1",
    );
    assert_eq!(
        warnings(&given),
        [
            "unknown key 'ofset.flush.interval.ms', did you mean 'offset.flush.interval.ms'?",
            "'internal.key.converter' has had no effect since Kafka 3.0",
            "'plugin.path' is not used: connectors are built in",
            "unknown key 'producer.lingerms', did you mean 'producer.linger.ms'?",
        ]
    );
}

#[test]
fn a_file_is_read_with_its_references_and_shows_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let secrets = dir.path().join("secrets.properties");
    std::fs::write(&secrets, "servers=h:1\nbad=hunter2\n").unwrap();
    let path = dir.path().join("worker.properties");
    let providers = "config.providers=file\nconfig.providers.file.class=\
                     org.apache.kafka.common.config.provider.FileConfigProvider\n";
    let reference = |key: &str| format!("${{file:{}:{key}}}", secrets.display());

    let servers = format!("bootstrap.servers={}\n", reference("servers"));
    std::fs::write(&path, format!("{STOCK}{providers}{servers}")).unwrap();
    let worker = load(&path).unwrap();
    assert_eq!(worker.config.log, Log::Kafka(vec!["h:1".to_owned()]));
    assert!(worker.warnings.is_empty(), "{:?}", worker.warnings);

    let bad = format!(
        "offset.flush.timeout.ms={}\nproducer.acks={0}\n",
        reference("bad")
    );
    std::fs::write(&path, format!("{STOCK}{providers}{bad}")).unwrap();
    let text = load(&path).unwrap_err().to_string();
    assert!(
        text.contains("worker.properties") && text.contains("2 problem(s)"),
        "{text}"
    );
    assert!(
        text.contains("configuration offset.flush.timeout.ms: Not a number"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn debug_shows_no_values_of_other_keys() {
    let worker = WorkerConfig::parse(&stock(
        "ssl.key.password=hunter2\nkey.converter.token=hunter2",
    ))
    .unwrap();
    assert!(!format!("{worker:?}").contains("hunter2"));
}

#[test]
fn every_default_passes_its_own_check() {
    for def in [standalone_def(), distributed_def()] {
        for key in def.keys() {
            assert!(!key.documentation.is_empty(), "{} says nothing", key.name);
        }
        let required: ConfigMap = def
            .keys()
            .filter(|key| key.is_required())
            .map(|key| (key.name.clone(), Some("x:1".to_owned())))
            .collect();
        assert!(def.parse(&required).is_ok());
    }
}

#[test]
fn who_may_use_the_api_is_read_and_what_would_leave_it_open_is_refused() {
    let rest = |more: &str| WorkerConfig::parse(&stock(more)).unwrap().rest;
    assert!(!rest("").basic_auth && rest("").bearer_token_file.is_none());
    let both = rest(&format!(
        "rest.extension.classes={BASIC_AUTH_EXTENSION}
         rest.basic.auth.jaas.file=/jaas
         rest.bearer.token.file=/tokens
         rest.advertised.listener=HTTPS"
    ));
    assert!(both.basic_auth);
    assert_eq!(both.jaas_file.as_deref(), Some(Path::new("/jaas")));
    assert_eq!(
        both.bearer_token_file.as_deref(),
        Some(Path::new("/tokens"))
    );
    assert_eq!(both.advertised_listener.as_deref(), Some("https"));
    assert!(rest("rest.extension.classes=BasicAuthSecurityRestExtension").basic_auth);
    for (more, expected) in [
        (
            "rest.extension.classes=com.x.Auth,com.y.Log",
            "Invalid value com.x.Auth for configuration rest.extension.classes: REST extensions are Java classes",
        ),
        (
            "rest.basic.auth.jaas.file=/jaas",
            "rest.basic.auth.jaas.file is set, and nothing reads it",
        ),
        (
            "admin.listeners=http://a:1,b:2",
            "admin.listeners: 'b:2' has no scheme",
        ),
        (
            "rest.advertised.port=70000",
            "Invalid value 70000 for configuration rest.advertised.port",
        ),
        (
            "rest.advertised.listener=ftp",
            "Invalid value ftp for configuration rest.advertised.listener",
        ),
    ] {
        let found = messages(more);
        assert!(
            found.iter().any(|message| message.starts_with(expected)),
            "{more}: {found:?}"
        );
    }
}

#[test]
fn https_settings_have_the_prefix_all_or_none_of_them() {
    let rest = |more: &str| WorkerConfig::parse(&stock(more)).unwrap().rest;
    let own =
        "ssl.keystore.location=/own.p12\nssl.keystore.password=hunter2\nssl.client.auth=required\n";
    assert_eq!(rest(own).https, None);
    let https = rest(&format!("{own}listeners=http://a:1,https://b:2"))
        .https
        .unwrap();
    assert_eq!(https.prefix, "");
    assert!(https.settings.has_identity());
    assert_eq!(
        https.settings.client_auth(),
        crate::tls::ClientAuth::Required
    );
    let prefixed = format!(
        "{own}listeners=https://b:2\nadmin.listeners=https://c:3\nlisteners.https.ssl.protocol=TLSv1.3"
    );
    let rest = rest(&prefixed);
    let https = rest.https.unwrap();
    assert_eq!(https.prefix, "listeners.https.");
    assert!(!https.settings.has_identity());
    assert_eq!(https.settings.client_auth(), crate::tls::ClientAuth::None);
    let admin = rest.admin_https.unwrap();
    assert_eq!(admin.prefix, "");
    assert!(!format!("{admin:?}").contains("hunter2"));
    let found = messages("listeners=https://b:2\nlisteners.https.ssl.keystore.type=BKS");
    assert!(found[0].starts_with("listeners.https."), "{found:?}");
}
