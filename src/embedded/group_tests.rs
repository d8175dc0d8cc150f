//! Committed offsets as an administrator changes them.

use std::sync::Arc;

use super::tests::{LONG, consumer, on_shard, open};
use super::*;
use crate::api::TopicPartition;
use crate::clients::{Admin, ClientError, Consumer, Polled, Subscription};

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn code_of(result: Result<(), ClientError>) -> i16 {
    match result {
        Err(ClientError::Api { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn offsets_of_a_group_without_members_are_changed_taken_away_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        log.create_topic("t", 2, &[]).unwrap();
        let admin = EmbeddedAdmin::new(Arc::clone(&log));
        let none = admin.delete_group_offsets("g", &[at(0)]).await;
        assert_eq!(code_of(none), 69);
        assert!(!admin.delete_group("g").await.unwrap());
        let wanted = [(at(0), 5), (at(1), 7)];
        admin.alter_group_offsets("g", &wanted).await.unwrap();
        assert_eq!(admin.group_offsets("g").await.unwrap(), wanted);
        admin.delete_group_offsets("g", &[at(0)]).await.unwrap();
        assert_eq!(admin.group_offsets("g").await.unwrap(), [(at(1), 7)]);
        let unknown = admin
            .alter_group_offsets("g", &[(at(1), 9), (at(2), 1)])
            .await;
        assert_eq!(code_of(unknown), 3);
        assert_eq!(admin.group_offsets("g").await.unwrap(), [(at(1), 7)]);
        assert!(admin.delete_group("g").await.unwrap());
        assert!(admin.group_offsets("g").await.unwrap().is_empty());
    });
}

#[test]
fn offsets_of_a_group_with_members_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    on_shard(async move {
        let log = open(&path);
        log.create_topic("t", 1, &[]).unwrap();
        let member = consumer(&log, Some("g"));
        member.subscribe(Subscription::Topics(vec!["t".to_owned()]));
        assert!(matches!(
            member.poll(LONG).await.unwrap(),
            Polled::Assigned(_)
        ));
        let admin = EmbeddedAdmin::new(Arc::clone(&log));
        let altered = admin.alter_group_offsets("g", &[(at(0), 5)]).await;
        assert_eq!(code_of(altered), 25);
        let deleted = admin.delete_group_offsets("g", &[at(0)]).await;
        assert_eq!(code_of(deleted), 86);
        let group = admin.delete_group("g").await.map(|_| ());
        assert_eq!(code_of(group), 68);
        member.close(LONG).await;
        admin.alter_group_offsets("g", &[(at(0), 5)]).await.unwrap();
    });
}
