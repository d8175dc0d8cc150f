//! Keys of Kafka's clients, each once, and what becomes of them here. Names, types and checks are
//! Kafka 4.3.1's; defaults are Ringmain's where tasks need others (contract 2.5).

use crate::api::config_def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator};

use super::ClientKind;

/// What a client does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does what Kafka's client does.
    Used,
    /// It is accepted and changes nothing; worth a warning.
    Ignored,
    /// Only these values (any case, `""` for none) are accepted, since ignoring others would change what
    /// the client does.
    Only(&'static [&'static str], &'static str),
}

/// A key and what becomes of it.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// The definition.
    pub key: ConfigKey,
    /// What the client does with it.
    pub support: Support,
}

/// The keys of one kind of client.
pub fn keys(kind: ClientKind) -> Vec<ClientKey> {
    let mut keys = common(kind);
    keys.extend(match kind {
        ClientKind::Producer => producer(),
        ClientKind::Consumer => consumer(),
        ClientKind::Admin => admin(),
    });
    keys.extend(security());
    keys
}

/// The keys of one kind of client as a definition.
pub fn def(kind: ClientKind) -> ConfigDef {
    keys(kind)
        .into_iter()
        .fold(ConfigDef::new(), |def, key| def.define(key.key))
}

/// The keys of `security.`, `ssl.` and `sasl.` alone.
pub(super) fn security_def() -> ConfigDef {
    security()
        .into_iter()
        .fold(ConfigDef::new(), |def, key| def.define(key.key))
}

fn used(key: ConfigKey, doc: &str) -> ClientKey {
    ClientKey {
        key: key.doc(doc),
        support: Support::Used,
    }
}

fn ignored(key: ConfigKey, doc: &str) -> ClientKey {
    ClientKey {
        key: key.doc(doc),
        support: Support::Ignored,
    }
}

fn only(
    key: ConfigKey,
    accepted: &'static [&'static str],
    why: &'static str,
    doc: &str,
) -> ClientKey {
    ClientKey {
        key: key.doc(doc),
        support: Support::Only(accepted, why),
    }
}

/// Milliseconds of type LONG.
fn ms(name: &str, default: i64) -> ConfigKey {
    ConfigKey::long(name)
        .default(default)
        .validator(Validator::at_least(0))
        .importance(Importance::Low)
}

/// Milliseconds of type INT.
fn ms_int(name: &str, default: i32) -> ConfigKey {
    int(name, default, 0)
}

fn int(name: &str, default: i32, min: i32) -> ConfigKey {
    ConfigKey::int(name)
        .default(default)
        .validator(Validator::at_least(min))
}

fn flag(name: &str, default: bool) -> ConfigKey {
    ConfigKey::boolean(name)
        .default(default)
        .importance(Importance::Low)
}

fn list(name: &str) -> ConfigKey {
    ConfigKey::list(name)
        .default("")
        .validator(Validator::unique_list(true, false))
        .importance(Importance::Low)
}

fn common(kind: ClientKind) -> Vec<ClientKey> {
    let max_idle = if kind == ClientKind::Admin {
        300_000
    } else {
        540_000
    };
    let mut keys = vec![
        used(
            ConfigKey::list("bootstrap.servers")
                .validator(Validator::non_empty_list())
                .importance(Importance::High),
            "`host:port` of brokers to start from, or `embedded:DIR` for the embedded log.",
        ),
        used(
            ConfigKey::string("client.id").default(""),
            "Name sent with every request.",
        ),
        used(
            ms_int("request.timeout.ms", 30_000),
            "How long to wait for the answer to a request.",
        ),
        used(
            ms("reconnect.backoff.ms", 50),
            "Wait before a broker is connected to again; doubles with each failure.",
        ),
        used(
            ms("reconnect.backoff.max.ms", 1000),
            "Longest wait before a reconnect.",
        ),
        used(
            ms("retry.backoff.ms", 100),
            "Wait before a failed request is sent again; doubles with each failure.",
        ),
        used(
            ms("retry.backoff.max.ms", 1000),
            "Longest wait before a retry.",
        ),
        used(
            ms("metadata.max.age.ms", 300_000),
            "Age at which metadata is fetched anew without a reason.",
        ),
        used(
            ConfigKey::long("connections.max.idle.ms").default(max_idle),
            "Idle time after which a connection is closed.",
        ),
        used(
            ConfigKey::long("socket.connection.setup.timeout.ms").default(10_000),
            "How long a connection may take to be made; doubles with each failure.",
        ),
        used(
            ConfigKey::long("socket.connection.setup.timeout.max.ms").default(30_000),
            "Longest time for a connection to be made.",
        ),
        used(
            int("send.buffer.bytes", -1, -1),
            "Size of the socket's send buffer; −1 leaves it to the system. Kafka's default is 131072.",
        ),
        used(
            int("receive.buffer.bytes", -1, -1),
            "Size of the socket's receive buffer; −1 leaves it to the system, Kafka's default is 32768 or 65536.",
        ),
    ];
    keys.extend(common_without_effect());
    keys
}

