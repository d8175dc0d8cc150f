//! What workers of a cluster ask their leader (Kafka: `InternalClusterResource`; contract 1.11). Whether a request is
//! signed as it should be is for the herder to say, who has the key.

use super::connectors::null_pointer;
use super::json_body;
use super::response::{Failure, Response};
use super::router::{Request, Router};
use crate::api::ConfigMap;
use crate::distributed::signature::RequestSignature;
use crate::herder::HerderError;

pub(super) fn put_task_configs(
    router: &Router,
    name: &str,
    request: &Request,
) -> Result<Response, Failure> {
    let configs = json_body::task_configs(&request.body).map_err(|text| Failure::new(500, text))?;
    let signature = signature(request)?;
    let configs: Option<Vec<ConfigMap>> = configs.and_then(|all| all.into_iter().collect());
    let none = || null_pointer("java.util.List.isEmpty()", "taskConfigs");
    let configs = configs.ok_or_else(none)?;
    router.herder.put_task_configs(name, configs, signature)?;
    Ok(Response::empty(204))
}

pub(super) fn fence(router: &Router, name: &str, request: &Request) -> Result<Response, Failure> {
    router.herder.fence(name, signature(request)?)?;
    Ok(Response::empty(204))
}

fn signature(request: &Request) -> Result<Option<RequestSignature>, Failure> {
    let signed = &request.signed;
    let read = RequestSignature::from_headers(
        signed.algorithm.as_deref(),
        signed.signature.as_deref(),
        &request.body,
    );
    read.map_err(|refusal| HerderError::from(refusal).into())
}
