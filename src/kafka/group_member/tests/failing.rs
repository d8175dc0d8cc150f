//! Errors of the coordinator, in each of the calls, and connections that break.

use super::*;

/// Outages of some back-offs are none.
fn calm(config: &mut GroupMemberConfig) {
    config.heartbeat_interval = ms(2000);
}

/// Codes that a coordinator may answer with while it is not ready, or not the one.
const NOT_NOW: [i16; 4] = [14, 15, 16, 27];

#[test]
fn a_coordinator_that_loads_moves_or_rebalances_is_asked_again() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(calm);
        coordinator.play(ApiKey::JoinGroup, NOT_NOW.map(Trick::Error));
        coordinator.play(ApiKey::SyncGroup, NOT_NOW.map(Trick::Error));
        let (generation, _) = go_through(&member, "one").await;
        assert_eq!(generation, 5, "a generation for each answer to SyncGroup");
        let state = coordinator.state();
        // Four refused, one for the member id, five that were answered.
        assert_eq!((state.joins.len(), state.syncs.len()), (10, 5));
        assert_eq!(state.ids, 1, "it stays the same member");
    });
}

#[test]
fn heartbeats_that_are_not_answered_as_such_cost_nothing_while_the_session_lasts() {
    on_each_runtime(|| async {
        let (cluster, coordinator, member) = start(|config| config.heartbeat_interval = ms(300));
        go_through(&member, "one").await;
        // UNKNOWN_SERVER_ERROR is no reason to give up either.
        let codes = [14, 15, 16, -1].map(Trick::Error);
        coordinator.play(ApiKey::Heartbeat, codes);
        coordinator.play(ApiKey::Heartbeat, [Trick::Disconnect, Trick::Truncate(7)]);
        until(|| coordinator.heartbeats() > 7).await;
        let before = member.last_heartbeat().unwrap();
        cluster.world().coordinator = 2;
        let lookups = cluster.count(ApiKey::FindCoordinator);
        until(|| cluster.count(ApiKey::FindCoordinator) > lookups).await;
        until(|| member.last_heartbeat().unwrap() > before).await;
        quiet(&member, ms(50)).await;
        assert_eq!(coordinator.state().generation, 1, "nothing was joined anew");
    });
}

#[test]
fn a_rebalance_that_begins_before_the_sync_is_joined_at_once() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|config| {
            config.common.retry_backoff = ms(5000);
            config.common.retry_backoff_max = ms(5000);
        });
        go_through(&member, "one").await;
        coordinator.play(ApiKey::SyncGroup, [Trick::Error(27)]);
        member.request_join("to be overtaken");
        let begun = Instant::now();
        let (round, ..) = prepare(&member).await;
        member.join(round, metadata("two"));
        let (round, members) = lead(&member).await;
        assign_all(&member, round, &members);
        // The generation that the caller knows, though the member was in another.
        let (round, previous, was_lost) = prepare(&member).await;
        assert_eq!((previous, was_lost), (Some(1), false));
        member.join(round, metadata("three"));
        assert_eq!(finish(&member).await.0, 3);
        assert!(begun.elapsed() < ms(4000), "no pause");
    });
}

#[test]
fn a_coordinator_that_refuses_for_ever_is_not_asked_without_pause() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|config| {
            config.common.retry_backoff = ms(20);
            config.common.retry_backoff_max = ms(40);
        });
        coordinator.play(
            ApiKey::JoinGroup,
            std::iter::repeat_n(Trick::Error(25), 10_000),
        );
        let answering = async {
            loop {
                let (round, ..) = prepare(&member).await;
                member.join(round, metadata("one"));
            }
        };
        let endless: Result<(), _> = shard::timeout(ms(400), answering).await;
        endless.unwrap_err();
        let joins = coordinator.joins();
        assert!((5..=26).contains(&joins), "{joins} in 400 ms");
    });
}

#[test]
fn an_unknown_member_or_generation_is_told_and_joined_anew() {
    on_each_runtime(|| async {
        let unknown = LossReason::UnknownMember;
        let cases = [
            (25, unknown, ""),
            (22, LossReason::IllegalGeneration, "member-1"),
        ];
        for api in [ApiKey::Heartbeat, ApiKey::JoinGroup, ApiKey::SyncGroup] {
            for (error, reason, id) in cases {
                let (_cluster, coordinator, member) = start(|_| {});
                go_through(&member, "one").await;
                let joins = coordinator.joins();
                coordinator.play(api, [Trick::Error(error)]);
                if api != ApiKey::Heartbeat {
                    member.request_join("to be refused");
                    let (round, ..) = prepare(&member).await;
                    member.join(round, metadata("two"));
                }
                if api == ApiKey::SyncGroup {
                    let (round, members) = lead(&member).await;
                    assign_all(&member, round, &members);
                }
                assert_eq!(lost(&member).await, reason, "{api:?}");
                assert_eq!(member.last_heartbeat(), None);
                let (round, previous, was_lost) = prepare(&member).await;
                assert_eq!((previous, was_lost), (Some(1), true));
                member.join(round, metadata("three"));
                finish(&member).await;
                let state = coordinator.state();
                let again = joins + usize::from(api != ApiKey::Heartbeat);
                assert_eq!(
                    state.joins[again].1.member_id.as_str(),
                    id,
                    "{api:?} {error}"
                );
            }
        }
    });
}

