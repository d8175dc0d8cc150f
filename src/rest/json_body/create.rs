//! The body of `POST /connectors`.

use std::collections::BTreeSet;

use super::reader::{Chain, Reader};
use crate::api::ConfigMap;

pub(super) const CREATE_REQUEST: &str =
    "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";
const KNOWN: &str = "(3 known properties: \"config\", \"name\", \"initial_state\")";

/// Body of `POST /connectors`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::rest) struct CreateRequest {
    pub(in crate::rest) name: Option<String>,
    pub(in crate::rest) config: Option<ConfigMap>,
    pub(in crate::rest) initial_state: Option<String>,
}

/// Reads the body of `POST /connectors`; `None` for an empty body and for `null`.
///
/// # Errors
/// Jackson's text.
pub(in crate::rest) fn create_request(body: &[u8]) -> Result<Option<CreateRequest>, String> {
    let mut reader = Reader::new(body);
    if !reader.has_token() {
        return Ok(None);
    }
    let Some(start) = reader.record(CREATE_REQUEST, &Chain::default())? else {
        reader.end(CREATE_REQUEST)?;
        return Ok(None);
    };
    let request = reader.create_members(start)?;
    reader.end(CREATE_REQUEST)?;
    Ok(Some(request))
}

impl Reader<'_> {
    /// The members of a create request whose `{` was read.
    fn create_members(&mut self, start: usize) -> Result<CreateRequest, String> {
        let mut request = CreateRequest::default();
        let mut unknown: Option<String> = None;
        let none = Chain::default();
        let mut first = true;
        let mut seen = BTreeSet::new();
        while let Some(member) = self.member(first, start, &none)? {
            first = false;
            let chain = Chain::of(CREATE_REQUEST, &member);
            match member.as_str() {
                "name" => request.name = self.text_value(&chain, "java.lang.String")?,
                "config" => request.config = self.map(&chain)?,
                "initial_state" => request.initial_state = self.state(&chain)?,
                _ => {
                    let record = (CREATE_REQUEST, KNOWN);
                    self.pass_unknown(record, &member, seen.len() == 3, &none)?;
                    unknown.get_or_insert(member);
                    continue;
                }
            }
            seen.insert(member);
        }
        match unknown {
            None => Ok(request),
            Some(member) => Err(self.unknown_member(CREATE_REQUEST, KNOWN, &member, &none)),
        }
    }

    fn state(&mut self, chain: &Chain) -> Result<Option<String>, String> {
        let class = format!("{CREATE_REQUEST}$InitialState");
        self.skip_space();
        let start = self.pos;
        let Some(text) = self.text_value(chain, &class)? else {
            return Ok(None);
        };
        let upper = text.to_uppercase();
        if matches!(upper.as_str(), "RUNNING" | "PAUSED" | "STOPPED") {
            return Ok(Some(upper));
        }
        let constant = class.replace('$', ".");
        let message = format!(
            "Cannot construct instance of `{class}`, problem: No enum constant {constant}.{upper}"
        );
        Err(self.fault(&message, start, chain))
    }
}
