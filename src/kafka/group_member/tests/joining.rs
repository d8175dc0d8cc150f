//! Joining, leading, following, leaving, and what of it the caller decides.

use super::*;

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one story from the first join to the leave"
)]
fn a_member_joins_with_the_id_it_is_given_leads_and_leaves() {
    on_each_runtime(|| async {
        let cluster = MockCluster::start(2);
        let coordinator = Coordinator::on(&cluster);
        let member = GroupMember::new(config(&cluster));
        quiet(&member, ms(40)).await;
        assert!(cluster.world().log.is_empty(), "it is idle until asked");
        let before = Instant::now();
        member.request_join("a test begins");
        let (round, previous, was_lost) = prepare(&member).await;
        assert_eq!((previous, was_lost), (None, false));
        assert_eq!(member.last_heartbeat(), None);
        member.join(round, metadata("mine"));
        let GroupEvent::Lead {
            round: same,
            generation,
            protocol,
            leader,
            members,
        } = next(&member).await
        else {
            panic!("does not lead");
        };
        assert_eq!((same, generation), (round, 1));
        assert_eq!((protocol.as_str(), leader.as_str()), ("first", "member-1"));
        let of_another = Bytes::from_static(b"of another");
        let own = Bytes::from_static(b"mine");
        let expected = [
            ("member-1".to_owned(), own),
            ("other".to_owned(), of_another),
        ];
        assert_eq!(members, expected);
        assign_all(&member, round, &members);
        let GroupEvent::Joined {
            generation,
            member_id,
            protocol,
            is_leader,
            leader,
            assignment,
        } = next(&member).await
        else {
            panic!("not joined");
        };
        assert_eq!((generation, is_leader), (1, true));
        assert_eq!(
            (member_id, leader),
            ("member-1".to_owned(), "member-1".to_owned())
        );
        assert_eq!(protocol, "first");
        assert_eq!(assignment, b"work for mine"[..]);
        let beaten = member.last_heartbeat().unwrap();
        assert!(beaten >= before && beaten <= Instant::now());
        until(|| coordinator.heartbeats() > 2).await;
        member.leave(SOON, "done").await;
        assert_eq!(member.last_heartbeat(), None);
        let state = coordinator.state();
        let (first, second) = (&state.joins[0].1, &state.joins[1].1);
        assert_eq!(
            (first.member_id.as_str(), second.member_id.as_str()),
            ("", "member-1")
        );
        assert_eq!(second.protocol_type.as_str(), KIND);
        assert_eq!(
            (second.session_timeout_ms, second.rebalance_timeout_ms),
            (10_000, 20_000)
        );
        assert_eq!(second.reason.as_deref(), Some("a test begins"));
        let names: Vec<&str> = second.protocols.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
        assert_eq!(second.protocols[1].metadata, b"second choice"[..]);
        let sync = &state.syncs[0];
        assert_eq!((sync.generation_id, sync.assignments.len()), (1, 2));
        assert_eq!(sync.protocol_name.as_deref(), Some("first"));
        let beat = &state.heartbeats[0].1;
        assert_eq!(
            (beat.generation_id, beat.member_id.as_str()),
            (1, "member-1")
        );
        let left = &state.leaves[0].members[0];
        assert_eq!(
            (left.member_id.as_str(), left.reason.as_deref()),
            ("member-1", Some("done"))
        );
    });
}

#[test]
fn a_follower_gets_what_another_member_gave_it() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|_| {});
        coordinator.state().follower = Some(Bytes::from_static(b"given"));
        let (round, ..) = prepare(&member).await;
        member.join(round, metadata("mine"));
        let GroupEvent::Joined {
            is_leader,
            leader,
            assignment,
            ..
        } = next(&member).await
        else {
            panic!("not joined");
        };
        assert_eq!((is_leader, leader.as_str()), (false, "other"));
        assert_eq!(assignment, b"given"[..]);
        assert!(coordinator.state().syncs[0].assignments.is_empty());
    });
}

#[test]
fn metadata_is_asked_for_afresh_at_every_join_and_heartbeats_go_on_meanwhile() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|_| {});
        go_through(&member, "one").await;
        coordinator.play(ApiKey::Heartbeat, [Trick::Error(27)]);
        let (round, previous, was_lost) = prepare(&member).await;
        assert_eq!((previous, was_lost), (Some(1), false));
        let (joins, beats) = (coordinator.joins(), coordinator.heartbeats());
        until(|| coordinator.heartbeats() > beats + 3).await;
        assert_eq!(coordinator.joins(), joins, "it waits for the caller");
        member.join(round, metadata("two"));
        assert_eq!(
            finish(&member).await,
            (2, Bytes::from_static(b"work for two"))
        );
        let state = coordinator.state();
        let last = &state.joins.last().unwrap().1;
        assert_eq!(last.member_id.as_str(), "member-1");
        assert_eq!(last.reason.as_deref(), Some("group is already rebalancing"));
    });
}

#[test]
fn a_request_during_a_round_has_another_one_follow_and_one_before_the_metadata_has_not() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|_| {});
        let (round, ..) = prepare(&member).await;
        member.request_join("still before the metadata");
        member.join(round, metadata("one"));
        let (round, members) = lead(&member).await;
        assign_all(&member, round, &members);
        assert_eq!(joined(&member).await.0, 1);
        quiet(&member, ms(60)).await;
        member.request_join("once");
        let (round, ..) = prepare(&member).await;
        member.join(round, metadata("two"));
        let (round, members) = lead(&member).await;
        member.request_join("once more");
        assign_all(&member, round, &members);
        assert_eq!(joined(&member).await.0, 2);
        let (round, previous, _) = prepare(&member).await;
        assert_eq!(previous, Some(2));
        member.join(round, metadata("three"));
        assert_eq!(finish(&member).await.0, 3);
        quiet(&member, ms(60)).await;
        let state = coordinator.state();
        let last = state.joins.last().unwrap().1.reason.clone();
        assert_eq!(last.as_deref(), Some("once more"));
    });
}

