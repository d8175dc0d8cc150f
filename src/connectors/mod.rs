//! Built-in connectors, a folder each.
//!
//! | Folder | What |
//! |---|---|
//! | `file_stream` | lines of a file or standard input into a topic, and back |
//! | `datagen`, `null_sink` | load for measurements, and a place where records end |
//! | `verifiable`, `mock`, `schema_source` | what Apache's own system tests drive Connect with |
//!
//! The room uses `api` and `shard` alone, so everything here can be written by an outside author as
//! well. Connectors and tasks run on one shard; files, standard input and standard output are touched
//! on other threads ([`offload`]) or by reads that the kernel promises not to block.

pub mod file_stream;
mod offload;

use crate::api::{ConfigDef, ConfigMap, ConnectError, ParsedConfig};

/// Parses `config`, all problems in one error.
fn parse(def: &ConfigDef, config: &ConfigMap) -> Result<ParsedConfig, ConnectError> {
    def.parse(config).map_err(|problems| {
        let texts: Vec<String> = problems.into_iter().map(|p| p.message).collect();
        ConnectError::config(texts.join("; "))
    })
}

/// Milliseconds since the epoch.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Runs a test on every runtime that this machine has.
#[cfg(test)]
fn on_each_runtime<Fut: Future<Output = ()> + 'static>(test: impl Fn() -> Fut) {
    use crate::shard::{RuntimeKind, probe_io_uring, run};
    run(RuntimeKind::Epoll, None, test()).unwrap();
    match probe_io_uring().io_uring_problem {
        None => run(RuntimeKind::IoUring, None, test()).unwrap(),
        Some(problem) => eprintln!("skipped: io_uring ({problem})"),
    }
}
