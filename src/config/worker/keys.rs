//! Keys of a worker's file, each once (contract 2.1 to 2.3, and ours).

use super::distributed;
use crate::api::config_def::{ConfigDef, ConfigKey, ConfigType, Importance, Validator};
use crate::config::clients::ssl_keys;

/// Keys of a standalone worker.
pub fn standalone_def() -> ConfigDef {
    let file = high(ConfigKey::string("offset.storage.file.filename"));
    [common(), rest(), ours()]
        .into_iter()
        .fold(ConfigDef::new(), |def, part| def.extend(&part))
        .define(file.doc("File that keeps the offsets of source connectors."))
}

/// Keys of a distributed worker; a standalone one knows them but does not use them.
pub fn distributed_def() -> ConfigDef {
    [
        common(),
        rest(),
        ours(),
        group(),
        storage(),
        internal_clients(),
    ]
    .into_iter()
    .fold(ConfigDef::new(), |def, part| def.extend(&part))
}

fn of(keys: impl IntoIterator<Item = ConfigKey>) -> ConfigDef {
    keys.into_iter().fold(ConfigDef::new(), ConfigDef::define)
}

fn high(key: ConfigKey) -> ConfigKey {
    key.importance(Importance::High)
}

fn low(key: ConfigKey) -> ConfigKey {
    key.importance(Importance::Low)
}

fn text(name: &str) -> ConfigKey {
    low(ConfigKey::string(name))
}

fn flag(name: &str) -> ConfigKey {
    low(ConfigKey::boolean(name).default(true))
}

fn long(name: &str, default: i64) -> ConfigKey {
    low(ConfigKey::long(name).default(default))
}

fn long_from(name: &str, default: i64, min: i32) -> ConfigKey {
    long(name, default).validator(Validator::at_least(min))
}

fn int(name: &str, default: i32) -> ConfigKey {
    low(ConfigKey::int(name).default(default))
}

fn list(name: &str) -> ConfigKey {
    low(ConfigKey::list(name).default("")).validator(Validator::unique_list(true, false))
}

fn common() -> ConfigDef {
    of([
        high(ConfigKey::list("bootstrap.servers"))
            .validator(Validator::non_empty_list())
            .doc("`host:port` of Kafka brokers, or `embedded:DIR` for the embedded log in DIR."),
        ConfigKey::string("client.dns.lookup")
            .default("use_all_dns_ips")
            .validator(Validator::one_of([
                "use_all_dns_ips",
                "resolve_canonical_bootstrap_servers_only",
            ]))
            .doc("All addresses of a name are always tried."),
        high(ConfigKey::class("key.converter"))
            .doc("Converter of record keys; its own settings follow under `key.converter.`."),
        text("key.converter.plugin.version").default_null().doc("Without effect: there is one version."),
        high(ConfigKey::class("value.converter"))
            .doc("Converter of record values; its own settings follow under `value.converter.`."),
        text("value.converter.plugin.version").default_null().doc("Without effect: there is one version."),
        low(ConfigKey::class("header.converter"))
            .default("org.apache.kafka.connect.storage.SimpleHeaderConverter")
            .doc("Converter of header values; its own settings follow under `header.converter.`."),
        text("header.converter.plugin.version").default_null().doc("Without effect: there is one version."),
        long_from("task.shutdown.graceful.timeout.ms", 5000, 0)
            .doc("How long all tasks together may take to stop."),
        long_from("offset.flush.interval.ms", 60_000, 1).doc("Time between commits of offsets."),
        long_from("offset.flush.timeout.ms", 5000, 0)
            .doc("How long a commit waits for records in flight."),
        low(ConfigKey::list("plugin.path"))
            .default_null()
            .validator(Validator::unique_list(false, true))
            .doc("Directories of Java plugins. Without effect: connectors are built in."),
        text("plugin.discovery")
            .default("hybrid_warn")
            .validator(Validator::one_of_ignore_case([
                "only_scan",
                "service_load",
                "hybrid_warn",
                "hybrid_fail",
            ]))
            .doc("How Java plugins are found. Without effect: connectors are built in."),
        list("config.providers")
            .doc("Names of providers for `${name:path:key}` in values; `config.providers.NAME.class` and `.param.*` say more."),
        ConfigKey::string("connector.client.config.override.policy")
            .default("All")
            .doc("Which `*.override.*` keys connectors may set: All, None, Principal or Allowlist."),
        list("connector.client.config.override.allowlist")
            .doc("Client keys that connectors may override under the policy Allowlist."),
        flag("topic.creation.enable")
            .doc("Whether source connectors may create topics by their `topic.creation.` keys."),
        flag("topic.tracking.enable").doc("Whether the topics that a connector used are tracked."),
        flag("topic.tracking.allow.reset").doc("Whether the tracked topics may be reset over REST."),
    ])
    .extend(&metrics())
}