#[test]
fn a_first_join_that_is_refused_loses_nothing() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(calm);
        let tricks = [Trick::None, Trick::Error(25), Trick::Error(22)];
        coordinator.play(ApiKey::JoinGroup, tricks);
        // Panics at a lost session.
        go_through(&member, "one").await;
        assert_eq!(coordinator.state().ids, 2);
    });
}

#[test]
fn answers_that_break_off_have_the_member_join_again_as_the_same() {
    on_each_runtime(|| async {
        for api in [ApiKey::JoinGroup, ApiKey::SyncGroup] {
            for trick in [Trick::Disconnect, Trick::Truncate(3), Trick::Truncate(20)] {
                let (_cluster, coordinator, member) = start(calm);
                go_through(&member, "one").await;
                coordinator.play(api, [trick]);
                member.request_join("to be cut off");
                go_through(&member, "two").await;
                let state = coordinator.state();
                assert_eq!(state.ids, 1);
                assert_eq!(state.joins.last().unwrap().1.member_id.as_str(), "member-1");
            }
        }
    });
}

#[test]
fn what_will_not_get_better_is_told_and_ends_the_membership() {
    on_each_runtime(|| async {
        let cases = [
            (ApiKey::JoinGroup, 81, "GROUP_MAX_SIZE_REACHED"),
            (ApiKey::JoinGroup, 30, "GROUP_AUTHORIZATION_FAILED"),
            (ApiKey::JoinGroup, 26, "INVALID_SESSION_TIMEOUT"),
            (ApiKey::JoinGroup, 23, "INCONSISTENT_GROUP_PROTOCOL"),
            (ApiKey::JoinGroup, 82, "FENCED_INSTANCE_ID"),
            (ApiKey::SyncGroup, 30, "GROUP_AUTHORIZATION_FAILED"),
            (ApiKey::SyncGroup, 82, "FENCED_INSTANCE_ID"),
            (ApiKey::Heartbeat, 30, "GROUP_AUTHORIZATION_FAILED"),
            (ApiKey::Heartbeat, 82, "FENCED_INSTANCE_ID"),
        ];
        for (api, error, name) in cases {
            let (_cluster, coordinator, member) = start(|_| {});
            go_through(&member, "one").await;
            coordinator.play(api, [Trick::Error(error)]);
            if api != ApiKey::Heartbeat {
                member.request_join("to be refused");
                let (round, ..) = prepare(&member).await;
                member.join(round, metadata("two"));
            }
            if api == ApiKey::SyncGroup {
                let (round, members) = lead(&member).await;
                assign_all(&member, round, &members);
            }
            let told = failed(&member).await;
            assert!(told.contains(name) && told.contains("group g"), "{told}");
            assert_eq!(member.last_heartbeat(), None);
            let joins = coordinator.joins();
            member.request_join("in vain");
            // A heartbeat that was on its way may still arrive.
            quiet(&member, ms(60)).await;
            let beats = coordinator.heartbeats();
            quiet(&member, ms(60)).await;
            assert_eq!(
                (joins, beats),
                (coordinator.joins(), coordinator.heartbeats())
            );
        }
    });
}

#[test]
fn a_group_that_agreed_on_something_else_is_no_group_for_this_member() {
    on_each_runtime(|| async {
        type Change = fn(&mut coordinator::State);
        let cases: [(Change, &str); 3] = [
            (
                |state| state.protocol_type = Some("consumer"),
                "'consumer' there",
            ),
            (
                |state| state.protocol = Some("third"),
                "'third', which was not offered",
            ),
            (
                |state| state.sync_protocol = Some("second"),
                "'second' there",
            ),
        ];
        for (change, expected) in cases {
            let (_cluster, coordinator, member) = start(|_| {});
            change(&mut coordinator.state());
            let (round, ..) = prepare(&member).await;
            member.join(round, metadata("one"));
            let told = loop {
                match next(&member).await {
                    GroupEvent::Lead { round, members, .. } => assign_all(&member, round, &members),
                    GroupEvent::Failed(error) => break error.to_string(),
                    other => panic!("{other:?}"),
                }
            };
            assert!(told.contains("INCONSISTENT_GROUP_PROTOCOL"), "{told}");
            assert!(told.contains(expected), "{told}");
        }
    });
}

#[test]
fn settings_that_can_not_work_are_named() {
    on_each_runtime(|| async {
        let (_cluster, _coordinator, member) = start(|config| {
            config.heartbeat_interval = ms(3000);
            config.session_timeout = ms(3000);
        });
        let told = failed(&member).await;
        assert!(told.starts_with("heartbeat.interval.ms: 3000 ms"), "{told}");
    });
}

#[test]
fn a_farewell_that_is_refused_or_moves_still_ends_the_membership_here() {
    on_each_runtime(|| async {
        for (tricks, farewells) in [(vec![25], 1), (vec![27], 1), (vec![14, 16], 3)] {
            let (_cluster, coordinator, member) = start(calm);
            go_through(&member, "one").await;
            coordinator.play(ApiKey::LeaveGroup, tricks.into_iter().map(Trick::Error));
            member.leave(SOON, "done").await;
            assert_eq!(coordinator.state().leaves.len(), farewells);
            quiet(&member, ms(40)).await;
        }
    });
}
