//! Apache's `kafka-producer-perf-test.sh`: the Java producer without a Connect around it.

use testbed::Jvm;

use super::{Job, Launch, Programs, System, cannot};
use crate::error::{Error, Result};
use crate::scenario::Flow;

pub(super) fn launch(programs: &Programs, job: &Job<'_>) -> Result<Launch> {
    let settings = &job.scenario.settings;
    if job.scenario.flow != Flow::Generate {
        return Err(cannot(System::ProducerPerf, job.scenario.flow));
    }
    let missing = || Error::Usage("kafka-producer-perf-test needs Java and Maven".to_owned());
    let kafka = programs.kafka.as_ref().ok_or_else(missing)?;
    let mut command = kafka.java_as(Jvm::Tool, "WARN");
    command
        .arg("org.apache.kafka.tools.ProducerPerformance")
        .args(["--topic", &job.output_topic])
        .args(["--num-records", &settings.records.to_string()])
        .args(["--record-size", &settings.record_size.to_string()])
        .args(["--throughput", "-1", "--producer-props"])
        .arg(format!("bootstrap.servers={}", job.bootstrap))
        .arg(format!("compression.type={}", settings.compression))
        .current_dir(job.dir);
    if let Some(size) = settings.batch_size {
        command.arg(format!("batch.size={size}"));
    }
    Ok(Launch {
        command,
        files: Vec::new(),
        rest_port: None,
        stdout: job.dir.join("worker.out"),
    })
}
