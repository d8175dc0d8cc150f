//! `/` and `/health`.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use super::response::Response;
use super::router::Router;
use super::stalls;
use crate::plugins::PLUGIN_VERSION;

/// Kafka's commit of that version, as its own workers show it.
pub(super) const COMMIT: &str = "26b251a451ce941d";
/// How long `/` waits for the cluster's id while the worker starts.
const CLUSTER_ID_WAIT: Duration = Duration::from_secs(5);
const CLUSTER_ID_POLL: Duration = Duration::from_millis(10);
const WAITING_MAX: usize = 2;

/// Tools switch on the version, so it is Kafka's; ours stands beside it.
pub(super) fn root(router: &Router) -> Response {
    let cluster_id = &router.context.cluster_id;
    if cluster_id.get().is_none() {
        wait_for_cluster_id(router);
    }
    Response::json(
        200,
        &json!({
            "version": PLUGIN_VERSION,
            "commit": COMMIT,
            "kafka_cluster_id": cluster_id.get(),
            "ringmain_version": env!("CARGO_PKG_VERSION"),
        }),
    )
}

/// Only some requests wait: the other handlers stay free for what can be answered.
fn wait_for_cluster_id(router: &Router) {
    if router.waiting.fetch_add(1, Ordering::AcqRel) < WAITING_MAX {
        let deadline = Instant::now() + CLUSTER_ID_WAIT;
        while router.context.cluster_id.get().is_none() && Instant::now() < deadline {
            std::thread::sleep(CLUSTER_ID_POLL);
        }
    }
    router.waiting.fetch_sub(1, Ordering::AcqRel);
}

pub(super) fn health(router: &Router) -> Response {
    let (status, state, message) = if router.herder.ping().is_err() {
        let message = "Worker was unable to handle this request and may be unable to handle other \
                       requests.";
        (500, "unhealthy", message)
    } else if router.context.is_ready() {
        let message = "Worker has completed startup and is ready to handle requests.";
        (200, "healthy", message)
    } else {
        (503, "starting", "Worker is still starting up.")
    };
    let mut body = json!({"status": state, "message": message});
    stalls::in_health(router, &mut body);
    Response::json(status, &body)
}
