//! Transformations that users of Debezium have in their configurations, under Debezium's class names
//! and keys (Debezium 2.x and 3.x: `io.debezium.transforms`).

mod by_logical_table_router;
mod envelope;
mod extract_new_record_state;
mod field_reference;

#[cfg(test)]
mod tests;

pub use by_logical_table_router::ByLogicalTableRouter;
pub use extract_new_record_state::ExtractNewRecordState;