fn common_without_effect() -> Vec<ClientKey> {
    vec![
        ignored(
            ConfigKey::string("client.dns.lookup")
                .default("use_all_dns_ips")
                .validator(Validator::one_of([
                    "use_all_dns_ips",
                    "resolve_canonical_bootstrap_servers_only",
                ])),
            "All addresses of a name are always tried.",
        ),
        ignored(
            ConfigKey::string("metadata.recovery.strategy")
                .default("rebootstrap")
                .validator(Validator::one_of_ignore_case(["rebootstrap", "none"]))
                .importance(Importance::Low),
            "The bootstrap servers are always tried again when no broker answers.",
        ),
        ignored(
            ms("metadata.recovery.rebootstrap.trigger.ms", 300_000),
            "See `metadata.recovery.strategy`.",
        ),
        ignored(list("metric.reporters"), "Java classes; not loaded."),
        ignored(
            ms("metrics.sample.window.ms", 30_000),
            "Metrics have windows of their own.",
        ),
        ignored(
            int("metrics.num.samples", 2, 1),
            "Metrics have windows of their own.",
        ),
        ignored(
            ConfigKey::string("metrics.recording.level")
                .default("INFO")
                .validator(Validator::one_of(["INFO", "DEBUG", "TRACE"]))
                .importance(Importance::Low),
            "All metrics are always recorded.",
        ),
        ignored(
            flag("enable.metrics.push", false),
            "Metrics are not pushed to brokers.",
        ),
        ignored(
            list("config.providers"),
            "The worker's providers serve its clients too.",
        ),
    ]
}

fn producer() -> Vec<ClientKey> {
    let mut keys = vec![
        used(
            ConfigKey::string("acks")
                .default("all")
                .validator(Validator::one_of(["all", "-1", "0", "1"]))
                .importance(Importance::Low),
            "Which replicas must have a record before it counts as sent.",
        ),
        used(
            flag("enable.idempotence", true),
            "Whether the broker weeds out records that a retry sends twice. On, unless other settings \
             exclude it; Kafka's tasks have it off.",
        ),
        used(
            ConfigKey::long("linger.ms")
                .default(0)
                .validator(Validator::at_least(0)),
            "How long a batch may wait for more records. Batches fill while others are in flight, so \
             that 0 does not mean small batches; Kafka's default is 5.",
        ),
        used(
            int("batch.size", 1 << 20, 0),
            "Largest size of a batch in bytes; Kafka's default is 16384.",
        ),
        used(
            int("max.in.flight.requests.per.connection", 5, 1).importance(Importance::Low),
            "Requests on the way to one broker; Kafka's tasks have 1.",
        ),
        used(
            int("max.request.size", 1 << 20, 0),
            "Largest size of a record and of a request in bytes.",
        ),
        used(
            ms_int("delivery.timeout.ms", i32::MAX),
            "How long a record may take until it is acknowledged.",
        ),
        used(
            ConfigKey::long("buffer.memory")
                .default(8 << 20)
                .validator(Validator::at_least(0))
                .importance(Importance::High),
            "Bytes that wait to be acknowledged, at most; Kafka's default is 33554432.",
        ),
        used(
            ms("max.block.ms", i64::MAX).importance(Importance::Medium),
            "How long to wait for metadata or for room in the buffer.",
        ),
        used(
            ConfigKey::int("retries")
                .default(i32::MAX)
                .validator(Validator::between(0, i32::MAX))
                .importance(Importance::High),
            "How often a request is sent again, within `delivery.timeout.ms`.",
        ),
    ];
    keys.extend(compression());
    keys.extend(producer_restricted());
    keys
}

