//! What the records of a cluster's status topic say: who ran when, and for how long nobody did.
//!
//! No log line and no answer over REST counts here: workers of every system write the same records, and
//! each says when it was written (CreateTime), by which worker, and in which generation of the group.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A connector's or a task's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    /// The record's key: `status-connector-NAME` or `status-task-NAME-NUMBER`.
    pub(super) key: String,
    /// `RUNNING`, `UNASSIGNED` and so on; none when the record takes the status away.
    pub(super) state: Option<String>,
    /// Advertised address of the worker that wrote it.
    pub(super) worker: String,
    /// Of the group, as its worker knew it.
    pub(super) generation: i64,
    /// CreateTime, milliseconds since 1970.
    pub(super) millis: i64,
}

impl Status {
    /// None for keys of others than connectors and tasks (topics that connectors use have some).
    ///
    /// # Errors
    /// Names the key whose value is no status.
    pub(super) fn parse(
        key: &[u8],
        value: Option<&[u8]>,
        millis: i64,
    ) -> Result<Option<Self>, String> {
        let key = String::from_utf8_lossy(key).into_owned();
        if !key.starts_with(CONNECTOR) && !key.starts_with(TASK) {
            return Ok(None);
        }
        let Some(value) = value else {
            return Ok(Some(Self {
                key,
                state: None,
                worker: String::new(),
                generation: 0,
                millis,
            }));
        };
        let wrong = |what: &str| format!("{key}: {what} in {}", String::from_utf8_lossy(value));
        let json: Value = serde_json::from_slice(value).map_err(|e| wrong(&e.to_string()))?;
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let state = text("state").ok_or_else(|| wrong("no state"))?;
        let worker = text("worker_id").ok_or_else(|| wrong("no worker_id"))?;
        let generation = json["generation"].as_i64();
        let generation = generation.ok_or_else(|| wrong("no generation"))?;
        Ok(Some(Self {
            key,
            state: Some(state),
            worker,
            generation,
            millis,
        }))
    }

    fn runs(&self) -> bool {
        self.state.as_deref() == Some("RUNNING")
    }

    fn is_of_a_task(&self) -> bool {
        self.key.starts_with(TASK)
    }
}

const CONNECTOR: &str = "status-connector-";
const TASK: &str = "status-task-";

/// Key of a connector's status.
pub(super) fn connector_key(name: &str) -> String {
    format!("{CONNECTOR}{name}")
}

/// Key of the status of a connector's only task.
pub(super) fn task_key(name: &str) -> String {
    format!("{TASK}{name}-0")
}

/// A place in the history: what was written from it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(usize);

/// All records, those of one key in the order in which they stand in the topic.
#[derive(Debug, Default)]
pub(super) struct History {
    records: Vec<Status>,
    /// Place of each key's last record.
    last: BTreeMap<String, usize>,
}

/// What a change of the group's members did to tasks that ran before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Moves {
    /// For each task that changed its worker, milliseconds from its UNASSIGNED to its RUNNING elsewhere.
    pub(super) pauses: Vec<i64>,
    /// How many tasks changed their worker.
    pub(super) moved: u32,
    /// Tasks that changed their worker without an UNASSIGNED: it is not known for how long they stood.
    pub(super) unseen: u32,
    /// Tasks that are where they were, yet have records.
    pub(super) disturbed: u32,
    /// When the last task ran that had changed its worker.
    pub(super) last_millis: Option<i64>,
}

impl History {
    /// Appends. Two workers' records of one key keep their order, also when their times do not.
    pub(super) fn push(&mut self, mut status: Status) {
        if let Some(last) = self.last_of(&status.key) {
            status.millis = status.millis.max(last.millis);
        }
        self.last.insert(status.key.clone(), self.records.len());
        self.records.push(status);
    }

    fn last_of(&self, key: &str) -> Option<&Status> {
        self.last.get(key).map(|&at| &self.records[at])
    }

