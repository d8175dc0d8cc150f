//! The idempotent producer's id: asked for once, bumped in epoch by ourselves afterwards (KIP-360).

use std::rc::Rc;

use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};

use super::Inner;
use super::batch::Identity;
use crate::clients::{ApiErrorKind, ClientError, ProducerConfig};
use crate::kafka::errors::{api_error, code};
use crate::shard;

/// Whether and with which id sequences are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdentityState {
    /// `enable.idempotence=false`, or the broker denied it.
    Off,
    /// To be asked for.
    Missing,
    /// On the way.
    Asked,
    /// There.
    Known(Identity),
}

impl IdentityState {
    pub(super) fn new(config: &ProducerConfig) -> Self {
        match config.idempotence {
            true => Self::Missing,
            false => Self::Off,
        }
    }

    /// The next epoch, or a new id after the last epoch.
    pub(super) fn bump(&mut self) {
        if let Self::Known(identity) = *self {
            *self = match identity.epoch.checked_add(1) {
                Some(epoch) => Self::Known(Identity { epoch, ..identity }),
                None => Self::Missing,
            };
        }
    }
}

/// Asks for a producer id in the background, if one is missing.
pub(super) fn ask_if_missing(inner: &Rc<Inner>) {
    if *inner.identity.borrow() != IdentityState::Missing {
        return;
    }
    *inner.identity.borrow_mut() = IdentityState::Asked;
    let inner = Rc::clone(inner);
    shard::spawn(async move {
        let result = ask(&inner).await;
        match result {
            Ok(identity) => {
                tracing::debug!(id = identity.id, epoch = identity.epoch, "producer id");
                *inner.identity.borrow_mut() = IdentityState::Known(identity);
            }
            Err(ClientError::Closed) => {}
            Err(error) if inner.config.idempotence_required || !is_denial(&error) => {
                inner.fail(error);
            }
            Err(error) => {
                tracing::warn!(
                    %error,
                    "idempotence is not available: going on with one request in flight; retries may \
                     write a record twice. Grant IDEMPOTENT_WRITE on the cluster, or set \
                     enable.idempotence=false to silence this"
                );
                *inner.identity.borrow_mut() = IdentityState::Off;
            }
        }
        inner.wake.notify();
    });
}

/// Whether the cluster has no idempotent writes for us, rather than something being wrong.
fn is_denial(error: &ClientError) -> bool {
    match error {
        ClientError::Api { kind, .. } => *kind == ApiErrorKind::Authorization,
        ClientError::UnsupportedVersion { .. } => true,
        _ => false,
    }
}

/// Retries for as long as the error is retriable: without an id nothing can be sent, and the records'
/// own `delivery.timeout.ms` bounds the wait.
async fn ask(inner: &Inner) -> Result<Identity, ClientError> {
    let mut failures = 0;
    loop {
        let error = match ask_once(inner).await {
            Ok(identity) => return Ok(identity),
            Err(error) => error,
        };
        if !error.is_retriable() {
            return Err(error);
        }
        tracing::debug!(%error, "no producer id yet");
        shard::sleep(inner.cluster.retry_backoff(failures)).await;
        failures = failures.saturating_add(1);
    }
}

async fn ask_once(inner: &Inner) -> Result<Identity, ClientError> {
    let connection = inner.cluster.any_connection().await?;
    let request = InitProducerIdRequest::default()
        // Not the default, an empty text, which brokers refuse.
        .with_transactional_id(None)
        .with_transaction_timeout_ms(i32::MAX)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    let limit = inner.config.common.request_timeout;
    let response = connection.call(request, limit).await?;
    match response.error_code {
        0 => Ok(Identity {
            id: response.producer_id.0,
            epoch: response.producer_epoch,
        }),
        code => {
            let context = "asking for a producer id (enable.idempotence)";
            if matches!(
                code,
                code::NOT_COORDINATOR | code::COORDINATOR_NOT_AVAILABLE
            ) {
                connection.throttle(1);
            }
            Err(api_error(code, context, None))
        }
    }
}