fn compression() -> Vec<ClientKey> {
    vec![
        used(
            ConfigKey::string("compression.type")
                .default("none")
                .validator(Validator::one_of(["none", "gzip", "snappy", "lz4", "zstd"]))
                .importance(Importance::High),
            "Codec of the batches.",
        ),
        used(
            ConfigKey::int("compression.gzip.level")
                .default(-1)
                .validator(gzip_level()),
            "Level for gzip; −1 is the codec's default.",
        ),
        used(
            ConfigKey::int("compression.lz4.level")
                .default(9)
                .validator(Validator::between(1, 17)),
            "Level for lz4.",
        ),
        used(
            ConfigKey::int("compression.zstd.level")
                .default(3)
                .validator(Validator::between(-131_072, 22)),
            "Level for zstd.",
        ),
    ]
}

fn gzip_level() -> Validator {
    Validator::custom("[1,...,9] or -1", |value| match value {
        Some(crate::api::config_def::ConfigData::Int(-1 | 1..=9)) => Ok(()),
        _ => Err("Value must be between 1 and 9 or equal to -1".to_owned()),
    })
}

const BYTE_ARRAY_SERIALIZER: &[&str] = &[
    "org.apache.kafka.common.serialization.ByteArraySerializer",
    "ByteArraySerializer",
];
const BYTE_ARRAY_DESERIALIZER: &[&str] = &[
    "org.apache.kafka.common.serialization.ByteArrayDeserializer",
    "ByteArrayDeserializer",
];
const CONVERTERS_DECIDE: &str = "the bytes of keys and values are the converters' matter";
const NO_INTERCEPTORS: &str = "interceptors are Java classes, which cannot run here";

fn producer_restricted() -> Vec<ClientKey> {
    let serializer = |name| {
        let key = ConfigKey::class(name).default(BYTE_ARRAY_SERIALIZER[0]);
        only(
            key,
            BYTE_ARRAY_SERIALIZER,
            CONVERTERS_DECIDE,
            "Always the byte array serializer.",
        )
    };
    vec![
        serializer("key.serializer"),
        serializer("value.serializer"),
        only(list("interceptor.classes"), &[""], NO_INTERCEPTORS, "None."),
        only(
            ConfigKey::class("partitioner.class").default_null(),
            &[
                "",
                "org.apache.kafka.clients.producer.internals.DefaultPartitioner",
            ],
            "Kafka's default partitioner (murmur2 of the key, sticky without key) is the only one",
            "Kafka's default.",
        ),
        only(
            flag("partitioner.ignore.keys", false),
            &["false"],
            "records with keys always go to their key's partition",
            "No.",
        ),
        only(
            ConfigKey::string("transactional.id")
                .default_null()
                .validator(Validator::non_empty_string())
                .importance(Importance::Low),
            &[],
            "tasks do not send in transactions yet",
            "None.",
        ),
        only(
            flag("transaction.two.phase.commit.enable", false),
            &["false"],
            "tasks do not send in transactions yet",
            "No.",
        ),
        ignored(
            ms_int("transaction.timeout.ms", 60_000),
            "No transactions yet.",
        ),
        ignored(
            flag("partitioner.adaptive.partitioning.enable", true),
            "Partitions without keys take turns by batch.",
        ),
        ignored(
            ms("partitioner.availability.timeout.ms", 0),
            "Partitions without keys take turns by batch.",
        ),
        ignored(
            ms("metadata.max.idle.ms", 300_000),
            "Topics in use are kept.",
        ),
    ]
}

fn consumer() -> Vec<ClientKey> {
    let text = |name| ConfigKey::string(name).default_null();
    let mut keys = vec![
        used(
            text("group.id").importance(Importance::High),
            "Consumer group; `connect-NAME` for the connector NAME.",
        ),
        used(
            text("group.instance.id").validator(Validator::non_empty_string()),
            "Makes the member static: it may return within the session without a rebalance.",
        ),
        used(
            ConfigKey::string("client.rack").default(""),
            "Rack, to read from replicas nearby.",
        ),
        used(
            ConfigKey::string("auto.offset.reset")
                .default("earliest")
                .validator(auto_offset_reset()),
            "Where to begin without a committed offset: earliest, latest or none.",
        ),
        used(
            ConfigKey::string("isolation.level")
                .default("read_uncommitted")
                .validator(Validator::one_of(["read_committed", "read_uncommitted"])),
            "Whether records of open and aborted transactions are seen.",
        ),
    ];
    keys.extend(fetching());
    keys.extend(membership());
    keys.extend(consumer_restricted());
    keys
}

