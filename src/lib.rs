//! Ringmain: Kafka Connect without the JVM.
//!
//! One process holds one pinned executor per core (a *shard*), a control plane (the *herder*) and a
//! small REST server. Connectors and their tasks live on shards; records never cross a shard.
//!
//! ```text
//! source  connectors/x/source ─SourceBatch→ task/source ─→ transformation_chain ─→ conversion ─bytes→ clients::Producer ─ack→ submitted_records ─→ storage/offset_store
//! sink    clients::Consumer ─bytes→ conversion ─SinkBatch→ task/sink ─→ connectors/x/sink (put, pre_commit) ─→ clients::Consumer commit
//! control rest ─→ herder ─→ worker ─mailbox→ shard ─→ task
//! ```
//!
//! Who may use whom points down only:
//! `main, cli → rest → herder → cluster → distributed → worker → task, plugins → storage → connectors, converters,
//! transforms → config, kafka, embedded → clients → record, mapped, tls → api, shard, metrics,
//! logging`.

pub mod api;
pub mod cli;
pub mod clients;
pub mod cluster;
pub mod config;
pub mod connectors;
pub mod converters;
pub mod distributed;
pub mod embedded;
pub mod herder;
pub mod kafka;
pub mod logging;
pub mod mapped;
pub mod metrics;
pub mod plugins;
pub mod record;
pub mod rest;
pub mod shard;
pub mod storage;
pub mod task;
pub mod tls;
pub mod transforms;
pub mod worker;

#[cfg(test)]
mod fuzz;