fn metrics() -> ConfigDef {
    of([
        long_from("metrics.sample.window.ms", 30_000, 0)
            .doc("How long a sample of a rate, a mean or a maximum in the metrics takes values."),
        int("metrics.num.samples", 2)
            .validator(Validator::at_least(1))
            .doc("Samples that rates, means and maxima look back over; at most 240 are kept."),
        text("metrics.recording.level")
            .default("INFO")
            .validator(Validator::one_of(["INFO", "DEBUG"]))
            .doc("Without effect: all metrics are always recorded."),
        list("metric.reporters")
            .default("org.apache.kafka.common.metrics.JmxReporter")
            .doc("Java classes. Without effect: metrics are at `/metrics`."),
    ])
}

fn rest() -> ConfigDef {
    let ssl = ssl_keys().into_iter().map(|key| {
        let doc = "TLS of HTTPS listeners and of the worker's own connections.";
        key.doc(doc)
    });
    of([
        low(ConfigKey::list("listeners"))
            .default("http://:8083")
            .validator(listeners())
            .doc("Where the REST API listens: `http://host:port`. Without this key a standalone worker listens on the loopback address alone, where Kafka takes all addresses, as a distributed one does."),
        text("rest.advertised.host.name").default_null().doc("Host that others reach this worker by."),
        low(ConfigKey::int("rest.advertised.port"))
            .default_null()
            .doc("Port that others reach this worker by."),
        text("rest.advertised.listener").default_null().doc("`http` or `https`: the listener to advertise."),
        text("access.control.allow.origin")
            .default("")
            .doc("Origins that browsers may call from (CORS): `*`, or regular expressions between commas."),
        text("access.control.allow.methods")
            .default("")
            .doc("Methods that browsers may use (CORS); GET, POST and HEAD when empty."),
        text("response.http.headers.config").default("").doc("Rules for extra response headers: `[set|add|setDate|addDate] name: value` between commas, those that hold a comma in double quotes."),
        low(ConfigKey::list("admin.listeners"))
            .default_null()
            .validator(Validator::unique_list(true, true))
            .doc("Where the admin API (`/admin/…`) listens; not set: with the REST API; empty: nowhere."),
        list("rest.extension.classes")
            .doc("`org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension`, which is built in; another class is refused, since it may guard the API."),
        text("ssl.client.auth")
            .default("none")
            .validator(Validator::one_of(["required", "requested", "none"]))
            .doc("Whether HTTPS listeners ask for a client certificate."),
    ])
    .extend(&of(ssl))
}

/// Kafka's `WorkerConfig.ListenersValidator`, with the form of each entry checked here too.
fn listeners() -> Validator {
    Validator::custom_text("URLs like http://localhost:8083", |name, value| {
        let Some(crate::api::config_def::ConfigData::List(entries)) = value else {
            return Err(format!(
                "Invalid value type for listeners (expected list of URLs , ex: {LISTENER_EXAMPLE})."
            ));
        };
        if entries.is_empty() {
            return Err(format!(
                "Invalid value for listeners, at least one URL is expected, ex: {LISTENER_EXAMPLE}."
            ));
        }
        for entry in entries {
            if entry.is_empty() {
                return Err(format!("Empty URL found when parsing {name} list."));
            }
            super::Listener::parse(entry).map_err(|reason| format!("{name}: {reason}"))?;
        }
        Ok(())
    })
}

const LISTENER_EXAMPLE: &str = "http://localhost:8080,https://localhost:8443";

