//! kcat, with librdkafka's defaults: lines of a file to a topic, and a topic to standard output.

use std::process::Command;

use super::{Job, Launch, System, cannot};
use crate::error::Result;
use crate::scenario::Flow;

pub(super) fn launch(job: &Job<'_>) -> Result<Launch> {
    let settings = &job.scenario.settings;
    let mut command = Command::new("kcat");
    command.args(["-b", &job.bootstrap]).current_dir(job.dir);
    let stdout = match job.scenario.flow {
        Flow::FileToTopic => {
            command.args(["-P", "-t", &job.output_topic]);
            if settings.compression != "none" {
                command.args(["-z", &settings.compression]);
            }
            command.arg("-l").arg(&job.input_file);
            job.dir.join("worker.out")
        }
        Flow::TopicToFile => {
            // -e ends it at the end of the topic, -q leaves out remarks.
            command.args(["-C", "-t", &job.input_topic, "-o", "beginning", "-e", "-q"]);
            job.output_file.clone()
        }
        flow => return Err(cannot(System::Kcat, flow)),
    };
    Ok(Launch {
        command,
        files: Vec::new(),
        rest_port: None,
        stdout,
    })
}

/// The version line; none when kcat is not installed.
pub(super) fn version() -> Option<String> {
    let output = Command::new("kcat").arg("-V").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("Version"))?;
    Some(line.trim_start_matches("Version ").to_owned())
}
