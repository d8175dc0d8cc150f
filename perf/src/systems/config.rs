//! Worker and connector files, the same for Ringmain and for Apache's Connect except for names and ports.
//! Of Avro each has a converter of its own: Confluent's class name, and Apicurio's converter, which reads
//! the same bytes.

use std::path::Path;

use testbed::Properties;

use super::{Job, Member, System, cannot};
use crate::error::{Error, Naming, Result};
use crate::results::Kind;
use crate::scenario::Flow;
use crate::settings::Converter;

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const AVRO: &str = "io.confluent.connect.avro.AvroConverter";
const APICURIO_AVRO: &str = "io.apicurio.registry.utils.converter.AvroConverter";

const WORKER_FILE: &str = "worker.properties";

/// Name and text of the files of a job, the worker's first. `plugins` is a directory of `plugin.path` beside
/// that of Kafka's own.
pub(super) fn files(
    system: System,
    job: &Job<'_>,
    port: u16,
    plugins: Option<&Path>,
) -> Result<Vec<(String, String)>> {
    let worker = worker(system, job, port, plugins)?;
    let mut files = vec![(WORKER_FILE.to_owned(), worker.text())];
    for (at, connector) in connectors(system, job)?.iter().enumerate() {
        files.push((format!("connector-{at}.properties"), connector.text()));
    }
    for (name, text) in &files {
        let path = job.dir.join(name);
        std::fs::write(&path, text).at("write", &path)?;
    }
    Ok(files)
}

/// Writes the file of a cluster's worker: the same for all systems, keys at their defaults unless the
/// scenario says otherwise.
pub(super) fn distributed(member: &Member<'_>) -> Result<Vec<(String, String)>> {
    let mut worker = Properties::new()
        .set("bootstrap.servers", member.bootstrap)
        .set("group.id", member.cluster)
        .set("key.converter", STRING)
        .set("value.converter", STRING);
    for topic in ["config", "offset", "status"] {
        worker = worker
            .set(&format!("{topic}.storage.topic"), member.topic(topic))
            .set(&format!("{topic}.storage.replication.factor"), 1);
    }
    worker = worker
        .set("listeners", format!("http://127.0.0.1:{}", member.port))
        .set("rest.advertised.host.name", "127.0.0.1");
    if let Some(path) = &member.plugin_path {
        worker = worker
            .set("plugin.path", path.display())
            .set("plugin.discovery", "service_load");
    }
    let more = member.scenario.worker.iter();
    let text = more
        .fold(worker, |all, (key, value)| all.set(key, value))
        .text();
    let path = member.dir.join(WORKER_FILE);
    std::fs::write(&path, &text).at("write", &path)?;
    Ok(vec![(WORKER_FILE.to_owned(), text)])
}

fn worker(system: System, job: &Job<'_>, port: u16, plugins: Option<&Path>) -> Result<Properties> {
    let settings = &job.scenario.settings;
    let mut worker = Properties::new()
        .set("bootstrap.servers", &job.bootstrap)
        .set(
            "offset.storage.file.filename",
            job.dir.join("offsets").display(),
        )
        .set("listeners", format!("http://127.0.0.1:{port}"));
    if let Some(kafkas) = &job.plugin_path {
        let path = [Some(kafkas.as_path()), plugins];
        let path: Vec<String> = path
            .iter()
            .flatten()
            .map(|dir| dir.display().to_string())
            .collect();
        worker = worker
            .set("plugin.path", path.join(","))
            .set("plugin.discovery", "service_load");
    }
    worker = converters(worker, system, job)?;
    if settings.compression != "none" {
        worker = worker.set("producer.compression.type", &settings.compression);
    }
    if let Some(size) = settings.batch_size {
        worker = worker.set("producer.batch.size", size);
    }
    if let Some(shards) = settings.shards {
        worker = worker.set("shard.count", shards);
    }
    if job.scenario.flow == Flow::TopicToNothing {
        // Progress is what has been committed.
        worker = worker.set("offset.flush.interval.ms", 250);
    }
    let more = job.scenario.worker.iter();
    Ok(more.fold(worker, |all, (key, value)| all.set(key, value)))
}

fn converters(worker: Properties, system: System, job: &Job<'_>) -> Result<Properties> {
    let converter = job.scenario.settings.converter;
    let key = if converter == Converter::Bytes {
        BYTES
    } else {
        STRING
    };
    let worker = worker.set("key.converter", key);
    let json = |schemas: bool| {
        let json = worker.clone().set("value.converter", JSON);
        json.set("value.converter.schemas.enable", schemas)
    };
    Ok(match converter {
        Converter::String => worker.set("value.converter", STRING),
        Converter::Bytes => worker.set("value.converter", BYTES),
        Converter::Json | Converter::JsonObjects => json(false),
        Converter::JsonSchemas | Converter::JsonSchemasObjects => json(true),
        Converter::Avro => avro(worker, system, job)?,
    })
}

