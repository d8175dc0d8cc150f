//! What a member says when it joins (Kafka: `ConnectProtocol.WorkerState`, `ExtendedWorkerState`).

use std::sync::Arc;

use super::wire::{ProtocolError, Reader, Writer};
use super::{Assignment, ConnectProtocol, PluginClasses};

/// A worker as it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerState {
    /// REST URL that other workers reach it under.
    pub url: Arc<str>,
    /// Offset up to which it has read the config topic.
    pub config_offset: i64,
    /// What it runs; `None` before the first assignment, and in version 0 always.
    pub assignment: Option<Assignment>,
    /// Plugins that it can run; `None` from Apache's workers, who don't say.
    pub plugins: Option<PluginClasses>,
}

impl WorkerState {
    /// Writes it for `protocol`.
    ///
    /// # Errors
    /// [`ProtocolError::TooLong`] for names and URLs of more than 32,767 bytes.
    pub fn encode(&self, protocol: ConnectProtocol) -> Result<Vec<u8>, ProtocolError> {
        let mut out = Writer::default();
        out.i16(protocol.version());
        out.text("URL", &self.url)?;
        out.i64(self.config_offset);
        let assignment = match (&self.assignment, protocol) {
            (None, _) | (_, ConnectProtocol::Eager) => None,
            (Some(assignment), _) => Some(assignment.encode_as(protocol.version())?),
        };
        match &assignment {
            Some(bytes) => {
                out.count("assignment", bytes.len())?;
                out.raw(bytes);
            }
            // Java's leader reads an allocation in version 0, too, where bytes are left. So there is an
            // absent one in front of the plugins.
            None if protocol > ConnectProtocol::Eager || self.plugins.is_some() => out.i32(-1),
            None => {}
        }
        if let Some(plugins) = &self.plugins {
            plugins.write(&mut out)?;
        }
        Ok(out.into_bytes())
    }

    /// Reads any version. What stands behind it and is no list of plugins that can be read is ignored.
    ///
    /// # Errors
    /// Bytes that Java's `IncrementalCooperativeConnectProtocol.deserializeMetadata` refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(bytes);
        reader.version()?;
        let url = reader.text("URL")?;
        let config_offset = reader.i64("config offset")?;
        let assignment = match reader.rest().is_empty() {
            true => None,
            false => reader.nullable_bytes("assignment")?,
        };
        Ok(Self {
            url,
            config_offset,
            assignment: assignment.map(Assignment::decode).transpose()?,
            plugins: PluginClasses::read(reader.rest()),
        })
    }
}

/// Names and metadata of the protocols that a worker with this `connect.protocol` lists in its JoinGroup
/// request, in this order (Kafka: `metadataRequest`).
///
/// # Errors
/// [`ProtocolError::TooLong`], see [`WorkerState::encode`].
pub fn metadata_request(
    state: &WorkerState,
    configured: ConnectProtocol,
) -> Result<Vec<(&'static str, Vec<u8>)>, ProtocolError> {
    configured
        .supported()
        .map(|protocol| Ok((protocol.name(), state.encode(protocol)?)))
        .collect()
}
