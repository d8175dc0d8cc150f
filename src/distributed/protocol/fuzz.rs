//! Damaged words of other workers: read or refused, and what is read can be written again.

use proptest::prelude::*;

use super::tests::{assignment, state};
use super::*;
use crate::fuzz::{Blob, Outcome, bounded, mutated, search};

fn samples() -> Vec<Vec<u8>> {
    let mut samples = vec![assignment().encode().unwrap()];
    for protocol in ConnectProtocol::ALL {
        samples.push(state().encode(protocol).unwrap());
    }
    samples
}

fn refused(error: &ProtocolError) -> Outcome {
    prop_assert!(!error.to_string().is_empty());
    Ok(())
}

fn read(bytes: &Blob) -> Outcome {
    match bounded(bytes.len(), || Assignment::decode(bytes))? {
        Ok(found) => {
            // What replaces damaged text may make a name too long.
            if let Ok(again) = found.encode_as(2) {
                let again = Assignment::decode(&again).unwrap();
                prop_assert_eq!(&again.assigned, &found.assigned);
                prop_assert_eq!(&again.revoked, &found.revoked);
            }
        }
        Err(error) => refused(&error)?,
    }
    match bounded(bytes.len(), || WorkerState::decode(bytes))? {
        Ok(found) => {
            if let Ok(again) = found.encode(ConnectProtocol::Sessioned) {
                let again = WorkerState::decode(&again).unwrap();
                prop_assert_eq!(again.url, found.url);
                prop_assert_eq!(again.plugins, found.plugins);
            }
        }
        Err(error) => refused(&error)?,
    }
    Ok(())
}

#[test]
fn damaged_words_of_other_workers_are_read_or_refused() {
    search(2000, || mutated(samples()), |bytes| read(&bytes));
}

/// The most that a name of 32 KiB and tasks can cost.
#[test]
fn a_long_name_with_many_tasks_costs_little() {
    let mut found = assignment();
    let name: std::sync::Arc<str> = "n".repeat(32_000).into();
    for task in 0..50_000 {
        let connector = std::sync::Arc::clone(&name);
        let id = crate::distributed::ConnectorTaskId { connector, task };
        found.assigned.tasks.insert(id);
    }
    let bytes = found.encode().unwrap();
    let read = bounded(bytes.len(), || Assignment::decode(&bytes)).unwrap();
    assert_eq!(read.unwrap(), found);
}
