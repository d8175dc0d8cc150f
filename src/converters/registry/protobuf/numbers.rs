//! Numbers of a message's fields: those that parameters give, and the free ones in order for the rest.

use std::collections::BTreeSet;

use super::TAG;
use super::compose::is_union;
use crate::api::{ConnectError, Schema};

/// The numbers of one message.
pub(super) struct Numbers {
    taken: BTreeSet<i64>,
    next: i64,
}

/// Numbers that Protobuf keeps for itself.
const RESERVED: std::ops::Range<i64> = 19_000..20_000;

impl Numbers {
    /// Those of a struct's fields and of the members of its unions.
    ///
    /// # Errors
    /// A parameter is no number.
    pub(super) fn of(schema: &Schema) -> Result<Self, ConnectError> {
        let mut taken = BTreeSet::new();
        for field in schema.fields() {
            taken.extend(given(&field.schema)?);
            if is_union(&field.schema) {
                for member in field.schema.fields() {
                    taken.extend(given(&member.schema)?);
                }
            }
        }
        Ok(Self { taken, next: 1 })
    }

    /// The number of a field; each is asked for once, in order.
    ///
    /// # Errors
    /// The parameter is no number.
    pub(super) fn take(&mut self, schema: &Schema) -> Result<i64, ConnectError> {
        if let Some(number) = given(schema)? {
            return Ok(number);
        }
        while self.taken.contains(&self.next) || RESERVED.contains(&self.next) {
            self.next += 1;
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}

fn given(schema: &Schema) -> Result<Option<i64>, ConnectError> {
    let given = schema.parameters().and_then(|all| all.get(TAG));
    let number = given.map(|text| {
        let bad = |_| ConnectError::data(format!("{TAG}={text} is no number of a field"));
        text.parse().map_err(bad)
    });
    number.transpose()
}