fn ours() -> ConfigDef {
    let cpus = Validator::custom("CPU numbers and ranges like 0-3,6", |value| {
        match value.and_then(|value| value.as_str()) {
            None => Ok(()),
            Some(text) => crate::shard::parse_cpu_list(text).map(|_| ()),
        }
    });
    let or_unlimited = |name: &str, default: i64| long_from(name, default, -1);
    of([
        text("rest.basic.auth.jaas.file")
            .default_null()
            .doc("*Ours.* JAAS file for BasicAuth, in place of `-Djava.security.auth.login.config=` in the environment variable `KAFKA_OPTS`."),
        text("rest.bearer.token.file")
            .default_null()
            .doc("*Ours.* file of bearer tokens that open the REST API, one a line; read once at the start."),
        low(ConfigKey::int("shard.count"))
            .default_null()
            .validator(at_least_one_or_null())
            .doc("*Ours.* threads that run tasks; one per CPU of the affinity mask by default."),
        text("shard.cpus")
            .default_null()
            .validator(cpus)
            .doc("*Ours.* CPUs that the threads are pinned to, like `0-3,6`."),
        text("shard.runtime")
            .default("auto")
            .validator(Validator::one_of(["auto", "io_uring", "epoll"]))
            .doc("*Ours.* how tasks do I/O; `auto` takes epoll with brokers, and with the embedded log io_uring where it works."),
        long_from("task.stall.timeout.ms", 60_000, 0)
            .doc("*Ours.* for how long a task may get nowhere though it could before status, health and metrics say that it is stalled, and in which stage; 0: never."),
        or_unlimited("embedded.retention.ms", 604_800_000)
            .doc("*Ours.* age at which the embedded log drops segments; −1 keeps them."),
        or_unlimited("embedded.retention.bytes", -1)
            .doc("*Ours.* size of a partition at which the embedded log drops old segments; −1 is no bound."),
        int("embedded.segment.bytes", 1 << 30)
            .validator(Validator::at_least(1024))
            .doc("*Ours.* size of the embedded log's segment files."),
        int("embedded.num.partitions", 1)
            .validator(Validator::at_least(1))
            .doc("*Ours.* partitions of topics that the embedded log creates by itself."),
    ])
}

fn at_least_one_or_null() -> Validator {
    Validator::custom("[1,...]", |value| match value {
        Some(crate::api::config_def::ConfigData::Int(..1)) => {
            Err("Value must be at least 1".to_owned())
        }
        _ => Ok(()),
    })
}

fn group() -> ConfigDef {
    let ms = |name: &str, default: i32| int(name, default);
    of([
        high(ConfigKey::string("group.id")).doc("Name of the cluster of workers."),
        high(ms("session.timeout.ms", 10_000)).doc("Silence after which a worker is given up."),
        high(ms("rebalance.timeout.ms", 60_000))
            .doc("How long workers may take to join a rebalance."),
        high(ms("heartbeat.interval.ms", 3000))
            .doc("Time between heartbeats; 500 where the file does not set it, since a worker hears by them of others that are gone."),
        high(ConfigKey::string("exactly.once.source.support"))
            .default("disabled")
            .validator(Validator::one_of_ignore_case([
                "disabled",
                "enabled",
                "preparing",
            ]))
            .doc("Whether source tasks write in transactions. Only `disabled` is part of this version."),
        text("connect.protocol")
            .default("sessioned")
            .validator(Validator::one_of_ignore_case([
                "eager",
                "compatible",
                "sessioned",
            ]))
            .doc("How workers agree on their work."),
        ms("scheduled.rebalance.max.delay.ms", 300_000)
            .validator(Validator::at_least(0))
            .doc("How long the work of a lost worker waits for its return."),
        ms("worker.sync.timeout.ms", 3000)
            .importance(Importance::Medium)
            .doc("How long a worker may take to read the config topic when it is behind."),
        ms("worker.unsync.backoff.ms", 300_000)
            .importance(Importance::Medium)
            .doc("How long a worker that stayed behind keeps away from the group."),
        ms("inter.worker.key.ttl.ms", 3_600_000)
            .validator(Validator::at_least(0))
            .doc("Age at which the workers' shared key is replaced."),
        text("inter.worker.key.generation.algorithm")
            .default("HmacSHA256")
            .validator(distributed::algorithm())
            .doc("Algorithm of the shared key."),
        low(ConfigKey::int("inter.worker.key.size"))
            .default_null()
            .doc("Bits of the shared key; as many as its algorithm's hash has by default."),
        text("inter.worker.signature.algorithm")
            .default("HmacSHA256")
            .validator(distributed::algorithm())
            .doc("Algorithm of signatures of requests between workers."),
        low(ConfigKey::list("inter.worker.verification.algorithms"))
            .default("HmacSHA256")
            .validator(distributed::algorithms())
            .doc("Algorithms of signatures that are accepted; must hold that of `inter.worker.signature.algorithm`."),
        text("scheduled.rebalance.lost.tasks")
            .default("at_once")
            .validator(Validator::one_of(["at_once", "after_delay"]))
            .doc("*Ours.* when others get what a lost worker ran: `at_once` where all workers of the group are Ringmain's, or as in Apache's groups after `scheduled.rebalance.max.delay.ms`, which also holds while one is Apache's."),
        text("group.instance.id")
            .default_null()
            .validator(distributed::instance_id())
            .doc("*Ours.* name of this worker alone for static membership: one that is back within `session.timeout.ms` gets its work without a rebalance."),
    ])
}

