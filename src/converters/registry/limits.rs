//! How much one schema or one record may ask for. Far above what is in use, far below what hurts.

/// Largest answer of a registry in bytes.
pub(super) const ANSWER_MAX: u64 = 16 << 20;
/// Most schemas that one schema may refer to, directly and through others.
pub(super) const REFERENCES_MAX: usize = 256;
/// Deepest nesting of types in a schema, and of values in schemaless data.
pub(super) const DEPTH_MAX: usize = 100;
/// Most types in a schema once every name is replaced by what it stands for.
pub(super) const NODES_MAX: usize = 100_000;
/// Most values without any bytes (nulls, empty records) in one record.
pub(super) const EMPTY_VALUES_MAX: usize = 100_000;
/// Longest unscaled value of a decimal in bytes.
pub(super) use crate::api::data::logical_type::DECIMAL_BYTES_MAX;
/// Most values in one record of Protobuf that stand for fields which its data leaves out: a message of two
/// bytes may have thousands of them.
pub(super) const ABSENT_VALUES_MAX: usize = 1_000_000;
