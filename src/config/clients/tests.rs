use super::*;

fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect()
}

fn with_servers(pairs: &[(&str, &str)]) -> ConfigMap {
    let mut all = config(&[("bootstrap.servers", "localhost:9092")]);
    all.extend(config(pairs));
    all
}

fn messages<T: std::fmt::Debug>(result: Result<T, Vec<ConfigProblem>>) -> Vec<String> {
    let problems = result.unwrap_err();
    problems
        .into_iter()
        .map(|problem| problem.message)
        .collect()
}

#[test]
fn nothing_set_gives_the_defaults_of_the_typed_structs() {
    let servers = vec!["localhost:9092".to_owned()];
    let mut producer = ProducerConfig::default();
    producer.common.bootstrap_servers.clone_from(&servers);
    assert_eq!(
        format!("{:?}", producer_from_config(&with_servers(&[])).unwrap()),
        format!("{producer:?}")
    );
    let mut consumer = ConsumerConfig::default();
    consumer.common.bootstrap_servers.clone_from(&servers);
    assert_eq!(
        format!("{:?}", consumer_from_config(&with_servers(&[])).unwrap()),
        format!("{consumer:?}")
    );
}

#[test]
fn every_default_passes_its_own_check() {
    for kind in ClientKind::ALL {
        assert!(def(kind).parse(&with_servers(&[])).is_ok(), "{kind:?}");
        for ClientKey { key, .. } in keys(kind) {
            assert!(!key.documentation.is_empty(), "{} says nothing", key.name);
        }
    }
}

#[test]
fn keys_of_kafka_become_typed_settings() {
    let producer = producer_from_config(&with_servers(&[
        ("bootstrap.servers", "a:1, [::1]:2,PLAINTEXT://b:3"),
        ("linger.ms", "7"),
        ("batch.size", "0"),
        ("compression.type", "zstd"),
        ("compression.zstd.level", "5"),
        ("compression.gzip.level", "9"),
        ("max.block.ms", "9223372036854775807"),
        ("send.buffer.bytes", "1024"),
        ("a.key.of.another", "x"),
    ]))
    .unwrap();
    assert_eq!(
        producer.common.bootstrap_servers,
        ["a:1", "[::1]:2", "PLAINTEXT://b:3"]
    );
    assert_eq!(producer.linger, Duration::from_millis(7));
    assert_eq!(producer.batch_size, 1);
    assert_eq!(producer.compression.codec, Compression::Zstd);
    assert_eq!(producer.compression.level, Some(5));
    assert_eq!(producer.max_block, Duration::MAX);
    assert_eq!(producer.common.send_buffer_bytes, Some(1024));

    let consumer = consumer_from_config(&with_servers(&[
        ("group.id", "g"),
        ("auto.offset.reset", "latest"),
        ("isolation.level", "read_committed"),
        ("max.poll.records", "10"),
        ("partition.assignment.strategy", "RoundRobinAssignor"),
    ]))
    .unwrap();
    assert_eq!(consumer.group_id.as_deref(), Some("g"));
    assert_eq!(consumer.auto_offset_reset, AutoOffsetReset::Latest);
    assert_eq!(consumer.isolation, IsolationLevel::ReadCommitted);
    assert_eq!(consumer.max_poll_records, Some(10));
    assert_eq!(consumer.assignors, [GroupAssignor::RoundRobin]);
}

#[test]
fn settings_that_exclude_idempotence_turn_it_off_unless_it_was_asked_for() {
    let idempotent = |pairs: &[(&str, &str)]| {
        let producer = producer_from_config(&with_servers(pairs)).unwrap();
        (producer.idempotence, producer.idempotence_required)
    };
    assert_eq!(idempotent(&[]), (true, false));
    assert_eq!(idempotent(&[("enable.idempotence", "true")]), (true, true));
    assert_eq!(idempotent(&[("acks", "1")]), (false, false));
    assert_eq!(
        idempotent(&[("max.in.flight.requests.per.connection", "6")]),
        (false, false)
    );
    assert_eq!(idempotent(&[("retries", "0")]), (false, false));
    let contradiction = with_servers(&[("enable.idempotence", "true"), ("acks", "0")]);
    let texts = messages(producer_from_config(&contradiction));
    assert!(texts[0].starts_with("Must set acks to all"), "{texts:?}");
}

