//! Pause, resume, stop and restart.

use super::entities;
use super::response::{Failure, Response};
use super::router::{Query, Router};

pub(super) fn pause(router: &Router, name: &str) -> Result<Response, Failure> {
    router.herder.pause(name)?;
    Ok(Response::empty(202))
}

pub(super) fn resume(router: &Router, name: &str) -> Result<Response, Failure> {
    router.herder.resume(name)?;
    Ok(Response::empty(202))
}

pub(super) fn stop(router: &Router, name: &str) -> Result<Response, Failure> {
    router.herder.stop(name)?;
    Ok(Response::empty(204))
}

/// Without flags the connector instance alone restarts, and the answer comes when it has.
pub(super) fn restart(router: &Router, name: &str, query: &Query) -> Result<Response, Failure> {
    let include_tasks = query.flag("includeTasks", false);
    let only_failed = query.flag("onlyFailed", false);
    if !include_tasks && !only_failed {
        router.herder.restart_connector(name)?;
        return Ok(Response::empty(204));
    }
    let plan = router.herder.restart(name, include_tasks, only_failed)?;
    Ok(Response::json(
        202,
        &entities::state_info(&plan, &router.worker_id),
    ))
}

pub(super) fn restart_task(router: &Router, name: &str, task: i32) -> Result<Response, Failure> {
    let unknown = || Failure::new(404, format!("Unknown task: {name}-{task}"));
    let task = u32::try_from(task).map_err(|_| unknown())?;
    router.herder.restart_task(name, task)?;
    Ok(Response::empty(204))
}