fn fetching() -> Vec<ClientKey> {
    vec![
        used(
            int("fetch.min.bytes", 1, 0).importance(Importance::High),
            "Bytes that a broker waits for before it answers a fetch.",
        ),
        used(
            int("fetch.max.bytes", 8 << 20, 0),
            "Bytes of one answer, at most. Unless it is set, answers have 1 MiB and grow while they come slowly; Kafka's default is 52428800.",
        ),
        used(
            ms_int("fetch.max.wait.ms", 500).importance(Importance::Low),
            "How long a broker waits for `fetch.min.bytes`.",
        ),
        used(
            int("max.partition.fetch.bytes", 1 << 20, 0).importance(Importance::High),
            "Bytes of one partition in an answer.",
        ),
        used(
            ConfigKey::int("max.poll.records")
                .default_null()
                .validator(at_least_one_or_null()),
            "Records handed to a task at once; by default all that a fetch brought, where Kafka has 500.",
        ),
    ]
}

fn membership() -> Vec<ClientKey> {
    vec![
        used(
            int("max.poll.interval.ms", 300_000, 1),
            "How long a task may work on records before it loses its partitions.",
        ),
        used(
            ConfigKey::int("session.timeout.ms")
                .default(45_000)
                .importance(Importance::High),
            "Silence after which a member is thrown out of its group.",
        ),
        used(
            ConfigKey::int("heartbeat.interval.ms")
                .default(3000)
                .importance(Importance::High),
            "Time between heartbeats; lower than `session.timeout.ms`.",
        ),
        used(
            ConfigKey::list("partition.assignment.strategy")
                .default(
                    "org.apache.kafka.clients.consumer.RangeAssignor,\
                     org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
                )
                .validator(Validator::non_empty_list()),
            "Assignors in order of preference: RangeAssignor, RoundRobinAssignor, \
             CooperativeStickyAssignor.",
        ),
        used(
            flag("check.crcs", true),
            "Whether checksums of batches are checked.",
        ),
        used(
            flag("allow.auto.create.topics", true).importance(Importance::Medium),
            "Whether brokers may create a topic that is subscribed to.",
        ),
        used(
            ms_int("default.api.timeout.ms", 60_000),
            "Bound on calls that retry by themselves.",
        ),
    ]
}

fn auto_offset_reset() -> Validator {
    Validator::custom("[latest, earliest, none]", |value| {
        match value.and_then(|value| value.as_str()) {
            Some("latest" | "earliest" | "none") => Ok(()),
            _ => Err("Value must be one of latest, earliest, none".to_owned()),
        }
    })
}

fn at_least_one_or_null() -> Validator {
    Validator::custom("[1,...]", |value| match value {
        Some(crate::api::config_def::ConfigData::Int(..1)) => {
            Err("Value must be at least 1".to_owned())
        }
        _ => Ok(()),
    })
}

fn consumer_restricted() -> Vec<ClientKey> {
    let deserializer = |name| {
        let key = ConfigKey::class(name).default(BYTE_ARRAY_DESERIALIZER[0]);
        only(
            key,
            BYTE_ARRAY_DESERIALIZER,
            CONVERTERS_DECIDE,
            "Always the byte array deserializer.",
        )
    };
    vec![
        deserializer("key.deserializer"),
        deserializer("value.deserializer"),
        only(list("interceptor.classes"), &[""], NO_INTERCEPTORS, "None."),
        only(
            flag("enable.auto.commit", false),
            &["false"],
            "a sink task's offsets are committed when its connector says so",
            "No.",
        ),
        only(
            ConfigKey::string("group.protocol")
                .default("classic")
                .validator(Validator::one_of_ignore_case(["classic", "consumer"])),
            &["classic"],
            "only the classic group protocol is spoken",
            "Classic.",
        ),
        only(
            flag("exclude.internal.topics", true),
            &["true"],
            "a topic pattern never takes in Kafka's internal topics",
            "Yes.",
        ),
        ignored(
            ms_int("auto.commit.interval.ms", 5000),
            "There is no auto commit.",
        ),
        ignored(
            ConfigKey::string("group.remote.assignor").default_null(),
            "Belongs to the consumer group protocol.",
        ),
    ]
}