#[test]
fn settings_that_would_change_the_meaning_are_refused_together() {
    let producer = with_servers(&[
        ("security.protocol", "SASL_SSL"),
        ("sasl.login.class", "com.x.Login"),
        ("interceptor.classes", "com.x.Spy"),
        ("partitioner.class", "com.x.P"),
        ("transactional.id", "t"),
        (
            "key.serializer",
            "org.apache.kafka.common.serialization.StringSerializer",
        ),
        ("linger.ms", "-1"),
    ]);
    let texts = messages(producer_from_config(&producer));
    assert_eq!(texts.len(), 7, "{texts:?}");
    let kerberos = "Invalid value GSSAPI for configuration sasl.mechanism: Kerberos";
    assert!(
        texts.iter().any(|text| text.starts_with(kerberos)),
        "{texts:?}"
    );
    assert!(texts.contains(
        &"Invalid value -1 for configuration linger.ms: Value must be at least 0".to_owned()
    ));
    for (key, value) in [
        ("enable.auto.commit", "true"),
        ("group.protocol", "consumer"),
        (
            "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.StickyAssignor",
        ),
        ("auto.offset.reset", "by_duration:P1D"),
        ("heartbeat.interval.ms", "45000"),
        ("max.poll.records", "0"),
    ] {
        assert_eq!(
            messages(consumer_from_config(&with_servers(&[(key, value)]))).len(),
            1,
            "{key}"
        );
    }
    for (key, value) in [
        ("security.protocol", "plaintext"),
        ("enable.auto.commit", "False"),
        ("interceptor.classes", " "),
        (
            "value.deserializer",
            "org.apache.kafka.common.serialization.ByteArrayDeserializer",
        ),
    ] {
        assert!(
            consumer_from_config(&with_servers(&[(key, value)])).is_ok(),
            "{key}"
        );
    }
}

#[test]
fn harmless_keys_are_named_once_and_change_nothing() {
    let given = config(&[
        ("metric.reporters", ""),
        ("sasl.kerberos.service.name", "kafka"),
        ("sasl.jaas.config", "hunter2"),
        ("acks", "1"),
        ("own.key", "x"),
    ]);
    assert_eq!(
        without_effect(ClientKind::Producer, &given),
        ["metric.reporters", "sasl.kerberos.service.name"]
    );
}

#[test]
fn servers_must_have_a_host_and_a_port() {
    for (server, text) in [
        ("localhost", "Invalid url in bootstrap.servers: localhost"),
        ("localhost:", "Invalid url in bootstrap.servers: localhost:"),
        (
            "local host:1",
            "Invalid url in bootstrap.servers: local host:1",
        ),
        ("h:99999", "Invalid port in bootstrap.servers: h:99999"),
        ("h:x", "Invalid port in bootstrap.servers: h:x"),
        (
            "embedded:",
            "Invalid url in bootstrap.servers: embedded: must name a directory",
        ),
    ] {
        let config = config(&[("bootstrap.servers", server)]);
        assert_eq!(messages(admin_from_config(&config)), [text]);
    }
    let embedded = config(&[("bootstrap.servers", "embedded:/d/a,b")]);
    assert_eq!(
        admin_from_config(&embedded)
            .unwrap()
            .common
            .bootstrap_servers,
        ["embedded:/d/a,b"]
    );
}

fn worker() -> ConfigMap {
    with_servers(&[
        ("security.protocol", "SSL"),
        ("request.timeout.ms", "1234"),
        ("producer.linger.ms", "5"),
        ("producer.acks", "1"),
        ("consumer.max.poll.records", "9"),
        ("admin.security.protocol", "PLAINTEXT"),
    ])
}