fn storage() -> ConfigDef {
    let mut def = ConfigDef::new();
    for (topic, partitions, holds) in [
        ("offset", Some(25), "offsets of source connectors"),
        ("config", None, "configurations"),
        ("status", Some(5), "statuses"),
    ] {
        let name = high(ConfigKey::string(format!("{topic}.storage.topic")));
        def = def.define(name.doc(format!("Topic that keeps {holds}.")));
        if let Some(partitions) = partitions {
            let key = low(ConfigKey::int(format!("{topic}.storage.partitions")));
            def = def.define(
                key.default(partitions)
                    .validator(positive_or_broker())
                    .doc("Its partitions when it is created; −1 leaves it to the broker."),
            );
        }
        let key = ConfigKey::new(
            format!("{topic}.storage.replication.factor"),
            ConfigType::Short,
        );
        def = def.define(
            low(key)
                .default(3)
                .validator(positive_or_broker())
                .doc("Its replicas when it is created; −1 leaves it to the broker."),
        );
    }
    def
}

fn positive_or_broker() -> Validator {
    Validator::custom(
        "positive, or -1 for the broker's default",
        |value| match value.and_then(|value| value.as_f64()) {
            Some(number) if number > 0.0 || number == -1.0 => Ok(()),
            _ => Err("Value must be positive, or -1 to use the broker's default".to_owned()),
        },
    )
}

/// Settings of the clients that a distributed worker uses itself.
fn internal_clients() -> ConfigDef {
    of([
        text("client.id")
            .default("")
            .doc("Part of the names of the worker's own clients."),
        long_from("metadata.max.age.ms", 300_000, 0).doc("Age at which metadata is fetched anew."),
        int("send.buffer.bytes", 131_072)
            .validator(Validator::at_least(-1))
            .doc("Size of the send buffer."),
        int("receive.buffer.bytes", 32_768)
            .validator(Validator::at_least(-1))
            .doc("Size of the receive buffer."),
        long_from("reconnect.backoff.ms", 50, 0).doc("Wait before a reconnect."),
        long_from("reconnect.backoff.max.ms", 1000, 0).doc("Longest wait before a reconnect."),
        long_from("socket.connection.setup.timeout.ms", 10_000, 0)
            .doc("How long a connection may take."),
        long_from("socket.connection.setup.timeout.max.ms", 30_000, 0)
            .doc("Longest time for a connection to be made."),
        long_from("retry.backoff.ms", 100, 0).doc("Wait before a retry."),
        long_from("retry.backoff.max.ms", 1000, 0).doc("Longest wait before a retry."),
        int("request.timeout.ms", 40_000)
            .validator(Validator::at_least(0))
            .doc("Wait for an answer."),
        long("connections.max.idle.ms", 540_000)
            .doc("Idle time after which a connection is closed."),
        ConfigKey::string("security.protocol")
            .default("PLAINTEXT")
            .validator(Validator::one_of_ignore_case([
                "SASL_SSL",
                "PLAINTEXT",
                "SSL",
                "SASL_PLAINTEXT",
            ]))
            .doc("How the worker's own clients talk to brokers; tasks have `producer.` and `consumer.` keys of their own."),
        text("metadata.recovery.strategy")
            .default("rebootstrap")
            .validator(Validator::one_of_ignore_case(["rebootstrap", "none"]))
            .doc("What to do when no broker answers."),
        long_from("metadata.recovery.rebootstrap.trigger.ms", 300_000, 0)
            .doc("See `metadata.recovery.strategy`."),
    ])
}