#[test]
fn an_answer_to_an_earlier_round_is_not_taken_for_one_to_this() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|_| {});
        go_through(&member, "one").await;
        coordinator.play(ApiKey::Heartbeat, [Trick::Error(27), Trick::Error(25)]);
        let (old, ..) = prepare(&member).await;
        assert_eq!(lost(&member).await, LossReason::UnknownMember);
        let (new, previous, was_lost) = prepare(&member).await;
        assert_eq!((previous, was_lost), (Some(1), true));
        assert_ne!(old, new);
        let joins = coordinator.joins();
        member.join(old, metadata("stale"));
        member.assign(old, Ok(Vec::new()));
        quiet(&member, ms(40)).await;
        assert_eq!(coordinator.joins(), joins);
        member.join(new, metadata("fresh"));
        member.join(new, metadata("twice"));
        let (round, members) = lead(&member).await;
        assert_eq!(members[0].1, b"fresh"[..]);
        member.assign(old, Err("stale".to_owned()));
        assign_all(&member, round, &members);
        assert_eq!(joined(&member).await.1, b"work for fresh"[..]);
    });
}

#[test]
fn a_leader_that_can_not_assign_joins_again_after_a_pause() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|_| {});
        let (round, ..) = prepare(&member).await;
        member.join(round, metadata("one"));
        let (round, _) = lead(&member).await;
        member.assign(round, Err("no snapshot".to_owned()));
        assert_eq!(go_through(&member, "two").await.0, 2);
        let state = coordinator.state();
        assert_eq!(
            state.syncs.len(),
            1,
            "nothing was said of the first generation"
        );
        let reason = state.joins.last().unwrap().1.reason.clone();
        assert!(reason.unwrap().contains("no snapshot"));
    });
}

#[test]
fn a_leader_whose_assignment_is_not_wanted_is_not_asked_for_one() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) =
            start(|config| config.group_instance_id = Some("i".to_owned()));
        coordinator.state().skip_assignment = true;
        let (round, ..) = prepare(&member).await;
        member.join(round, metadata("one"));
        assert_eq!(joined(&member).await.1, b"as before"[..]);
        assert!(coordinator.state().syncs[0].assignments.is_empty());
        // And a static member keeps its place.
        member.leave(SOON, "back soon").await;
        assert!(coordinator.state().leaves.is_empty());
        assert_eq!(coordinator.joins(), 1, "no round for a member id");
    });
}

#[test]
fn leaving_in_the_midst_of_a_round_ends_it_and_the_member_can_join_anew() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|_| {});
        go_through(&member, "one").await;
        coordinator.play(ApiKey::JoinGroup, [Trick::Silent]);
        let joins = coordinator.joins();
        member.request_join("for the leave");
        let (round, ..) = prepare(&member).await;
        member.join(round, metadata("two"));
        until(|| coordinator.joins() > joins).await;
        let begun = Instant::now();
        member.leave(SOON, "enough").await;
        assert!(begun.elapsed() < ms(2000), "no wait for the join's answer");
        assert_eq!(coordinator.state().leaves.len(), 1);
        quiet(&member, ms(60)).await;
        let beats = coordinator.heartbeats();
        quiet(&member, ms(60)).await;
        assert_eq!(coordinator.heartbeats(), beats);
        member.request_join("back");
        let (round, previous, was_lost) = prepare(&member).await;
        assert_eq!((previous, was_lost), (None, false));
        member.join(round, metadata("three"));
        finish(&member).await;
        assert_eq!(coordinator.state().ids, 2, "as a new member");
    });
}

#[test]
fn a_dropped_member_sends_no_more_heartbeats() {
    on_each_runtime(|| async {
        let (_cluster, coordinator, member) = start(|_| {});
        go_through(&member, "one").await;
        until(|| coordinator.heartbeats() > 1).await;
        drop(member);
        shard::sleep(ms(40)).await;
        let beats = coordinator.heartbeats();
        shard::sleep(ms(80)).await;
        assert_eq!(coordinator.heartbeats(), beats);
        assert!(coordinator.state().leaves.is_empty());
    });
}

#[test]
fn coordinators_of_older_versions_are_spoken_to() {
    on_each_runtime(|| async {
        // As Kafka 2.8 has them, and the oldest forms with static membership.
        let old = [(11, 7), (14, 5), (12, 4), (13, 4), (10, 3)];
        let older = [(11, 5), (14, 3), (12, 3), (13, 3), (10, 2)];
        for versions in [old, older] {
            let cluster = MockCluster::start(1);
            cluster.world().version_max = versions.into();
            let coordinator = Coordinator::on(&cluster);
            let member = GroupMember::new(config(&cluster));
            member.request_join("to an old broker");
            assert_eq!(go_through(&member, "one").await.1, b"work for one"[..]);
            until(|| coordinator.heartbeats() > 1).await;
            member.leave(SOON, "done").await;
            assert_eq!(coordinator.state().leaves.len(), 1);
        }
    });
}
