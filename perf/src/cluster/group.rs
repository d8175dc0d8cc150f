//! What the broker says about a cluster's group, from a thread that asks often: when it had a new member,
//! or gave one up. Workers' own logs say the same, each system in other words.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kafka_protocol::messages::{DescribeGroupsRequest, GroupId};
use kafka_protocol::protocol::StrBytes;

use crate::error::{Error, Result};
use crate::wire::{Connection, Wire};

use super::now_millis;

/// Between two looks: what the times of the group are exact to.
const INTERVAL: Duration = Duration::from_millis(5);
/// Of `DescribeGroups`.
const VERSION: i16 = 5;

/// The group at one instant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    /// When it was first seen so; milliseconds since 1970.
    pub(super) millis: f64,
    /// The broker's word: `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable` or `Dead`.
    pub(super) state: String,
    /// How many.
    pub(super) members: usize,
    /// As the assignments name it; only of a stable group.
    pub(super) leader_url: Option<String>,
}

impl Sight {
    /// Whether all members have their assignments.
    pub(super) fn is_stable(&self) -> bool {
        self.state == "Stable"
    }
}

/// Watches until it is dropped.
#[derive(Debug)]
pub(super) struct GroupWatch {
    seen: Arc<Mutex<Seen>>,
    enough: Arc<AtomicBool>,
}

/// A sight for each change.
#[derive(Debug, Default)]
struct Seen {
    sights: Vec<Sight>,
    /// Why nothing more will be seen.
    failed: Option<String>,
}

impl GroupWatch {
    /// Over a connection of its own.
    ///
    /// # Errors
    /// No broker coordinates the group.
    pub(super) fn start(wire: &mut Wire, group: &str) -> Result<Self> {
        let mut connection = wire.connect_coordinator(group)?;
        let group = group.to_owned();
        let watch = Self {
            seen: Arc::default(),
            enough: Arc::default(),
        };
        let (seen, enough) = (Arc::clone(&watch.seen), Arc::clone(&watch.enough));
        std::thread::spawn(move || {
            while !enough.load(Ordering::Relaxed) {
                let looked = look(&mut connection, &group);
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match looked {
                    Ok(Some(sight)) => seen.add(sight),
                    Ok(None) => {}
                    Err(why) => {
                        seen.failed = Some(why);
                        return;
                    }
                }
                drop(seen);
                std::thread::sleep(INTERVAL);
            }
        });
        Ok(watch)
    }

    /// The group now.
    ///
    /// # Errors
    /// The broker does not answer any more.
    pub(super) fn now(&self) -> Result<Option<Sight>> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match &seen.failed {
            Some(why) => Err(Error::Kafka(format!("describing the group: {why}"))),
            None => Ok(seen.sights.last().cloned()),
        }
    }

    /// When the group was first seen as `wanted` says, at `from` or later.
    pub(super) fn first(&self, from: f64, wanted: impl Fn(&Sight) -> bool) -> Option<f64> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut later = seen.sights.iter().filter(|sight| sight.millis >= from);
        later.find(|sight| wanted(sight)).map(|sight| sight.millis)
    }
}

impl Seen {
    fn add(&mut self, sight: Sight) {
        let same = |last: &Sight| {
            (&last.state, last.members, &last.leader_url)
                == (&sight.state, sight.members, &sight.leader_url)
        };
        if !self.sights.last().is_some_and(same) {
            self.sights.push(sight);
        }
    }
}

impl Drop for GroupWatch {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

/// None while the coordinator loads or moves.
fn look(connection: &mut Connection, group: &str) -> Result<Option<Sight>, String> {
    let id = GroupId(StrBytes::from_string(group.to_owned()));
    let request = DescribeGroupsRequest::default().with_groups(vec![id]);
    let answer = connection.call(VERSION, &request);
    let answer = answer.map_err(|e| e.to_string())?;
    let described = answer.groups.first().filter(|group| group.error_code == 0);
    Ok(described.map(|group| {
        let mut leaders = group.members.iter();
        Sight {
            millis: now_millis(),
            state: group.group_state.to_string(),
            members: group.members.len(),
            leader_url: leaders.find_map(|member| leader_url(&member.member_assignment)),
        }
    }))
}

/// From an assignment of the `connect` protocol, whose versions all begin with version, error, and the
/// leader's member id and URL.
fn leader_url(assignment: &[u8]) -> Option<String> {
    let (_, rest) = assignment.split_at_checked(4)?;
    let (_, rest) = string(rest)?;
    let (url, _) = string(rest)?;
    Some(String::from_utf8_lossy(url).into_owned())
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(2)?;
    let length = u16::from_be_bytes(length.try_into().ok()?);
    rest.split_at_checked(usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leader_is_read_from_any_assignment() {
        let mut assignment = vec![0, 2, 0, 0];
        for text in ["connect-1-id", "http://127.0.0.1:8083/"] {
            assignment.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            assignment.extend(text.as_bytes());
        }
        let url = Some("http://127.0.0.1:8083/".to_owned());
        assert_eq!(leader_url(&assignment), url, "nothing after it is needed");
        assignment.extend([0; 8]);
        assert_eq!(leader_url(&assignment), url);
        for length in 0..assignment.len() - 9 {
            assert_eq!(leader_url(&assignment[..length]), None, "{length}");
        }
    }

    #[test]
    fn only_changes_are_kept_with_the_time_at_which_they_were_first_seen() {
        let sight = |millis, state: &str, members| Sight {
            millis,
            state: state.to_owned(),
            members,
            leader_url: None,
        };
        let watch = GroupWatch {
            seen: Arc::default(),
            enough: Arc::default(),
        };
        for seen in [
            sight(1.0, "Stable", 3),
            sight(2.0, "Stable", 3),
            sight(3.0, "PreparingRebalance", 2),
            sight(4.0, "Stable", 2),
        ] {
            watch.seen.lock().unwrap().add(seen);
        }
        let left = watch.first(1.5, |sight| !sight.is_stable());
        assert_eq!(left, Some(3.0));
        assert_eq!(watch.first(3.5, Sight::is_stable), Some(4.0));
        assert_eq!(watch.first(4.5, |_| true), None);
        assert_eq!(watch.now().unwrap(), Some(sight(4.0, "Stable", 2)));
        watch.seen.lock().unwrap().failed = Some("gone".to_owned());
        assert!(watch.now().unwrap_err().to_string().contains("gone"));
    }
}