#[test]
fn layers_lie_above_each_other_and_security_is_inherited_by_admin_clients_alone() {
    let connector = config(&[
        ("producer.override.acks", "all"),
        ("consumer.override.group.id", "mine"),
        ("admin.override.retry.backoff.ms", "77"),
    ]);
    let producer = task_producer(&worker(), &connector, "c", 3).unwrap();
    assert_eq!(
        (producer.linger, producer.acks),
        (Duration::from_millis(5), Acks::All)
    );
    assert_eq!(producer.common.client_id, "connector-producer-c-3");
    assert_eq!(producer.common.request_timeout, Duration::from_secs(30));

    let consumer = task_consumer(&worker(), &connector, "c", 3).unwrap();
    assert_eq!(consumer.group_id.as_deref(), Some("mine"));
    assert_eq!(consumer.max_poll_records, Some(9));
    assert_eq!(consumer.common.client_id, "connector-consumer-c-3");
    let plain = task_consumer(&worker(), &ConfigMap::new(), "c", 0).unwrap();
    assert_eq!(plain.group_id.as_deref(), Some("connect-c"));

    let admin = task_admin(&worker(), &connector, "c", 3).unwrap();
    assert_eq!(admin.common.request_timeout, Duration::from_millis(1234));
    assert_eq!(admin.common.retry_backoff, Duration::from_millis(77));
    assert_eq!(admin.common.client_id, "connector-adminclient-c-3");
    let protocol = |common: &CommonClientConfig| common.security.protocol();
    assert_eq!(protocol(&worker_admin(&worker()).unwrap().common), "SSL");
    assert_eq!(protocol(&admin.common), "PLAINTEXT");
    assert_eq!(protocol(&producer.common), "PLAINTEXT");

    let dead = dlq_producer(&worker(), &connector, "c", 3).unwrap();
    assert_eq!(dead.common.client_id, "connector-dlq-producer-c-3");
    let dead = dlq_admin(&worker(), &connector, "c", 3).unwrap();
    assert_eq!(dead.common.client_id, "connector-dlq-adminclient-c-3");
}

#[test]
fn a_problem_is_found_under_the_key_that_was_written() {
    let mut worker = worker();
    worker.insert("producer.linger.ms".to_owned(), Some("soon".to_owned()));
    let connector = config(&[("producer.override.acks", "2")]);
    let problems = task_producer(&worker, &connector, "c", 0).unwrap_err();
    let keys: Vec<&str> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["producer.override.acks", "producer.linger.ms"]);
}

#[test]
fn policies_allow_what_their_names_say() {
    let connector = config(&[
        ("producer.override.acks", "1"),
        ("consumer.override.sasl.mechanism", "PLAIN"),
        ("admin.override.retries", "1"),
        ("name", "n"),
    ]);
    let forbidden = |name: &str| -> Vec<String> {
        let policy = OverridePolicy::from_name(name, &["retries".to_owned()]).unwrap();
        let problems = policy.violations(&connector);
        problems.into_iter().map(|problem| problem.key).collect()
    };
    assert!(forbidden("All").is_empty());
    assert_eq!(forbidden("None").len(), 3);
    assert_eq!(
        forbidden("Principal"),
        ["producer.override.acks", "admin.override.retries"]
    );
    assert_eq!(
        forbidden(
            "org.apache.kafka.connect.connector.policy.AllowlistConnectorClientConfigOverridePolicy"
        ),
        ["producer.override.acks", "consumer.override.sasl.mechanism"]
    );
    assert_eq!(OverridePolicy::from_name("com.x.Own", &[]), None);
    assert_eq!(
        OverridePolicy::None.violations(&connector)[0].message,
        "The 'None' policy does not allow 'acks' to be overridden in the connector configuration."
    );
}

#[test]
fn a_remote_client_takes_its_connection_from_the_cluster_and_all_else_from_its_own_prefixes() {
    let given = config(&[
        ("source.cluster.alias", "A"),
        ("source.cluster.bootstrap.servers", "a:1"),
        ("source.cluster.fetch.min.bytes", "7"),
        ("target.cluster.bootstrap.servers", "b:1"),
        ("consumer.poll.timeout.ms", "50"),
        ("consumer.fetch.min.bytes", "2"),
        ("consumer.fetch.max.bytes", "3"),
        ("consumer.enable.auto.commit", "true"),
        ("source.consumer.fetch.min.bytes", "4"),
        ("source.consumer.client.id", "mine"),
        ("source.admin.request.timeout.ms", "1234"),
        ("target.admin.request.timeout.ms", "4321"),
    ]);
    let of = |cluster| RemoteClient {
        cluster,
        config: &given,
        label: "A->B|m",
    };
    let consumer = of(RemoteCluster::Source).consumer().unwrap();
    assert_eq!(consumer.common.bootstrap_servers, ["a:1"]);
    assert_eq!((consumer.fetch_min_bytes, consumer.fetch_max_bytes), (4, 3));
    assert_eq!(consumer.common.client_id, "mine|A->B|m");
    assert_eq!(consumer.group_id, None);
    assert_eq!(consumer.auto_offset_reset, AutoOffsetReset::Earliest);
    let admin = of(RemoteCluster::Target).admin().unwrap();
    assert_eq!(admin.common.bootstrap_servers, ["b:1"]);
    assert_eq!(admin.common.request_timeout, Duration::from_millis(4321));
    assert_eq!(admin.common.client_id, "A->B|m");
}

