use super::*;

fn config(text: &str) -> ConfigMap {
    properties::parse_text(text).unwrap()
}

/// The keys of Kafka's stock `connect-distributed.properties`.
const STOCK: &str = "bootstrap.servers=localhost:9092
group.id=connect-cluster
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.storage.topic=connect-offsets
offset.storage.replication.factor=1
config.storage.topic=connect-configs
config.storage.replication.factor=1
status.storage.topic=connect-status
status.storage.replication.factor=1
offset.flush.interval.ms=10000
";

fn stock(more: &str) -> ConfigMap {
    config(&format!("{STOCK}{more}"))
}

fn worker(more: &str) -> WorkerConfig {
    WorkerConfig::parse_distributed(&stock(more)).unwrap()
}

fn distributed(more: &str) -> DistributedConfig {
    worker(more).distributed().unwrap().clone()
}

fn messages(more: &str) -> Vec<String> {
    let problems = WorkerConfig::parse_distributed(&stock(more)).unwrap_err();
    let texts = problems.into_iter().map(|problem| problem.message);
    texts.collect()
}

#[test]
fn the_stock_file_becomes_a_distributed_worker() {
    let worker = worker("");
    assert_eq!(worker.offset_file(), None);
    let all = Listener::parse("http://:8083").unwrap();
    assert_eq!(worker.rest.listeners, Some(vec![all]));
    assert_eq!(worker.rest.admin_listeners, None);
    let own = worker.distributed().unwrap();
    assert_eq!(own.group_id, "connect-cluster");
    assert_eq!(own.group_instance_id, None);
    let topics = [&own.config_topic, &own.offset_topic, &own.status_topic];
    assert_eq!(
        topics,
        ["connect-configs", "connect-offsets", "connect-status"]
    );
    assert_eq!(own.session_timeout, Duration::from_secs(10));
    assert_eq!(own.rebalance_timeout, Duration::from_secs(60));
    assert_eq!(own.heartbeat_interval, Duration::from_secs(3));
    assert_eq!(own.exactly_once, ExactlyOnceSourceSupport::Disabled);
    assert_eq!(own.connect_protocol, ProtocolSetting::Sessioned);
    assert_eq!(own.scheduled_rebalance_max_delay, Duration::from_secs(300));
    assert_eq!(own.lost_tasks, LostTasksSetting::AtOnce);
    assert_eq!(own.worker_sync_timeout, Duration::from_secs(3));
    assert_eq!(own.worker_unsync_backoff, Duration::from_secs(300));
    assert_eq!(own.metadata_max_age, Duration::from_secs(300));
    assert_eq!(own.client_id, "");
    let keys = InterWorkerKeys {
        ttl: Some(Duration::from_secs(3600)),
        generation_algorithm: "HmacSHA256".to_owned(),
        size_bits: None,
        signature_algorithm: "HmacSHA256".to_owned(),
        verification_algorithms: vec!["HmacSHA256".to_owned()],
    };
    assert_eq!(own.inter_worker, keys);
    assert_eq!(own.parsed.int("status.storage.partitions").unwrap(), 5);
}

#[test]
fn every_key_of_a_distributed_worker_is_read() {
    let own = distributed(
        "session.timeout.ms=2000
         heartbeat.interval.ms=500
         rebalance.timeout.ms=4000
         exactly.once.source.support=Disabled
         connect.protocol=COMPATIBLE
         scheduled.rebalance.max.delay.ms=0
         scheduled.rebalance.lost.tasks=after_delay
         group.instance.id=worker-1
         worker.sync.timeout.ms=7
         worker.unsync.backoff.ms=8
         inter.worker.key.ttl.ms=0
         inter.worker.key.size=512
         inter.worker.key.generation.algorithm=HmacSHA512
         inter.worker.signature.algorithm=HmacSHA1
         inter.worker.verification.algorithms=HmacSHA384, HmacSHA1
         client.id=mine
         metadata.max.age.ms=9",
    );
    assert_eq!(own.session_timeout, Duration::from_secs(2));
    assert_eq!(own.heartbeat_interval, Duration::from_millis(500));
    assert_eq!(own.rebalance_timeout, Duration::from_secs(4));
    assert_eq!(own.exactly_once, ExactlyOnceSourceSupport::Disabled);
    assert_eq!(own.connect_protocol, ProtocolSetting::Compatible);
    assert_eq!(own.scheduled_rebalance_max_delay, Duration::ZERO);
    assert_eq!(own.lost_tasks, LostTasksSetting::AfterDelay);
    assert_eq!(own.group_instance_id.as_deref(), Some("worker-1"));
    assert_eq!(own.worker_sync_timeout, Duration::from_millis(7));
    assert_eq!(own.worker_unsync_backoff, Duration::from_millis(8));
    let keys = InterWorkerKeys {
        ttl: None,
        generation_algorithm: "HmacSHA512".to_owned(),
        size_bits: Some(512),
        signature_algorithm: "HmacSHA1".to_owned(),
        verification_algorithms: vec!["HmacSHA384".to_owned(), "HmacSHA1".to_owned()],
    };
    assert_eq!(own.inter_worker, keys);
    assert_eq!(own.client_id, "mine");
    assert_eq!(own.metadata_max_age, Duration::from_millis(9));
}

