//! Ringmain's release binary, `ringmain standalone` and `ringmain distributed`.

use std::process::Command;

use testbed::try_free_port;

use super::{Job, Launch, Member, Programs, System, config};
use crate::error::{Naming, Result};

pub(super) fn launch(programs: &Programs, job: &Job<'_>) -> Result<Launch> {
    let port = try_free_port().at("find a port for", job.dir)?;
    let files = config::files(System::Ringmain, job, port, None)?;
    let mut command = Command::new(&programs.ringmain.0);
    command.arg("standalone").current_dir(job.dir);
    command.args(files.iter().map(|(name, _)| job.dir.join(name)));
    Ok(Launch {
        command,
        files,
        rest_port: Some(port),
        stdout: job.dir.join("worker.out"),
    })
}

/// Of a cluster's worker.
pub(super) fn distributed(programs: &Programs, member: &Member<'_>) -> Result<Launch> {
    let files = config::distributed(member)?;
    let mut command = Command::new(&programs.ringmain.0);
    command.arg("distributed").current_dir(member.dir);
    command.args(files.iter().map(|(name, _)| member.dir.join(name)));
    Ok(member.launch(command, files))
}