fn admin() -> Vec<ClientKey> {
    vec![
        used(
            ms_int("default.api.timeout.ms", 60_000),
            "Bound on calls that retry by themselves.",
        ),
        ignored(
            ConfigKey::int("retries")
                .default(i32::MAX)
                .validator(Validator::between(0, i32::MAX))
                .importance(Importance::Low),
            "Calls are retried within `default.api.timeout.ms`.",
        ),
        ignored(
            list("bootstrap.controllers"),
            "Controllers are not talked to.",
        ),
    ]
}

fn security() -> Vec<ClientKey> {
    let mut keys = vec![
        used(
            ConfigKey::string("security.protocol")
                .default("PLAINTEXT")
                .validator(Validator::one_of_ignore_case([
                    "SASL_SSL",
                    "PLAINTEXT",
                    "SSL",
                    "SASL_PLAINTEXT",
                ])),
            "How to talk to brokers: in plain text or over TLS (`SSL`), without or with `SASL_`.",
        ),
        ignored(
            ConfigKey::string("security.providers").default_null(),
            "Java classes.",
        ),
    ];
    for key in ssl_keys().into_iter().chain(sasl_keys()) {
        let (support, doc) = security_support(&key.name);
        keys.push(ClientKey {
            key: key.doc(doc),
            support,
        });
    }
    keys
}

/// What becomes of a key of `ssl.` or `sasl.`, and what it is for.
fn security_support(name: &str) -> (Support, &'static str) {
    const NO_CLASSES: &str = "Java classes can't run here";
    match name {
        "ssl.engine.factory.class" => (
            Support::Only(
                &[
                    "",
                    "org.apache.kafka.common.security.ssl.DefaultSslEngineFactory",
                    "org.apache.kafka.common.security.ssl.CommonNameLoggingSslEngineFactory",
                ],
                NO_CLASSES,
            ),
            "Kafka's own.",
        ),
        "sasl.login.class" | "sasl.client.callback.handler.class" => {
            (Support::Only(&[""], NO_CLASSES), "Kafka's own.")
        }
        _ => match SECURITY_DOCS.iter().find(|(known, _)| *known == name) {
            Some((_, doc)) => (Support::Used, doc),
            None => (Support::Ignored, "Without effect."),
        },
    }
}

