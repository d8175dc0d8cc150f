//! What requests look at beside the herder.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::worker::WorkerShared;

/// What the REST API knows of its worker. Shared by all handler threads.
#[derive(Debug)]
pub struct RestContext {
    pub(super) shared: Arc<WorkerShared>,
    pub(super) cluster_id: Arc<OnceLock<String>>,
    ready: AtomicBool,
}

impl RestContext {
    /// A worker that is still starting up; `cluster_id` is set by whoever finds it.
    pub fn new(shared: Arc<WorkerShared>, cluster_id: Arc<OnceLock<String>>) -> Self {
        Self {
            shared,
            cluster_id,
            ready: AtomicBool::new(false),
        }
    }

    /// The connectors of the command line were created: `/health` says so from now on.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
