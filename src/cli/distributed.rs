//! `ringmain distributed`: the file of a member of a Connect cluster, read and checked.

use std::path::Path;

use super::{Exit, print_error};
use crate::config::worker::{self, WorkerFile};
use crate::distributed::internal_topics::InternalTopic;

/// Checks the file and says that the mode is not there.
pub(super) fn run(path: &Path) -> Exit {
    match read_file(path) {
        Ok(_) => print_error(
            "distributed mode is not part of this version; `ringmain standalone` runs the same connector files in one process",
        ),
        Err(reason) => print_error(&reason),
    }
    Exit::Usage
}

/// Reads the worker's file and logs what its user should know.
///
/// # Errors
/// All that is wrong with it.
fn read_file(path: &Path) -> Result<WorkerFile, String> {
    let file = worker::load_distributed(path).map_err(|error| error.to_string())?;
    let mut warnings = file.warnings.clone();
    let mut problems = Vec::new();
    if let Some(distributed) = file.config.distributed() {
        for topic in InternalTopic::ALL {
            match topic.settings(&distributed.parsed) {
                Ok(settings) => warnings.extend(settings.warnings),
                Err(error) => problems.push(format!("{}: {}", topic.topic_key(), error.message())),
            }
        }
    }
    if !problems.is_empty() {
        return Err(format!("{}: {}", path.display(), problems.join("; ")));
    }
    for warning in warnings {
        tracing::warn!(file = %path.display(), "{warning}");
    }
    Ok(file)
}