    /// From here on.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.records.len())
    }

    fn since(&self, mark: Mark) -> &[Status] {
        &self.records[mark.0.min(self.records.len())..]
    }

    /// Tasks that run now, and where.
    pub(super) fn running_tasks(&self) -> BTreeMap<String, String> {
        let last = self.last.values().map(|&at| &self.records[at]);
        last.filter(|status| status.runs() && status.is_of_a_task())
            .map(|status| (status.key.clone(), status.worker.clone()))
            .collect()
    }

    /// How many of `keys` run now.
    pub(super) fn running(&self, keys: &BTreeSet<String>) -> usize {
        let runs = |key: &&String| self.last_of(key).is_some_and(Status::runs);
        keys.iter().filter(runs).count()
    }

    /// A connector or task among `keys` that has failed.
    pub(super) fn failed<'k>(&self, keys: &'k BTreeSet<String>) -> Option<&'k str> {
        let failed = |key: &&String| {
            let last = self.last_of(key);
            last.is_some_and(|status| status.state.as_deref() == Some("FAILED"))
        };
        keys.iter().find(failed).map(String::as_str)
    }

    /// The first time since `mark` at which all of `keys` ran at once, by records since then.
    pub(super) fn all_running(&self, keys: &BTreeSet<String>, mark: Mark) -> Option<i64> {
        let mut records: Vec<&Status> = self.since(mark).iter().collect();
        // Partitions were read one after the other; one key's records are in order already.
        records.sort_by_key(|status| status.millis);
        let mut running: BTreeSet<&str> = BTreeSet::new();
        for status in records.iter().filter(|status| keys.contains(&status.key)) {
            if status.runs() {
                running.insert(&status.key);
            } else {
                running.remove(status.key.as_str());
            }
            if running.len() == keys.len() {
                return Some(status.millis);
            }
        }
        None
    }

    /// When the last of the tasks of `before` that ran on `worker` ran elsewhere, counting from `mark`.
    /// None while one of them does not.
    pub(super) fn all_elsewhere(
        &self,
        before: &BTreeMap<String, String>,
        worker: &str,
        mark: Mark,
    ) -> Option<i64> {
        let left = before.iter().filter(|(_, runner)| *runner == worker);
        let times = left.map(|(key, _)| {
            let elsewhere =
                |status: &&Status| status.key == *key && status.runs() && status.worker != worker;
            let first = self.since(mark).iter().find(elsewhere);
            first.map(|status| status.millis)
        });
        times.collect::<Option<Vec<i64>>>()?.into_iter().max()
    }

    /// What happened since `mark` to the tasks that ran `before`.
    pub(super) fn moves(&self, before: &BTreeMap<String, String>, mark: Mark) -> Moves {
        let mut moves = Moves::default();
        for (key, worker) in before {
            let records = self.since(mark).iter().filter(|status| status.key == *key);
            let records: Vec<&Status> = records.collect();
            match records.iter().rfind(|status| status.runs()) {
                Some(now) if now.worker != *worker => {
                    moves.moved += 1;
                    moves.last_millis = moves.last_millis.max(Some(now.millis));
                    match pauses(&records) {
                        pauses if pauses.is_empty() => moves.unseen += 1,
                        pauses => moves.pauses.extend(pauses),
                    }
                }
                _ if records.is_empty() => {}
                _ => moves.disturbed += 1,
            }
        }
        moves
    }

    /// The highest generation in records from `mark` on.
    pub(super) fn generation_since(&self, mark: Mark) -> Option<i64> {
        let known = self.since(mark).iter().filter(|s| s.state.is_some());
        known.map(|status| status.generation).max()
    }
}

