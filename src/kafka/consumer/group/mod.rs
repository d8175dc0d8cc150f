//! Group membership of a consumer: Kafka's classic protocol (JoinGroup, SyncGroup, Heartbeat,
//! LeaveGroup) with the eager and the cooperative way of rebalancing.

mod assignor;
mod assignor_cooperative_sticky;
mod assignor_range;
mod assignor_round_robin;
mod wire;
