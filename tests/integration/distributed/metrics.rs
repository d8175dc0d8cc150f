//! What `/metrics` says of the group that a worker is in.

use super::group::{Group, Member};
use super::lifecycle::idle;
use crate::common::{PATIENCE, heavy, kafka, wait_until};

/// A sample by its name and, where it has them, labels.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(' '))
    })?;
    line.rsplit(' ').next()?.parse().ok()
}

fn rebalance(worker: &Member, attribute: &str) -> f64 {
    let text = worker.get("/metrics").body;
    let name = format!("kafka_connect_worker_rebalance_{attribute}");
    sample(&text, &name).unwrap_or_else(|| panic!("no {name}: {text}"))
}

fn assigned(worker: &Member, what: &str) -> f64 {
    let text = worker.get("/metrics").body;
    let name = format!("kafka_connect_coordinator_assigned_{what}");
    sample(&text, &name).unwrap_or_else(|| panic!("no {name}: {text}"))
}

#[test]
fn metrics_tell_the_group_its_leader_its_rounds_and_what_each_worker_was_given() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-metrics");
    let first = group.start();
    first.put(&idle("measured", 3));
    first.wait_until_running("measured", 3);
    assert_eq!(
        (assigned(&first, "connectors"), assigned(&first, "tasks")),
        (1.0, 3.0)
    );
    let rounds = rebalance(&first, "completed_rebalances_total");
    assert!(rounds >= 2.0, "{rounds}");

    let second = group.start();
    let workers = [&first, &second];
    let total = |what| workers.iter().map(|worker| assigned(worker, what)).sum();
    wait_until("tasks to be spread", PATIENCE, || {
        assigned(&first, "tasks") <= 2.0
            && assigned(&second, "tasks") <= 2.0
            && (total("connectors"), total("tasks")) == (1.0, 3.0)
            && workers.iter().all(|w| rebalance(w, "rebalancing") == 0.0)
    });
    let leader = if first.leads() { &first } else { &second };
    let info = format!(
        r#"info{{connect_protocol="sessioned",leader_name="{}"}}"#,
        leader.url("/")
    );
    let epochs: Vec<f64> = workers.iter().map(|w| rebalance(w, "epoch")).collect();
    assert_eq!(epochs[0], epochs[1]);
    assert!(rebalance(&first, "completed_rebalances_total") > rounds);
    for worker in workers {
        assert_eq!(rebalance(worker, &info), 1.0);
        let longest = rebalance(worker, "rebalance_max_time_ms");
        let mean = rebalance(worker, "rebalance_avg_time_ms");
        assert!(mean > 0.0 && mean <= longest, "{mean}, {longest}");
        let since = rebalance(worker, "time_since_last_rebalance_ms");
        assert!((0.0..PATIENCE.as_secs_f64() * 1000.0).contains(&since));
    }
    second.stop_cleanly();
    wait_until("the tasks to come back", PATIENCE, || {
        assigned(&first, "tasks") == 3.0 && rebalance(&first, "epoch") > epochs[0]
    });
    first.stop_cleanly();
}
