//! Confluent's filter by a condition, under its class names and keys.

mod filter;
#[cfg(test)]
mod fuzz;
mod json_path;
mod json_path_parser;

pub use filter::ConditionFilter;
