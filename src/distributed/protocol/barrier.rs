//! Two things that Ringmain's workers tell each other behind what Java reads, about when work may start.
//!
//! Behind an assignment: how far all members have read the config topic.
//! `config-offset` of an assignment is what the member knows that has read most: it says how far a member has
//! to read. A Ringmain leader also says what the one knows that has read least. A member stops what runs with
//! earlier configurations than it has read before it joins, so up to that offset everybody has. Java's
//! `deserializeAssignment` looks at nothing behind the delay.
//!
//! ```text
//! magic    4 bytes, "RMPB"
//! version  INT16, 1
//! offset   INT64
//! ```

//!
//! Behind the metadata of the eager protocol, which has no place for an assignment: that the member has joined
//! with work that runs. That happens when a group falls back to the eager protocol. The leader then deals
//! nothing, the members stop what they run, and the next round deals.
//!
//! ```text
//! magic    4 bytes, "RMHW"
//! version  INT16, 1
//! ```

const MAGIC: &[u8] = b"RMPB\x00\x01";
const OFFSET_BYTES: usize = 8;

const HOLDS_WORK: &[u8] = b"RMHW\x00\x01";

/// Marks metadata of the eager protocol of a member that has work.
pub fn append_holds_work(metadata: &mut Vec<u8>) {
    metadata.extend_from_slice(HOLDS_WORK);
}

/// Whether metadata of the eager protocol is of a member that has work.
pub fn holds_work(metadata: &[u8]) -> bool {
    metadata.ends_with(HOLDS_WORK)
}

/// Appends it to an encoded assignment of version 1 or later. In version 0 nothing may stand behind: Java reads
/// what was revoked there.
pub fn append_barrier(assignment: &mut Vec<u8>, offset: i64) {
    assignment.extend_from_slice(MAGIC);
    assignment.extend_from_slice(&offset.to_be_bytes());
}

/// Reads it from the end of an encoded assignment; `None` from leaders that do not say it.
pub fn barrier(assignment: &[u8]) -> Option<i64> {
    let (rest, offset) = assignment.split_last_chunk::<OFFSET_BYTES>()?;
    rest.ends_with(MAGIC).then(|| i64::from_be_bytes(*offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributed::ConnectorsAndTasks;
    use crate::distributed::protocol::{
        Assignment, ConnectProtocol, NO_ERROR, PluginClasses, WorkerState,
    };

    #[test]
    fn a_member_that_holds_work_is_read_as_any_other() {
        let state = WorkerState {
            url: "http://h:1/".into(),
            config_offset: 3,
            assignment: None,
            plugins: Some(PluginClasses::new(["a.B"]).unwrap()),
        };
        let mut bytes = state.encode(ConnectProtocol::Eager).unwrap();
        assert!(!holds_work(&bytes));
        append_holds_work(&mut bytes);
        assert!(holds_work(&bytes));
        assert_eq!(WorkerState::decode(&bytes).unwrap(), state);
    }

    #[test]
    fn it_stands_behind_what_others_read() {
        let assignment = Assignment {
            version: 1,
            error: NO_ERROR,
            leader: "m".into(),
            leader_url: "http://h:1/".into(),
            config_offset: 7,
            assigned: ConnectorsAndTasks::default(),
            revoked: ConnectorsAndTasks::default(),
            delay_ms: 9,
        };
        let mut bytes = assignment.encode().unwrap();
        assert_eq!(barrier(&bytes), None);
        append_barrier(&mut bytes, 5);
        assert_eq!(barrier(&bytes), Some(5));
        assert_eq!(Assignment::decode(&bytes).unwrap(), assignment);
    }
}
