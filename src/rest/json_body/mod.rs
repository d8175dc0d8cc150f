//! Request bodies, bound as Jackson binds them: same shapes taken, same texts of refusal.
//!
//! The reader looks at each byte once and stops at the first fault, as Jackson's streaming binder does,
//! so that the fault and its position are the same. It does not descend into what it does not want:
//! nesting cannot exhaust the stack.

mod create;
mod offsets;
mod reader;
mod tasks;
#[cfg(test)]
mod tests;

use self::reader::{Chain, Reader};
use crate::api::ConfigMap;

pub(super) use self::create::create_request;
pub(super) use self::offsets::connector_offsets;
pub(super) use self::tasks::task_configs;

/// Reads a map of texts; `None` for an empty body and for `null`.
///
/// # Errors
/// Jackson's text.
pub(super) fn config_map(body: &[u8]) -> Result<Option<ConfigMap>, String> {
    let mut reader = Reader::new(body);
    if !reader.has_token() {
        return Ok(None);
    }
    let map = reader.map(&Chain::default())?;
    reader.end("java.util.Map")?;
    Ok(map)
}
