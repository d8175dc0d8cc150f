//! Black-box tests: they start processes (Apache Kafka, Apache Connect as the oracle, Kafka's own
//! tools and the `ringmain` binary) and look at files, topics and answers only.
//!
//! Nothing here uses the crate's internals; only [`embedded_log`] writes and [`group_member`] joins through the
//! library, and [`internal_logs`], [`internal_offsets`], [`differential`], [`schema_registry_java`], [`connect_group`] and [`internal_topics`] run parts of it beside Java's. Kafka 4.3.1 is fetched with Maven on first use, see
//! [`common::kafka`]; without Java or Maven these tests fail, unless `RINGMAIN_SKIP_KAFKA=1`.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

mod attacks;
mod bad_input;
mod clean_restart;
mod codecs;
mod commands;
mod common;
mod connect_group;
mod consumer_groups;
mod consumer_groups_interop;
mod control;
mod crash;
mod ctl;
mod dead_letters;
mod differential;
mod distributed;
mod embedded;
mod embedded_log;
mod faults;
mod group_member;
mod harness;
mod internal_logs;
mod internal_offsets;
mod internal_topics;
mod metrics;
mod migrate;
mod mirror;
mod preview;
mod rest;
mod rest_access;
mod rest_clients;
mod rest_session;
mod rest_tls;
mod runtimes;
mod schema_registry;
mod schema_registry_java;
mod secrets;
mod security;
mod standalone_files;
mod tool_connectors;
mod transforms;
mod ui;