#[test]
fn what_does_not_fit_together_is_refused_with_its_key() {
    for (more, expected) in [
        (
            "bootstrap.servers=embedded:/tmp/log",
            "bootstrap.servers: a distributed worker needs Kafka brokers",
        ),
        (
            "exactly.once.source.support=PREPARING",
            "Invalid value PREPARING for configuration exactly.once.source.support: exactly-once support",
        ),
        (
            "exactly.once.source.support=yes",
            "Invalid value yes for configuration exactly.once.source.support: String must be one of",
        ),
        (
            "inter.worker.verification.algorithms=",
            "Invalid value [] for configuration inter.worker.verification.algorithms: At least one signature verification algorithm must be provided",
        ),
        (
            "inter.worker.verification.algorithms=HmacSHA512",
            "Invalid value HmacSHA256 for configuration inter.worker.signature.algorithm: Signature algorithm must be present in inter.worker.verification.algorithms list",
        ),
        (
            "inter.worker.signature.algorithm=MD2",
            "Invalid value MD2 for configuration inter.worker.signature.algorithm: the algorithm is not supported; the supported algorithms are: HmacSHA1, ",
        ),
        (
            "inter.worker.verification.algorithms=HmacSHA256,HmacMD5",
            "Invalid value HmacMD5 for configuration inter.worker.verification.algorithms: the algorithm is not supported",
        ),
        (
            "inter.worker.key.size=39",
            "Unable to create key generator with algorithm HmacSHA256 and key size 39:",
        ),
        (
            "session.timeout.ms=3000",
            "Invalid value 3000 for configuration heartbeat.interval.ms: Heartbeat must be set lower than the session timeout",
        ),
        (
            "rebalance.timeout.ms=0",
            "Invalid value 0 for configuration rebalance.timeout.ms: Value must be at least 1",
        ),
        (
            "scheduled.rebalance.max.delay.ms=-1",
            "Invalid value -1 for configuration scheduled.rebalance.max.delay.ms: Value must be at least 0",
        ),
        (
            "scheduled.rebalance.lost.tasks=later",
            "Invalid value later for configuration scheduled.rebalance.lost.tasks: String must be one of: at_once, after_delay",
        ),
        (
            "status.storage.topic=sta tus",
            "Invalid value sta tus for configuration status.storage.topic: it has ' '",
        ),
        (
            "group.instance.id=..",
            "Invalid value .. for configuration group.instance.id: a name has 1 to 249 characters",
        ),
        (
            "config.storage.replication.factor=0",
            "Invalid value 0 for configuration config.storage.replication.factor: Value must be positive",
        ),
    ] {
        let found = messages(more);
        assert_eq!(found.len(), 1, "{more}: {found:#?}");
        assert!(found[0].starts_with(expected), "{more}: {found:#?}");
    }
}

#[test]
fn required_keys_and_wrong_ones_come_together() {
    let problems = WorkerConfig::parse_distributed(&config(
        "bootstrap.servers=embedded:/x
         key.converter=x
         value.converter=x
         exactly.once.source.support=enabled
         inter.worker.verification.algorithms=HmacSHA1
         session.timeout.ms=soon",
    ))
    .unwrap_err();
    let mut keys: Vec<_> = problems.iter().map(|problem| &*problem.key).collect();
    keys.sort_unstable();
    let expected = [
        "bootstrap.servers",
        "config.storage.topic",
        "exactly.once.source.support",
        "group.id",
        "inter.worker.signature.algorithm",
        "offset.storage.topic",
        "session.timeout.ms",
        "status.storage.topic",
    ];
    assert_eq!(keys, expected, "{problems:#?}");
}

#[test]
fn warnings_tell_what_only_a_cluster_would_notice() {
    let given = stock(
        "offset.storage.file.filename=/tmp/connect.offsets
         status.storage.topic=connect-configs
         listeners=http://0.0.0.0:8083",
    );
    let expected = [
        "'offset.storage.file.filename' belongs to a standalone worker; a distributed one hands it to \
         brokers as a setting of the offset topic, which they refuse, leave it out",
        "'status.storage.topic' names the topic of 'config.storage.topic'; each should have its own",
        "'listeners' has the address of all interfaces, under which the other workers would look for this \
         one, leave the host out, or set rest.advertised.host.name",
    ];
    assert_eq!(distributed::warnings(&given), expected);
    assert!(distributed::warnings(&stock("")).is_empty());
    assert!(warnings(&stock("")).is_empty());
}

#[test]
fn a_file_says_by_its_keys_which_mode_it_is_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.properties");
    let mode = |text: &str| {
        std::fs::write(&path, text).unwrap();
        load_either(&path).map(|file| file.config.distributed().is_some())
    };
    assert!(mode(STOCK).unwrap());
    let both = format!("{STOCK}offset.storage.file.filename=/x\n");
    assert!(!mode(&both).unwrap());
    std::fs::write(&path, STOCK).unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("offset.storage.file.filename"), "{error}");
}

#[test]
fn debug_shows_no_secrets_of_a_distributed_worker() {
    let worker =
        worker("ssl.key.password=hunter2\nconsumer.x.token=hunter2\nstatus.storage.y=hunter2");
    assert!(!format!("{worker:?}").contains("hunter2"));
}
