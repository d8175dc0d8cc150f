//! Values of fields on their way from one struct into another.

use crate::api::data::Field;
use crate::api::{ConnectError, Struct, Value};

/// The value with which a field goes into another struct under a field of the same schema: null becomes
/// the default where `replace_null` says so.
///
/// A value that is in a struct fits its field; only null may not, since nobody put it there. That is
/// what Java's `Struct.put` finds here.
///
/// # Errors
/// "Invalid value: null used for required field …".
#[inline]
pub(super) fn carried(
    value: Value,
    field: &Field,
    replace_null: bool,
) -> Result<Value, ConnectError> {
    if !value.is_null() {
        return Ok(value);
    }
    carried_null(field, replace_null)
}

/// As [`carried`] for a value that stays where it is.
///
/// # Errors
/// As there.
#[inline]
pub(super) fn carry(
    value: Option<&mut Value>,
    field: &Field,
    replace_null: bool,
) -> Result<(), ConnectError> {
    if let Some(value) = value
        && value.is_null()
    {
        *value = carried_null(field, replace_null)?;
    }
    Ok(())
}

#[cold]
fn carried_null(field: &Field, replace_null: bool) -> Result<Value, ConnectError> {
    if let Some(default) = field.schema.default().filter(|_| replace_null) {
        return Ok(default.clone());
    }
    field.validate(&Value::Null)?;
    Ok(Value::Null)
}

/// Puts the defaults that [`carried`] gives in place of the nulls of a whole struct.
///
/// # Errors
/// As there.
pub(super) fn carry_all(inner: &mut Struct, replace_null: bool) -> Result<(), ConnectError> {
    for (field, value) in inner.schema.fields().iter().zip(&mut inner.values) {
        carry(Some(value), field, replace_null)?;
    }
    Ok(())
}
