//! Sessions that end, coordinators out of reach, and callers who fall silent. Times are real, and wide apart.

use super::*;

fn short(config: &mut GroupMemberConfig) {
    config.session_timeout = ms(300);
    config.heartbeat_interval = ms(50);
}

#[test]
fn a_process_that_was_stopped_hears_of_its_lost_session_before_anything_else() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(short);
        go_through(&member, "one").await;
        until(|| coordinator.heartbeats() > 1).await;
        // A heartbeat is answered while the thread sleeps: that must not make up for the time.
        coordinator.play(ApiKey::Heartbeat, [Trick::Late(ms(30))]);
        let beats = coordinator.heartbeats();
        until(|| coordinator.heartbeats() > beats).await;
        std::thread::sleep(ms(400));
        assert_eq!(member.last_heartbeat(), None);
        assert_eq!(lost(&member).await, LossReason::SessionTimeout);
        let (round, previous, was_lost) = prepare(&member).await;
        assert_eq!((previous, was_lost), (Some(1), true));
        member.join(round, metadata("two"));
        finish(&member).await;
        assert_eq!(
            coordinator.state().ids,
            1,
            "the coordinator may know the id yet"
        );
    });
}

#[test]
fn a_stop_in_the_midst_of_a_round_loses_the_session_and_the_round() {
    on_each_runtime(|| async {
        for api in [ApiKey::JoinGroup, ApiKey::SyncGroup] {
            let (_cluster, coordinator, member) = start(short);
            coordinator.state().follower = Some(Bytes::from_static(b"given"));
            go_through(&member, "one").await;
            member.request_join("to be stopped");
            let (round, ..) = prepare(&member).await;
            coordinator.play(api, [Trick::Late(ms(50))]);
            let requests = |api| match api {
                ApiKey::JoinGroup => coordinator.joins(),
                _ => coordinator.state().syncs.len(),
            };
            let before = requests(api);
            member.join(round, metadata("two"));
            until(|| requests(api) > before).await;
            std::thread::sleep(ms(400));
            assert_eq!(lost(&member).await, LossReason::SessionTimeout, "{api:?}");
            assert!(prepare(&member).await.2);
        }
    });
}

#[test]
fn a_broker_that_is_frozen_costs_the_session_in_time_also_during_a_join() {
    on_each_runtime(|| async {
        for during_join in [false, true] {
            let (_cluster, coordinator, member) = start(short);
            go_through(&member, "one").await;
            if during_join {
                member.request_join("to be frozen");
                let (round, ..) = prepare(&member).await;
                coordinator.play(ApiKey::JoinGroup, [Trick::Silent]);
                let joins = coordinator.joins();
                member.join(round, metadata("two"));
                until(|| coordinator.joins() > joins).await;
            }
            coordinator.play(ApiKey::Heartbeat, std::iter::repeat_n(Trick::Silent, 1000));
            let begun = Instant::now();
            assert_eq!(lost(&member).await, LossReason::SessionTimeout);
            let took = begun.elapsed();
            assert!(took >= ms(200) && took < ms(2000), "{took:?}");
            coordinator.relent(ApiKey::Heartbeat);
            let (round, _, was_lost) = prepare(&member).await;
            assert!(was_lost);
            member.join(round, metadata("three"));
            finish(&member).await;
        }
    });
}

#[test]
fn heartbeats_go_over_another_connection_while_a_join_or_a_sync_waits() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(short);
        go_through(&member, "one").await;
        // Longer than a session, each.
        coordinator.play(ApiKey::JoinGroup, [Trick::Late(ms(700))]);
        coordinator.play(ApiKey::SyncGroup, [Trick::Late(ms(700))]);
        member.request_join("to be slow");
        let (round, ..) = prepare(&member).await;
        let before = coordinator.heartbeats();
        member.join(round, metadata("two"));
        let (round, members) = lead(&member).await;
        // And so is the leader.
        shard::sleep(ms(500)).await;
        assign_all(&member, round, &members);
        assert_eq!(joined(&member).await.0, 2);
        let state = coordinator.state();
        let join = state.joins.last().unwrap().0;
        let during = &state.heartbeats[before + 1..];
        assert!(during.len() > 10, "{}", during.len());
        let generations: Vec<i32> = during.iter().map(|beat| beat.1.generation_id).collect();
        assert_eq!((generations[0], *generations.last().unwrap()), (1, 2));
        assert!(during.iter().all(|(connection, _)| *connection != join));
    });
}

#[test]
fn a_first_join_may_take_longer_than_a_session() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(short);
        coordinator.play(ApiKey::JoinGroup, [Trick::None, Trick::Late(ms(600))]);
        coordinator.play(ApiKey::SyncGroup, [Trick::Late(ms(600))]);
        assert_eq!(go_through(&member, "one").await.0, 1);
        quiet(&member, ms(200)).await;
    });
}

#[test]
fn a_rebalance_that_is_answered_late_during_a_join_does_not_end_it() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(short);
        go_through(&member, "one").await;
        coordinator.play(ApiKey::JoinGroup, [Trick::Late(ms(400))]);
        member.request_join("to be slow");
        let (round, ..) = prepare(&member).await;
        // The coordinator rebalances, and is in the next generation before the answer is here.
        let told = [27, 27, 22, 22].map(Trick::Error);
        let joins = coordinator.joins();
        member.join(round, metadata("two"));
        until(|| coordinator.joins() > joins).await;
        coordinator.play(ApiKey::Heartbeat, told);
        assert_eq!(finish(&member).await.0, 2);
    });
}