/// Keys of `ssl.` and `sasl.` that do something, and what.
const SECURITY_DOCS: &[(&str, &str)] = &[
    (
        "ssl.protocol",
        "The highest version of TLS, if `ssl.enabled.protocols` is empty.",
    ),
    (
        "ssl.enabled.protocols",
        "Versions of TLS that are spoken: `TLSv1.2`, `TLSv1.3`. Older ones are left out with a warning.",
    ),
    (
        "ssl.cipher.suites",
        "Cipher suites that are spoken, by IANA's names: AES-GCM and ChaCha20-Poly1305, with ECDHE for \
         TLSv1.2. Empty: all of these. Others are left out with a warning.",
    ),
    (
        "ssl.keystore.type",
        "`JKS`, `PKCS12` or `PEM`. As in Java, the first two read each other's files.",
    ),
    (
        "ssl.keystore.location",
        "File with the own private key and its certificate chain.",
    ),
    (
        "ssl.keystore.password",
        "Password of the key store; none for PEM.",
    ),
    (
        "ssl.key.password",
        "Password of the private key, if another than the store's, or if it is PEM and encrypted \
         (PKCS#8).",
    ),
    (
        "ssl.keystore.key",
        "The private key in PEM, in place of a file; with `ssl.keystore.type=PEM`.",
    ),
    (
        "ssl.keystore.certificate.chain",
        "The certificate chain in PEM, with `ssl.keystore.key`.",
    ),
    (
        "ssl.truststore.certificates",
        "Trusted certificates in PEM, in place of a file; with `ssl.truststore.type=PEM`.",
    ),
    (
        "ssl.truststore.type",
        "`JKS`, `PKCS12` or `PEM`. As in Java, the first two read each other's files.",
    ),
    (
        "ssl.truststore.location",
        "File with the trusted certificates. Without one, Mozilla's public roots are trusted.",
    ),
    (
        "ssl.truststore.password",
        "Password of the trust store. A JKS store is read without one, unchecked; a PKCS12 store has its \
         certificates encrypted.",
    ),
    (
        "ssl.endpoint.identification.algorithm",
        "`https`: a broker's certificate must be made out to its host name (subjectAltName). Empty: it \
         need not.",
    ),
    (
        "sasl.mechanism",
        "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`. Kafka's default, Kerberos, is not there.",
    ),
    (
        "sasl.jaas.config",
        "Login module with `username` and `password`: \
         `org.apache.kafka.common.security.scram.ScramLoginModule required username=\"…\" password=\"…\";`, \
         or `…plain.PlainLoginModule`; for tokens `…oauthbearer.OAuthBearerLoginModule required clientId=\"…\" \
         clientSecret=\"…\" scope=\"…\";`, also with `extension_NAME` and `ssl.truststore.*`.",
    ),
    (
        "sasl.login.callback.handler.class",
        "With OAUTHBEARER: `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler` for \
         tokens of an identity provider or a file; none for Kafka's unsecured tokens, for tests.",
    ),
    (
        "sasl.oauthbearer.token.endpoint.url",
        "Where tokens come from: http(s), asked with client credentials, or `file:`. It must be allowed in \
         `KAFKA_OPTS=-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=…` (`….files=…`), as for Kafka's clients.",
    ),
    (
        "sasl.oauthbearer.jwt.retriever.class",
        "`DefaultJwtRetriever`, `ClientCredentialsJwtRetriever` or `FileJwtRetriever` of Kafka.",
    ),
    (
        "sasl.oauthbearer.client.credentials.client.id",
        "In place of `clientId` in `sasl.jaas.config`.",
    ),
    (
        "sasl.oauthbearer.client.credentials.client.secret",
        "In place of `clientSecret` in `sasl.jaas.config`.",
    ),
    (
        "sasl.oauthbearer.scope",
        "In place of `scope` in `sasl.jaas.config`.",
    ),
    (
        "sasl.oauthbearer.header.urlencode",
        "Whether client id, secret and scope are encoded as in forms.",
    ),
    (
        "sasl.login.connect.timeout.ms",
        "How long connecting to the token endpoint may take; 10 s if not set.",
    ),
    (
        "sasl.login.read.timeout.ms",
        "How long its answer may take; 30 s if not set.",
    ),
    (
        "sasl.login.refresh.window.factor",
        "Share of its life after which a token is replaced.",
    ),
    (
        "sasl.login.refresh.window.jitter",
        "At most so much more of it, by chance.",
    ),
    (
        "sasl.login.refresh.min.period.seconds",
        "A token is used at least so long, unless its life is short.",
    ),
    (
        "sasl.login.refresh.buffer.seconds",
        "A token is replaced so long before its end, unless its life is short.",
    ),
];

/// Names, types and defaults (`None`: null) of Kafka's `ssl.` keys.
pub(crate) fn ssl_keys() -> Vec<ConfigKey> {
    use ConfigType::{Class, List, Password, String};
    let table = [
        ("protocol", String, Some("TLSv1.3")),
        ("provider", String, None),
        ("cipher.suites", List, Some("")),
        ("enabled.protocols", List, Some("TLSv1.2,TLSv1.3")),
        ("keystore.type", String, Some("JKS")),
        ("keystore.location", String, None),
        ("keystore.password", Password, None),
        ("key.password", Password, None),
        ("keystore.key", Password, None),
        ("keystore.certificate.chain", Password, None),
        ("truststore.certificates", Password, None),
        ("truststore.type", String, Some("JKS")),
        ("truststore.location", String, None),
        ("truststore.password", Password, None),
        ("keymanager.algorithm", String, Some("SunX509")),
        ("trustmanager.algorithm", String, Some("PKIX")),
        ("endpoint.identification.algorithm", String, Some("https")),
        ("secure.random.implementation", String, None),
        ("engine.factory.class", Class, None),
    ];
    from_table("ssl.", &table)
}

