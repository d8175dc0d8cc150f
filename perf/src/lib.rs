//! The bundled measuring bench: the same work on Ringmain and on its peers, side by side, in one run.
//!
//! `compare` brings up real Kafka ([`testbed`]), takes scenarios (`scenario`) and runs every system in
//! rounds (`rounds`). A run is a process of its own (`systems` says how it is started, `worker` watches
//! it) of one kind: `throughput`, `latency`, `idle` or `start_up`; `cluster` has several of them. What it reads is made by `input`, what
//! arrives is checked by `verify`; `steady` chooses the part of a run that counts. [`results`] is what was
//! seen, [`report`] what people read of it.
//!
//! The harness uses the machine that it measures. So it sleeps between looks, asks for progress with one
//! small request, fills and verifies topics while no worker runs, and is the same for every system.
//!
//! A package of its own, so that what measuring needs never reaches a user's build.

mod avro;
mod axis;
pub mod cli;
mod cluster;
mod compare;
mod embedded;
mod error;
mod idle;
mod input;
mod interrupt;
mod latency;
mod lines;
mod machine;
mod object;
mod page_cache;
mod progress;
mod registry;
pub mod report;
mod rest;
pub mod results;
mod rounds;
mod sampler;
mod scenario;
mod session;
mod settings;
mod smoke;
mod start_up;
mod steady;
mod systems;
mod template;
mod throughput;
mod topics;
mod verify;
mod wire;
mod worker;

pub use error::Error;