/// Between each UNASSIGNED and the RUNNING after it.
fn pauses(records: &[&Status]) -> Vec<i64> {
    let mut pauses = Vec::new();
    let mut stopped = None;
    for status in records {
        if status.state.as_deref() == Some("UNASSIGNED") {
            stopped.get_or_insert(status.millis);
        } else if status.runs()
            && let Some(since) = stopped.take()
        {
            pauses.push(status.millis - since);
        }
    }
    pauses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(key: &str, state: &str, worker: &str, generation: i64, millis: i64) -> Status {
        let value = format!(
            r#"{{"state":"{state}","trace":null,"worker_id":"{worker}","generation":{generation},"version":null}}"#
        );
        let parsed = Status::parse(key.as_bytes(), Some(value.as_bytes()), millis);
        parsed.unwrap().unwrap()
    }

    fn history(records: &[(&str, &str, &str, i64)]) -> History {
        let mut history = History::default();
        for (name, state, worker, millis) in records {
            history.push(status(&task_key(name), state, worker, 3, *millis));
        }
        history
    }

    fn tasks(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| task_key(name)).collect()
    }

    #[test]
    fn records_of_connectors_and_tasks_are_read_and_others_passed_over() {
        let read = status("status-task-c-0", "RUNNING", "host:1", 7, 99);
        assert_eq!((read.worker.as_str(), read.generation), ("host:1", 7));
        assert!(read.runs() && read.is_of_a_task());
        let gone = Status::parse(b"status-connector-c", None, 1);
        assert_eq!(gone.unwrap().unwrap().state, None);
        let topic = b"status-topic-t:connector-c";
        assert_eq!(Status::parse(topic, Some(&b"{}"[..]), 1), Ok(None));
        for value in [
            "no json",
            r#"{"worker_id":"w","generation":1}"#,
            r#"{"state":"RUNNING","generation":1}"#,
            r#"{"state":"RUNNING","worker_id":"w"}"#,
        ] {
            let wrong = Status::parse(b"status-task-c-0", Some(value.as_bytes()), 1);
            assert!(wrong.unwrap_err().starts_with("status-task-c-0: "));
        }
    }

    #[test]
    fn all_run_when_the_last_one_does_and_none_has_stopped_meanwhile() {
        let mut history = history(&[
            ("a", "RUNNING", "w", 100),
            ("a", "UNASSIGNED", "w", 200),
            ("b", "RUNNING", "w", 300),
        ]);
        let start = Mark(0);
        assert_eq!(history.all_running(&tasks(&["a", "b"]), start), None);
        assert_eq!(history.running(&tasks(&["a", "b"])), 1);
        history.push(status(&task_key("a"), "RUNNING", "v", 4, 350));
        history.push(status(&task_key("b"), "UNASSIGNED", "w", 4, 400));
        assert_eq!(history.all_running(&tasks(&["a", "b"]), start), Some(350));
        assert_eq!(history.all_running(&tasks(&["b"]), start), Some(300));
    }

    #[test]
    fn partitions_read_one_after_the_other_are_put_in_the_order_of_time() {
        // The second partition's records are older than the first's last one.
        let history = history(&[
            ("a", "RUNNING", "w", 100),
            ("a", "UNASSIGNED", "w", 300),
            ("b", "RUNNING", "w", 200),
        ]);
        assert_eq!(history.all_running(&tasks(&["a", "b"]), Mark(0)), Some(200));
    }

    #[test]
    fn only_what_was_written_since_the_mark_counts() {
        let mut history = history(&[("a", "RUNNING", "w", 100)]);
        let mark = history.mark();
        assert_eq!(history.all_running(&tasks(&["a"]), mark), None);
        assert_eq!(history.generation_since(mark), None);
        history.push(status(&task_key("a"), "RUNNING", "v", 9, 200));
        assert_eq!(history.all_running(&tasks(&["a"]), mark), Some(200));
        assert_eq!(history.generation_since(mark), Some(9));
        assert_eq!(history.running_tasks()[&task_key("a")], "v");
    }

    #[test]
    fn a_lost_workers_tasks_are_elsewhere_when_the_last_of_them_is() {
        let mut history = history(&[
            ("a", "RUNNING", "lost", 10),
            ("b", "RUNNING", "lost", 10),
            ("c", "RUNNING", "kept", 10),
        ]);
        let (before, mark) = (history.running_tasks(), history.mark());
        assert_eq!(history.all_elsewhere(&before, "lost", mark), None);
        history.push(status(&task_key("a"), "RUNNING", "kept", 4, 70));
        // What the lost worker itself still writes is no takeover.
        history.push(status(&task_key("b"), "RUNNING", "lost", 3, 80));
        assert_eq!(history.all_elsewhere(&before, "lost", mark), None);
        history.push(status(&task_key("b"), "RUNNING", "kept", 4, 90));
        // A later move of the first is another matter.
        history.push(status(&task_key("a"), "RUNNING", "third", 5, 500));
        assert_eq!(history.all_elsewhere(&before, "lost", mark), Some(90));
    }

    #[test]
    fn tasks_that_move_have_a_pause_and_those_that_stay_have_no_record() {
        let mut history = history(&[
            ("stays", "RUNNING", "one", 10),
            ("moves", "RUNNING", "one", 10),
            ("back", "RUNNING", "one", 10),
            ("silent", "RUNNING", "one", 10),
        ]);
        let (before, mark) = (history.running_tasks(), history.mark());
        assert_eq!(history.moves(&before, mark), Moves::default());
        for (name, state, worker, millis) in [
            ("moves", "UNASSIGNED", "one", 100),
            ("back", "UNASSIGNED", "one", 110),
            ("moves", "RUNNING", "two", 140),
            ("back", "RUNNING", "one", 150),
            ("silent", "RUNNING", "two", 160),
        ] {
            history.push(status(&task_key(name), state, worker, 4, millis));
        }
        let moves = Moves {
            pauses: vec![40],
            moved: 2,
            unseen: 1,
            disturbed: 1,
            last_millis: Some(160),
        };
        assert_eq!(history.moves(&before, mark), moves);
    }

    #[test]
    fn a_task_that_moves_twice_has_both_pauses_and_stops_once_for_two_unassigned() {
        let mut history = history(&[("a", "RUNNING", "one", 10)]);
        let (before, mark) = (history.running_tasks(), history.mark());
        for (state, worker, millis) in [
            ("UNASSIGNED", "one", 100),
            ("UNASSIGNED", "one", 105),
            ("RUNNING", "two", 130),
            ("UNASSIGNED", "two", 200),
            ("RUNNING", "three", 207),
        ] {
            history.push(status(&task_key("a"), state, worker, 4, millis));
        }
        assert_eq!(history.moves(&before, mark).pauses, [30, 7]);
    }

    #[test]
    fn records_of_one_key_keep_their_order_whatever_their_clocks_say() {
        let mut history = history(&[("a", "UNASSIGNED", "one", 100)]);
        history.push(status(&task_key("a"), "RUNNING", "two", 4, 98));
        assert_eq!(history.all_running(&tasks(&["a"]), Mark(0)), Some(100));
    }

    #[test]
    fn a_failure_is_found_and_a_deleted_connector_does_not_run() {
        let mut history = history(&[("a", "FAILED", "one", 1), ("b", "RUNNING", "one", 1)]);
        let keys = tasks(&["a", "b"]);
        assert_eq!(history.failed(&keys), Some("status-task-a-0"));
        history.push(Status::parse(b"status-task-b-0", None, 5).unwrap().unwrap());
        assert_eq!(history.running(&keys), 0);
        assert_eq!(history.generation_since(Mark(0)), Some(3));
    }
}
