//! What the leader gives a member (Kafka: `ConnectProtocol.Assignment`, `ExtendedAssignment`).

use std::sync::Arc;

use indexmap::IndexMap;

use super::wire::{ProtocolError, Reader, Writer};
use crate::distributed::java_order::hash_order_of_copy;
use crate::distributed::{ConnectorTaskId, ConnectorsAndTasks};

/// `error` of an assignment that can be used.
pub const NO_ERROR: i16 = 0;
/// The leader has not read the config topic as far as some member; all read to its end and join again.
pub const CONFIG_MISMATCH: i16 = 1;

/// Task number that stands for the connector itself.
const CONNECTOR_TASK: i32 = -1;

/// What a member shall run and stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Version of the protocol; from 1 on, `assigned` is what the member gets on top of what it runs.
    pub version: i16,
    /// [`NO_ERROR`], [`CONFIG_MISMATCH`], or what a newer leader says.
    pub error: i16,
    /// Member id of the leader.
    pub leader: Arc<str>,
    /// REST URL of the leader.
    pub leader_url: Arc<str>,
    /// Offset in the config topic that the assignment was made from.
    pub config_offset: i64,
    /// What the member shall run.
    pub assigned: ConnectorsAndTasks,
    /// What the member must stop, from version 1 on.
    pub revoked: ConnectorsAndTasks,
    /// Milliseconds until the member shall join again, from version 1 on; 0 for never.
    pub delay_ms: i32,
}

impl Assignment {
    /// Whether the leader could not make one.
    pub fn failed(&self) -> bool {
        self.error != NO_ERROR
    }

    /// Writes it in its own version.
    ///
    /// # Errors
    /// [`ProtocolError::TooLong`] for names and URLs of more than 32,767 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, ProtocolError> {
        self.encode_as(self.version)
    }

    /// Writes it in `version`, up to 2.
    pub(super) fn encode_as(&self, version: i16) -> Result<Vec<u8>, ProtocolError> {
        let mut out = Writer::default();
        out.i16(version);
        out.i16(self.error);
        out.text("leader", &self.leader)?;
        out.text("leader URL", &self.leader_url)?;
        out.i64(self.config_offset);
        let mut connectors: Vec<Arc<str>> = self.assigned.connectors.iter().cloned().collect();
        let elements = connectors.len();
        // Java puts the connectors through a `HashSet`.
        hash_order_of_copy(&mut connectors, elements);
        write_work(&mut out, connectors.iter(), &self.assigned)?;
        if version >= 1 {
            write_work(&mut out, self.revoked.connectors.iter(), &self.revoked)?;
            out.i32(self.delay_ms);
        }
        Ok(out.into_bytes())
    }

    /// Reads any version.
    ///
    /// # Errors
    /// Bytes that Java's `IncrementalCooperativeConnectProtocol.deserializeAssignment` refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            version: reader.version()?,
            error: reader.i16("error")?,
            leader: reader.text("leader")?,
            leader_url: reader.text("leader URL")?,
            config_offset: reader.i64("config offset")?,
            assigned: read_work(&mut reader, "assigned connectors")?,
            revoked: read_work(&mut reader, "revoked connectors")?,
            delay_ms: match reader.rest().is_empty() {
                true => 0,
                false => reader.i32("delay")?,
            },
        })
    }
}

/// `connectors` come first, then the tasks of others as they come.
fn write_work<'a>(
    out: &mut Writer,
    connectors: impl Iterator<Item = &'a Arc<str>>,
    work: &'a ConnectorsAndTasks,
) -> Result<(), ProtocolError> {
    let mut by_connector: IndexMap<&str, Vec<i32>> = IndexMap::new();
    for name in connectors {
        by_connector.insert(name, vec![CONNECTOR_TASK]);
    }
    // Mostly tasks of a connector come one after the other and share its name.
    let mut last: Option<(&Arc<str>, usize)> = None;
    for ConnectorTaskId { connector, task } in &work.tasks {
        let index = match last {
            Some((name, index)) if Arc::ptr_eq(name, connector) => index,
            _ => {
                let entry = by_connector.entry(connector);
                let index = entry.index();
                entry.or_default();
                index
            }
        };
        last = Some((connector, index));
        by_connector[index].push(*task);
    }
    out.count("connectors", by_connector.len())?;
    for (name, tasks) in by_connector {
        out.text("connector", name)?;
        out.count("tasks", tasks.len())?;
        for task in tasks {
            out.i32(task);
        }
    }
    Ok(())
}

/// Nothing where the message ends before it or says null.
fn read_work(
    reader: &mut Reader<'_>,
    what: &'static str,
) -> Result<ConnectorsAndTasks, ProtocolError> {
    let mut work = ConnectorsAndTasks::default();
    if reader.rest().is_empty() {
        return Ok(work);
    }
    // A name without bytes and no tasks.
    let connectors = reader.nullable_count(what, 6)?.unwrap_or(0);
    for _ in 0..connectors {
        let name = reader.text("connector")?;
        for _ in 0..reader.count("tasks", 4)? {
            let task = reader.i32("task")?;
            if task == CONNECTOR_TASK {
                work.connectors.insert(Arc::clone(&name));
            } else {
                let connector = Arc::clone(&name);
                work.tasks.insert(ConnectorTaskId { connector, task });
            }
        }
    }
    Ok(work)
}
