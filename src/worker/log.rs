//! Where the worker's records live: the seam between tasks and the clients of a log.

use std::fmt::Debug;
use std::rc::Rc;

use crate::clients::{Admin, AdminConfig, Consumer, ConsumerConfig, Producer, ProducerConfig};

/// Makes clients of the worker's log. Shared by all threads; a client belongs to the shard that made it.
pub trait LogAccess: Debug + Send + Sync {
    /// A producer of the current shard.
    fn producer(&self, config: ProducerConfig) -> Rc<dyn Producer>;

    /// A consumer of the current shard.
    fn consumer(&self, config: ConsumerConfig) -> Rc<dyn Consumer>;

    /// An admin client of the current shard.
    fn admin(&self, config: AdminConfig) -> Rc<dyn Admin>;
}