/// Ids of the interface of Confluent's are what Apicurio calls ids of contents.
fn avro(worker: Properties, system: System, job: &Job<'_>) -> Result<Properties> {
    let missing = || Error::Usage("Avro needs topic to file, to have a schema registry".to_owned());
    let registry = job.registry.as_ref().ok_or_else(missing)?;
    if system != System::Connect {
        return Ok(worker
            .set("value.converter", AVRO)
            .set("value.converter.schema.registry.url", registry.url()));
    }
    let prefix = "value.converter.apicurio.registry.";
    Ok(worker
        .set("value.converter", APICURIO_AVRO)
        .set(&format!("{prefix}url"), registry.native_url())
        .set(&format!("{prefix}as-confluent"), true)
        .set(&format!("{prefix}use-id"), "contentId"))
}

fn connectors(system: System, job: &Job<'_>) -> Result<Vec<Properties>> {
    if matches!(
        job.scenario.kind,
        Kind::Idle | Kind::StartUp | Kind::Cluster
    ) {
        return Ok(Vec::new());
    }
    let connectors = match job.scenario.flow {
        Flow::FileToTopic => vec![file_source(job)],
        Flow::TopicToFile => vec![file_sink(job, &job.input_topic)],
        Flow::TopicToTopic => vec![mirror(job)],
        Flow::TopicToNothing => vec![
            named(job, "org.apache.kafka.connect.tools.MockSinkConnector")
                .set("topics", &job.input_topic),
        ],
        Flow::Generate if system == System::Ringmain => vec![datagen(job)],
        Flow::Generate => vec![
            named(
                job,
                "org.apache.kafka.connect.tools.VerifiableSourceConnector",
            )
            .set("topic", &job.output_topic)
            .set("throughput", -1),
        ],
        Flow::EmbeddedFiles if system == System::Ringmain => {
            let source = file_source(job);
            let sink = file_sink(job, &job.output_topic);
            vec![
                source.set("name", format!("{}-source", job.name)),
                sink.set("name", format!("{}-sink", job.name)),
            ]
        }
        Flow::EmbeddedToNothing if system == System::Ringmain => {
            let topic = crate::embedded::TOPIC;
            vec![named(job, "NullSink").set("topics", topic)]
        }
        flow => return Err(cannot(system, flow)),
    };
    let more = |connector: Properties| {
        let more = job.scenario.connector.iter();
        more.fold(connector, |all, (key, value)| all.set(key, value))
    };
    Ok(connectors.into_iter().map(more).collect())
}

fn named(job: &Job<'_>, class: &str) -> Properties {
    Properties::new()
        .set("name", &job.name)
        .set("connector.class", class)
        .set("tasks.max", job.scenario.settings.tasks)
}

fn file_source(job: &Job<'_>) -> Properties {
    named(
        job,
        "org.apache.kafka.connect.file.FileStreamSourceConnector",
    )
    .set("file", job.input_file.display())
    .set("topic", &job.output_topic)
}

fn file_sink(job: &Job<'_>, topic: &str) -> Properties {
    named(job, "org.apache.kafka.connect.file.FileStreamSinkConnector")
        .set("file", job.output_file.display())
        .set("topics", topic)
}

/// Within one cluster: the alias makes the remote topic's name.
fn mirror(job: &Job<'_>) -> Properties {
    named(job, "org.apache.kafka.connect.mirror.MirrorSourceConnector")
        .set("source.cluster.alias", &job.name)
        .set("target.cluster.alias", "target")
        .set("source.cluster.bootstrap.servers", &job.bootstrap)
        .set("target.cluster.bootstrap.servers", &job.bootstrap)
        .set("topics", &job.input_topic)
        .set("replication.factor", 1)
        .set("key.converter", BYTES)
        .set("value.converter", BYTES)
        .set("header.converter", BYTES)
        .set("emit.offset-syncs.enabled", false)
        .set("sync.topic.acls.enabled", false)
        .set("sync.topic.configs.enabled", false)
        .set("refresh.topics.enabled", false)
}

fn datagen(job: &Job<'_>) -> Properties {
    let settings = &job.scenario.settings;
    named(job, "Datagen")
        .set("topic", &job.output_topic)
        .set("records", settings.records)
        .set("record.size", settings.record_size)
        .set("partitions", settings.partitions)
}
