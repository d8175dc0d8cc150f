//! Apache Kafka Connect, started as its `connect-standalone.sh` and `connect-distributed.sh` do: the same main
//! class, heap and JVM flags. (The scripts also turn local JMX on, which only adds work.)

use testbed::registry::fetch_converters;
use testbed::{Jvm, Kafka, try_free_port};

use super::{Job, Launch, Member, Programs, System, config};
use crate::error::{Error, Naming, Result};

/// Of a cluster's worker; heap and flags of both scripts are the same.
pub(super) fn distributed(programs: &Programs, member: &Member<'_>) -> Result<Launch> {
    let files = config::distributed(member)?;
    let mut command = kafka(programs)?.java_as(Jvm::Connect, "INFO");
    command
        .arg("org.apache.kafka.connect.cli.ConnectDistributed")
        .args(files.iter().map(|(name, _)| member.dir.join(name)))
        .current_dir(member.dir);
    Ok(member.launch(command, files))
}

fn kafka(programs: &Programs) -> Result<&Kafka> {
    let missing = || Error::Usage("Apache's Connect needs Java and Maven".to_owned());
    programs.kafka.as_ref().ok_or_else(missing)
}

pub(super) fn launch(programs: &Programs, job: &Job<'_>) -> Result<Launch> {
    let kafka = kafka(programs)?;
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