#[test]
fn a_member_that_is_waited_for_longer_than_a_round_may_take_is_in_no_session() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|config| {
            short(config);
            config.rebalance_timeout = ms(900);
        });
        go_through(&member, "one").await;
        coordinator.play(
            ApiKey::Heartbeat,
            std::iter::repeat_n(Trick::Error(27), 1000),
        );
        // It is asked, says nothing, and is alive.
        prepare(&member).await;
        let begun = Instant::now();
        let mut told = None;
        while told.is_none() {
            member.polled();
            told = shard::timeout(ms(50), member.next()).await.ok();
            assert!(begun.elapsed() < SOON);
        }
        let reason = LossReason::SessionTimeout;
        let is_lost = |event: &GroupEvent| matches!(event, GroupEvent::SessionLost { reason: r } if *r == reason);
        assert!(told.as_ref().is_some_and(is_lost), "{told:?}");
        let took = begun.elapsed();
        assert!(took > ms(500) && took < ms(900), "{took:?}");
        assert_eq!(member.last_heartbeat(), None);
        coordinator.relent(ApiKey::Heartbeat);
        go_through(&member, "two").await;
    });
}

#[test]
fn a_word_of_the_rebalance_that_led_to_a_generation_begins_no_other() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(short);
        go_through(&member, "one").await;
        coordinator.play(ApiKey::JoinGroup, [Trick::Late(ms(120))]);
        member.request_join("to be slow");
        let (round, ..) = prepare(&member).await;
        let joins = coordinator.joins();
        member.join(round, metadata("two"));
        until(|| coordinator.joins() > joins).await;
        // Asked for before the generation began, answered after.
        coordinator.play(ApiKey::Heartbeat, [Trick::LateError(ms(230), 27)]);
        assert_eq!(finish(&member).await.0, 2);
        quiet(&member, ms(400)).await;
        assert!(coordinator.heartbeats() > 3);
    });
}

#[test]
fn brokers_out_of_reach_are_told_once_then_the_session_and_the_member_comes_back() {
    on_each_runtime(|| async {
        let (mut cluster, _coordinator, member) = start(|config| {
            config.session_timeout = ms(600);
            config.heartbeat_interval = ms(150);
        });
        go_through(&member, "one").await;
        let begun = Instant::now();
        cluster.stop(1);
        cluster.stop(2);
        let GroupEvent::CoordinatorUnknown { since } = next(&member).await else {
            panic!("another event");
        };
        let took = begun.elapsed();
        assert!(
            took >= ms(150) && took < ms(450),
            "noticed at once: {took:?}"
        );
        assert!(since >= begun && since <= begun + ms(140));
        assert!(member.last_heartbeat().is_some(), "the session goes on");
        assert_eq!(lost(&member).await, LossReason::SessionTimeout);
        quiet(&member, ms(400)).await;
        cluster.restart(1);
        cluster.restart(2);
        let (round, previous, was_lost) = prepare(&member).await;
        assert_eq!((previous, was_lost), (Some(1), true));
        member.join(round, metadata("two"));
        finish(&member).await;
        // The next outage is told again.
        cluster.stop(1);
        cluster.stop(2);
        assert!(matches!(
            next(&member).await,
            GroupEvent::CoordinatorUnknown { .. }
        ));
    });
}

#[test]
fn an_outage_that_is_over_before_the_caller_asks_is_not_told() {
    on_each_runtime(|| async {
        let (mut cluster, coordinator, member) = start(|config| {
            config.session_timeout = ms(5000);
            config.heartbeat_interval = ms(60);
        });
        go_through(&member, "one").await;
        cluster.stop(1);
        cluster.stop(2);
        shard::sleep(ms(200)).await;
        cluster.restart(1);
        cluster.restart(2);
        let beats = coordinator.heartbeats();
        until(|| coordinator.heartbeats() > beats + 1).await;
        quiet(&member, ms(100)).await;
    });
}

#[test]
fn a_silent_caller_has_the_member_leave_and_join_again_when_it_is_back() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|config| config.rebalance_timeout = ms(250));
        go_through(&member, "one").await;
        for _ in 0..10 {
            shard::sleep(ms(50)).await;
            member.polled();
        }
        assert!(coordinator.state().leaves.is_empty());
        assert_eq!(lost(&member).await, LossReason::PollTimeout);
        until(|| coordinator.state().leaves.len() == 1).await;
        let left = coordinator.state().leaves[0].members[0].member_id.clone();
        assert_eq!(left.as_str(), "member-1");
        let joins = coordinator.joins();
        quiet(&member, ms(100)).await;
        assert_eq!(coordinator.joins(), joins, "it stays away until polled");
        member.polled();
        let (round, previous, was_lost) = prepare(&member).await;
        assert_eq!((previous, was_lost), (Some(1), true));
        member.join(round, metadata("two"));
        finish(&member).await;
        assert_eq!(coordinator.state().ids, 2);
        // A question that is not answered is silence, too.
        member.request_join("to be ignored");
        prepare(&member).await;
        assert_eq!(lost(&member).await, LossReason::PollTimeout);
    });
}

#[test]
fn what_a_loss_overtakes_is_not_told() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|_| {});
        let (round, ..) = prepare(&member).await;
        member.join(round, metadata("one"));
        let (round, members) = lead(&member).await;
        assign_all(&member, round, &members);
        until(|| coordinator.heartbeats() > 0).await;
        // The caller was not told of the generation when that is lost, and of the next not either.
        coordinator.play(ApiKey::Heartbeat, [Trick::Error(25)]);
        until(|| member.last_heartbeat().is_none()).await;
        assert_eq!(lost(&member).await, LossReason::UnknownMember);
        assert!(prepare(&member).await.2);
        quiet(&member, ms(40)).await;
    });
}