/// Names, types and defaults (`None`: null) of Kafka's `sasl.` keys.
fn sasl_keys() -> Vec<ConfigKey> {
    use ConfigType::{Class, Double, Int, Long, Password, Short, String};
    let table = [
        ("mechanism", String, Some("GSSAPI")),
        ("jaas.config", Password, None),
        ("client.callback.handler.class", Class, None),
        ("login.callback.handler.class", Class, None),
        ("login.class", Class, None),
        ("kerberos.service.name", String, None),
        ("kerberos.kinit.cmd", String, Some("/usr/bin/kinit")),
        ("kerberos.ticket.renew.window.factor", Double, Some("0.8")),
        ("kerberos.ticket.renew.jitter", Double, Some("0.05")),
        ("kerberos.min.time.before.relogin", Long, Some("60000")),
        ("login.refresh.window.factor", Double, Some("0.8")),
        ("login.refresh.window.jitter", Double, Some("0.05")),
        ("login.refresh.min.period.seconds", Short, Some("60")),
        ("login.refresh.buffer.seconds", Short, Some("300")),
        ("login.connect.timeout.ms", Int, None),
        ("login.read.timeout.ms", Int, None),
        ("login.retry.backoff.max.ms", Long, Some("10000")),
        ("login.retry.backoff.ms", Long, Some("100")),
    ];
    let mut keys = from_table("sasl.", &table);
    keys.extend(oauth_keys());
    keys
}

fn oauth_keys() -> Vec<ConfigKey> {
    use ConfigType::{Boolean, Class, Int, List, Long, Password, String};
    let table = [
        ("scope", String, None),
        ("client.credentials.client.id", String, None),
        ("client.credentials.client.secret", Password, None),
        ("assertion.algorithm", String, Some("RS256")),
        ("assertion.claim.aud", String, None),
        ("assertion.claim.exp.seconds", Int, Some("300")),
        ("assertion.claim.iss", String, None),
        ("assertion.claim.jti.include", Boolean, Some("false")),
        ("assertion.claim.nbf.seconds", Int, Some("60")),
        ("assertion.claim.sub", String, None),
        ("assertion.file", String, None),
        ("assertion.private.key.file", String, None),
        ("assertion.private.key.passphrase", Password, None),
        ("assertion.template.file", String, None),
        ("scope.claim.name", String, Some("scope")),
        ("sub.claim.name", String, Some("sub")),
        ("token.endpoint.url", String, None),
        ("jwks.endpoint.url", String, None),
        ("jwks.endpoint.refresh.ms", Long, Some("3600000")),
        ("jwks.endpoint.retry.backoff.max.ms", Long, Some("10000")),
        ("jwks.endpoint.retry.backoff.ms", Long, Some("100")),
        ("clock.skew.seconds", Int, Some("30")),
        ("expected.audience", List, Some("")),
        ("expected.issuer", String, None),
        ("header.urlencode", Boolean, Some("false")),
        (
            "jwt.retriever.class",
            Class,
            Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
        ),
        (
            "jwt.validator.class",
            Class,
            Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
        ),
    ];
    from_table("sasl.oauthbearer.", &table)
}

fn from_table(prefix: &str, table: &[(&str, ConfigType, Option<&str>)]) -> Vec<ConfigKey> {
    table
        .iter()
        .map(|(name, kind, default)| {
            let name = format!("{prefix}{name}");
            let importance = security_importance(&name);
            let key = ConfigKey::new(name, *kind).importance(importance);
            match default {
                Some(text) => key.default(text),
                None => key.default_null(),
            }
        })
        .collect()
}

/// Kafka's, which go by what a key is for.
fn security_importance(key: &str) -> Importance {
    const HIGH: [&str; 4] = [
        "ssl.keystore.",
        "ssl.key.",
        "ssl.truststore.",
        "sasl.oauthbearer.expected.",
    ];
    const LOW: [&str; 13] = [
        "ssl.cipher.suites",
        "ssl.keymanager.",
        "ssl.trustmanager.",
        "ssl.endpoint.",
        "ssl.secure.",
        "ssl.engine.",
        "sasl.kerberos.",
        "sasl.login.connect.",
        "sasl.login.re",
        "sasl.oauthbearer.jwks.endpoint.re",
        "sasl.oauthbearer.clock.",
        "sasl.oauthbearer.assertion.claim.exp.",
        "sasl.oauthbearer.assertion.claim.nbf.",
    ];
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    let is_name = key.ends_with(".claim.name") || key == "sasl.oauthbearer.header.urlencode";
    if key.ends_with("store.type") || key == "sasl.kerberos.service.name" {
        Importance::Medium
    } else if begins(&HIGH) {
        Importance::High
    } else if begins(&LOW) || is_name {
        Importance::Low
    } else {
        Importance::Medium
    }
}
