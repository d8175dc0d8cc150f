//! The body of `POST /connectors/NAME/tasks`.

use super::reader::{Chain, Reader, Token};
use crate::api::ConfigMap;

const LIST: &str = "java.util.ArrayList<java.util.Map<java.lang.String,java.lang.String>>";

/// Task configurations: `None` for `null`; an item may be `null`, too.
pub(in crate::rest) type TaskConfigs = Option<Vec<Option<ConfigMap>>>;

/// Reads the body. It is bound by a mapper with its defaults, which does not look at what follows the list.
///
/// # Errors
/// Jackson's text, also for an empty body.
pub(in crate::rest) fn task_configs(body: &[u8]) -> Result<TaskConfigs, String> {
    let mut reader = Reader::new(body);
    let none = Chain::default();
    if !reader.has_token() {
        return Err(reader.fault("No content to map due to end-of-input", reader.pos, &none));
    }
    let start = reader.pos;
    match reader.token(&none)? {
        Token::Null => return Ok(None),
        Token::ArrayStart => {}
        other => return Err(reader.wrong_shape(LIST, &other, start, &none)),
    }
    let mut configs = Vec::new();
    while !reader.array_ends(configs.is_empty(), start, &none)? {
        let item = reader.map(&none.then_item(configs.len()))?;
        configs.push(item);
    }
    Ok(Some(configs))
}
