//! Apache Kafka Connect, started as its `connect-standalone.sh` does: the same main class, heap and JVM
//! flags. (The script also turns local JMX on, which only adds work.)

use testbed::registry::fetch_converters;
use testbed::{Jvm, try_free_port};

use super::{Job, Launch, Programs, System, config};
use crate::error::{Error, Naming, Result};

pub(super) fn launch(programs: &Programs, job: &Job<'_>) -> Result<Launch> {
    let missing = || Error::Usage("Apache's Connect needs Java and Maven".to_owned());
    let kafka = programs.kafka.as_ref().ok_or_else(missing)?;
    let port = try_free_port().at("find a port for", job.dir)?;
    let converters = job.registry.as_ref();
    let converters = converters.map(|_| fetch_converters(kafka)).transpose();
    let converters = converters.map_err(Error::Usage)?;
    let files = config::files(System::Connect, job, port, converters.as_deref())?;
    let mut command = kafka.java_as(Jvm::Connect, "INFO");
    command
        .arg("org.apache.kafka.connect.cli.ConnectStandalone")
        .args(files.iter().map(|(name, _)| job.dir.join(name)))
        .current_dir(job.dir);
    // The verifiable source prints a line for each record.
    let chatty = job.scenario.flow == crate::scenario::Flow::Generate;
    let stdout = if chatty {
        "/dev/null".into()
    } else {
        job.dir.join("worker.out")
    };
    Ok(Launch {
        command,
        files,
        rest_port: Some(port),
        stdout,
    })
}
