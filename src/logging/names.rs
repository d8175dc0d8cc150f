//! Which module plays the part of which Java class.

/// Whether a logger is there before anybody sets its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// A class, which has a logger in Apache's worker, too.
    Yes,
    /// A package: everything in it that no class of this list stands for.
    OnceSet,
}

use Shown::{OnceSet, Yes};

/// Java's name, the target of our events, and whether the logger is shown from the start. The longest target
/// counts that an event's target begins with; several classes may stand for one module.
pub(super) const JAVA_NAMES: &[(&str, &str, Shown)] = &[
    ("org.apache.kafka.connect", "ringmain", OnceSet),
    ("org.apache.kafka.connect.cli", "ringmain::cli", OnceSet),
    (
        "org.apache.kafka.connect.cli.ConnectStandalone",
        "ringmain::cli::standalone",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.WorkerConfig",
        "ringmain::config",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.AbstractHerder",
        "ringmain::herder",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.standalone.StandaloneHerder",
        "ringmain::herder::standalone",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.rest.RestServer",
        "ringmain::rest",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.isolation.Plugins",
        "ringmain::plugins",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.Worker",
        "ringmain::worker",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.WorkerConnector",
        "ringmain::worker::connector",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.WorkerTask",
        "ringmain::task",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.AbstractWorkerSourceTask",
        "ringmain::task::source",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.WorkerSourceTask",
        "ringmain::task::source",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.WorkerSinkTask",
        "ringmain::task::sink",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.SubmittedRecords",
        "ringmain::task::submitted_records",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.TransformationChain",
        "ringmain::task::transformation_chain",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.errors.RetryWithToleranceOperator",
        "ringmain::task::errors",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter",
        "ringmain::task::errors::dead_letters",
        Yes,
    ),
    (
        "org.apache.kafka.connect.runtime.errors.LogReporter",
        "ringmain::task::errors::log_reporter",
        Yes,
    ),
    (
        "org.apache.kafka.connect.util.TopicAdmin",
        "ringmain::task::topic_creation",
        Yes,
    ),
    (
        "org.apache.kafka.connect.storage.FileOffsetBackingStore",
        "ringmain::storage",
        Yes,
    ),
    (
        "org.apache.kafka.connect.converters",
        "ringmain::converters",
        OnceSet,
    ),
    (
        "org.apache.kafka.connect.json.JsonConverter",
        "ringmain::converters::json",
        Yes,
    ),
    (
        "io.confluent.connect",
        "ringmain::converters::registry",
        OnceSet,
    ),
    (
        "org.apache.kafka.connect.transforms",
        "ringmain::transforms",
        OnceSet,
    ),
    (
        "org.apache.kafka.connect.file",
        "ringmain::connectors::file_stream",
        OnceSet,
    ),
    (
        "org.apache.kafka.connect.file.FileStreamSourceTask",
        "ringmain::connectors::file_stream::source",
        Yes,
    ),
    (
        "org.apache.kafka.connect.file.FileStreamSinkTask",
        "ringmain::connectors::file_stream::sink",
        Yes,
    ),
    (
        "org.apache.kafka.connect.mirror",
        "ringmain::connectors::mirror",
        OnceSet,
    ),
    (
        "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        "ringmain::connectors::mirror::connector",
        Yes,
    ),
    (
        "org.apache.kafka.connect.mirror.MirrorSourceTask",
        "ringmain::connectors::mirror::task",
        Yes,
    ),
    (
        "org.apache.kafka.connect.tools.MockSourceTask",
        "ringmain::connectors::mock",
        Yes,
    ),
    (
        "org.apache.kafka.connect.tools.SchemaSourceTask",
        "ringmain::connectors::schema_source",
        Yes,
    ),
    (
        "org.apache.kafka.connect.tools.VerifiableSourceTask",
        "ringmain::connectors::verifiable::source",
        Yes,
    ),
    (
        "org.apache.kafka.connect.tools.VerifiableSinkTask",
        "ringmain::connectors::verifiable::sink",
        Yes,
    ),
    ("org.apache.kafka.clients", "ringmain::kafka", OnceSet),
    (
        "org.apache.kafka.clients.NetworkClient",
        "ringmain::kafka::connection",
        Yes,
    ),
    (
        "org.apache.kafka.clients.Metadata",
        "ringmain::kafka::cluster",
        Yes,
    ),
    (
        "org.apache.kafka.clients.admin.KafkaAdminClient",
        "ringmain::kafka::admin",
        Yes,
    ),
    (
        "org.apache.kafka.clients.consumer.KafkaConsumer",
        "ringmain::kafka::consumer",
        Yes,
    ),
    (
        "org.apache.kafka.clients.consumer.internals.ConsumerCoordinator",
        "ringmain::kafka::consumer::group",
        Yes,
    ),
    (
        "org.apache.kafka.clients.consumer.internals.Fetcher",
        "ringmain::kafka::consumer::fetch",
        Yes,
    ),
    (
        "org.apache.kafka.clients.producer.KafkaProducer",
        "ringmain::kafka::producer",
        Yes,
    ),
    (
        "org.apache.kafka.clients.producer.internals.Sender",
        "ringmain::kafka::producer::sender",
        Yes,
    ),
];

/// Java's names of the module that an event of `target` belongs to.
pub(super) fn owners(target: &str) -> impl Iterator<Item = &'static str> {
    let covering = JAVA_NAMES
        .iter()
        .map(|(_, module, _)| *module)
        .filter(|module| is_beneath(target, module))
        .max_by_key(|module| module.len());
    JAVA_NAMES
        .iter()
        .filter(move |(_, module, _)| Some(*module) == covering)
        .map(|(java, _, _)| *java)
}

/// Whether a logger's name is `parent` or lies in it.
pub(super) fn is_beneath(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(['.', '$']) || rest.starts_with("::")
    })
}
