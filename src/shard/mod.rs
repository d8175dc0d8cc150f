//! One core: the runtime seam, executor start and pinning, mailboxes, the buffer pool, the pool of
//! threads for blocking calls, and shutdown.
//!
//! No other room names glommio or tokio. A *shard* is a pinned thread with one executor: glommio
//! (io_uring) or, where io_uring is blocked, tokio's current-thread runtime (epoll). The free functions
//! here ([`spawn`], [`sleep`], [`timeout`], [`connect`], [`blocking`], [`yield_if_needed`]) work on
//! whichever runs on the calling thread, and panic-free code is not assumed of callers: a panic in a
//! spawned future ends that future alone ([`Panicked`]).
//!
//! Invariants: nothing blocks a shard; nothing waits for another shard; messages into a shard go
//! through its bounded mailbox.

mod blocking;
mod buffer_pool;
mod cached_read;
mod cpus;
mod executor;
mod mailbox;
mod net;
mod notify;
mod probe;
mod shards;
mod spawn;
mod timer;

pub use blocking::{BlockingError, BlockingLoad, blocking, blocking_load};
pub use buffer_pool::{FilledBuffer, PooledVec, take_filled, take_vec};
pub use cached_read::{CachedRead, read_cached};
pub(crate) use cpus::unpin_current_thread;
pub use cpus::{affinity_cpus, parse_cpu_list};
pub use executor::{RuntimeKind, StartError, current_runtime, run};
pub use mailbox::{Mailbox, MailboxFull, Receiver, mailbox};
pub use net::{TcpStream, connect, resolve};
pub use notify::Notify;
pub use probe::{ProbeReport, RuntimeChoice, TaskIo, choose_runtime, probe_io_uring};
pub use shards::{ShardHandle, ShardLoad, Shards, SideThread};
pub use spawn::{BusyTime, JoinHandle, Panicked, TaskEnd, panic_message, spawn, spawn_metered};
pub use timer::{Elapsed, nap, next_common, sleep, timeout, yield_if_needed, yield_now};