#[test]
fn a_problem_of_a_remote_client_names_the_whole_key() {
    let given = config(&[
        ("source.cluster.security.protocol", "SASL_PLAINTEXT"),
        ("source.consumer.isolation.level", "none"),
    ]);
    let remote = RemoteClient {
        cluster: RemoteCluster::Source,
        config: &given,
        label: "x",
    };
    let problems = remote.consumer().unwrap_err();
    for key in [
        "source.cluster.sasl.mechanism",
        "source.consumer.isolation.level",
        "source.cluster.bootstrap.servers",
    ] {
        let found = problems.iter().find(|problem| problem.key == key);
        let found = found.unwrap_or_else(|| panic!("{key}: {problems:?}"));
        assert!(found.message.starts_with(&format!("{key}: ")), "{found}");
    }
}

const SCRAM_LOGIN: &str = "org.apache.kafka.common.security.scram.ScramLoginModule required \
                           username=\"alice\" password=\"hunter2\";";

#[test]
fn security_is_read_below_the_prefix_of_each_client_and_shows_no_secret() {
    let worker = with_servers(&[
        ("producer.security.protocol", "sasl_ssl"),
        ("producer.sasl.mechanism", "SCRAM-SHA-512"),
        ("producer.sasl.jaas.config", SCRAM_LOGIN),
        ("producer.ssl.truststore.location", "/trust.p12"),
        ("producer.ssl.truststore.password", "hunter2"),
    ]);
    let none = ConfigMap::new();
    let producer = task_producer(&worker, &none, "c", 0).unwrap();
    let security = &producer.common.security;
    assert_eq!(security.protocol(), "SASL_SSL");
    assert_eq!(security.sasl.as_ref().unwrap().mechanism(), "SCRAM-SHA-512");
    assert!(security.tls.is_some());
    assert!(!format!("{producer:?}").contains("hunter2"));
    let consumer = task_consumer(&worker, &none, "c", 0).unwrap();
    assert_eq!(consumer.common.security.protocol(), "PLAINTEXT");
    let connector = config(&[
        ("consumer.override.security.protocol", "SASL_PLAINTEXT"),
        ("consumer.override.sasl.mechanism", "PLAIN"),
        ("consumer.override.sasl.jaas.config", SCRAM_LOGIN),
    ]);
    let consumer = task_consumer(&worker, &connector, "c", 0).unwrap();
    assert_eq!(consumer.common.security.protocol(), "SASL_PLAINTEXT");
}

#[test]
fn what_a_protocol_needs_and_has_not_is_named_below_the_prefix_that_chose_it() {
    let none = ConfigMap::new();
    for (pairs, key, part) in [
        (
            &[("producer.security.protocol", "SASL_SSL")][..],
            "producer.sasl.mechanism",
            "Kerberos",
        ),
        (
            &[
                ("producer.security.protocol", "SASL_PLAINTEXT"),
                ("producer.sasl.mechanism", "PLAIN"),
            ],
            "producer.sasl.jaas.config",
            "is needed",
        ),
        (
            &[
                ("producer.security.protocol", "SASL_PLAINTEXT"),
                ("producer.sasl.mechanism", "PLAIN"),
                (
                    "producer.sasl.jaas.config",
                    "com.x.Login required password=\"hunter2\";",
                ),
            ],
            "producer.sasl.jaas.config",
            "com.x.Login",
        ),
        (
            &[
                ("producer.security.protocol", "SASL_PLAINTEXT"),
                ("producer.sasl.mechanism", "DIGEST-MD5"),
            ],
            "producer.sasl.mechanism",
            "SCRAM-SHA-256",
        ),
        (
            &[
                ("producer.security.protocol", "SSL"),
                ("producer.ssl.keystore.location", "/k.jks"),
            ],
            "producer.ssl.keystore.password",
            "password is not specified",
        ),
    ] {
        let problems = task_producer(&with_servers(pairs), &none, "c", 0).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].key, key);
        assert!(problems[0].message.contains(part), "{problems:?}");
        assert!(!problems[0].message.contains("hunter2"), "{problems:?}");
    }
}
