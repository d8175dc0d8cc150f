//! The only room that talks to brokers: producer, consumer with group membership, members of groups of other
//! kinds, admin.
//!
//! The rest of the program sees it through the traits of `clients`. kafka-protocol gives the message
//! types and is named nowhere else; record batches are `record`'s, sockets and timers are `shard`'s.
//! A client lives on one shard: everything is `Rc` and `Cell`, no `RefCell` is borrowed across an await,
//! and each client has its own connections, as Kafka's clients do.
//!
//! Layers, each using only those before it: `errors` (codes), `protocol` (requests, framing), `security`
//! (TLS), `connection` (one socket, pipelined) with `sasl`, `cluster` (brokers, metadata, coordinators, retries),
//! `group` (what members say to a coordinator), then `producer`, `consumer`, `group_member` and `admin`.

mod admin;
mod cluster;
mod connection;
mod consumer;
mod counts;
mod errors;
#[cfg(test)]
mod fuzz;
mod group;
mod group_member;
#[cfg(test)]
mod mock_broker;
mod producer;
mod protocol;
mod sasl;
mod security;

pub use admin::{ClusterInfo, KafkaAdmin, probe};
pub use consumer::KafkaConsumer;
pub use group_member::{
    GroupAssignments, GroupEvent, GroupMember, GroupMemberConfig, GroupMetadata, LossReason,
};
pub use producer::KafkaProducer;
