//! When offsets are read and changed, and what waits for what.

use super::tests::Bench;
use super::*;
use crate::herder::HerderError;
use crate::worker::{InstanceEvent, InstanceId, OffsetsAnswer, OffsetsError, OffsetsRequest};

fn offsets(request: OffsetsRequest) -> Request {
    Request::Offsets {
        name: "c".to_owned(),
        request,
    }
}

fn reset() -> Request {
    offsets(OffsetsRequest::Reset)
}

fn is_job(outputs: &[Output]) -> bool {
    matches!(outputs, [Output::Offsets { .. }])
}

fn is_refused(outputs: &[Output]) -> bool {
    matches!(outputs, [Output::Answer(_, Err(HerderError::BadRequest(text)))]
        if text.starts_with("Connectors must be in the STOPPED state"))
}

#[test]
fn offsets_are_read_at_any_time_and_of_known_connectors_alone() {
    let mut bench = Bench::running(1);
    assert!(is_job(&bench.ask(offsets(OffsetsRequest::Read))));
    let unknown = Request::Offsets {
        name: "x".to_owned(),
        request: OffsetsRequest::Read,
    };
    assert!(matches!(
        &bench.ask(unknown)[..],
        [Output::Answer(_, Err(HerderError::NotFound(text)))] if text == "Connector x not found"
    ));
}

#[test]
fn offsets_of_a_connector_that_is_not_stopped_are_not_changed() {
    let mut bench = Bench::running(1);
    assert!(is_refused(&bench.ask(reset())));
    bench.ask(Request::Pause("c".to_owned()));
    assert!(is_refused(&bench.ask(reset())));
}

#[test]
fn a_change_waits_for_the_last_task_that_is_ending() {
    let mut bench = Bench::running(1);
    bench.ask(Request::Stop("c".to_owned()));
    assert_eq!(bench.ask(reset()), []);
    assert_eq!(bench.tell(1, InstanceEvent::Ended), []);
    assert!(is_job(&bench.tell(2, InstanceEvent::Ended)));
}

#[test]
fn a_change_that_waits_is_refused_when_the_connector_is_resumed_or_deleted() {
    let mut bench = Bench::running(1);
    bench.ask(Request::Stop("c".to_owned()));
    assert_eq!(bench.ask(reset()), []);
    bench.ask(Request::Resume("c".to_owned()));
    bench.tell(1, InstanceEvent::Ended);
    let outputs = bench.tell(2, InstanceEvent::Ended);
    assert!(is_refused(&outputs[..1]), "{outputs:?}");
    assert!(matches!(outputs[1], Output::StartConnector { .. }));

    let mut bench = Bench::running(1);
    bench.ask(Request::Stop("c".to_owned()));
    assert_eq!(bench.ask(reset()), []);
    let outputs = bench.ask(Request::Delete("c".to_owned()));
    assert!(matches!(
        outputs[0],
        Output::Answer(_, Err(HerderError::NotFound(_)))
    ));
}

#[test]
fn nothing_is_started_while_offsets_are_being_changed() {
    let mut bench = Bench::running(0);
    bench.ask(Request::Stop("c".to_owned()));
    bench.tell(1, InstanceEvent::Ended);
    let outputs = bench.ask(reset());
    let [Output::Offsets { request, .. }] = outputs[..] else {
        panic!("{outputs:?}");
    };
    let resumed = bench.ask(Request::Resume("c".to_owned()));
    assert!(matches!(resumed[..], [Output::Answer(_, Ok(Reply::Done))]));
    let done = OffsetsAnswer::Changed { confirmed: true };
    bench.machine.offsets_done(request, "c", Ok(done.clone()));
    let outputs = bench.machine.take_outputs();
    assert_eq!(
        outputs[0],
        Output::Answer(request, Ok(Reply::Offsets(done)))
    );
    assert!(matches!(
        outputs[1],
        Output::StartConnector {
            instance: InstanceId(2),
            ..
        }
    ));
}

#[test]
fn what_went_wrong_is_told_by_its_kind() {
    let mut bench = Bench::running(0);
    let outputs = bench.ask(offsets(OffsetsRequest::Read));
    let [Output::Offsets { request, .. }] = outputs[..] else {
        panic!("{outputs:?}");
    };
    let failed = OffsetsError::Failed("no".to_owned());
    bench.machine.offsets_done(request, "c", Err(failed));
    assert_eq!(
        bench.machine.take_outputs(),
        [Output::Answer(
            request,
            Err(HerderError::Failed("no".to_owned()))
        )]
    );
}
