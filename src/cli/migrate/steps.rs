//! How a cluster is taken over at the same offsets, and given back.

use super::cluster::{Cluster, Found};
use super::finding::Verdict;
use super::worker::Worker;

/// What to do, in order.
#[derive(Debug, serde::Serialize)]
pub(super) struct Steps {
    pub(super) take_over: Vec<String>,
    pub(super) go_back: Vec<String>,
}

/// What stands in a step where no address is known.
const ANY_URL: &str = "http://WORKER:8083";

impl Steps {
    /// For this cluster, whose connectors were judged so.
    pub(super) fn new(cluster: &Cluster, worker: &Worker, verdicts: &[Verdict]) -> Self {
        let is_standalone = worker.is_known && worker.file.config.distributed().is_none();
        let url = match cluster.origin.by {
            "rest" => cluster.origin.at.as_str(),
            _ => ANY_URL,
        };
        match is_standalone {
            true => Self::standalone(url),
            false => Self::distributed(cluster, url, verdicts),
        }
    }

    fn distributed(cluster: &Cluster, url: &str, verdicts: &[Verdict]) -> Self {
        let judged = cluster.connectors.iter().zip(verdicts);
        let stay = judged.filter(|(_, verdict)| **verdict == Verdict::Unsupported);
        let stay: Vec<&Found> = stay.map(|(connector, _)| connector).collect();
        let mut take_over = vec![
            format!(
                "Keep what runs now: `ringmain ctl --url {url} --json describe NAME` and `ringmain ctl --url {url} --json offsets show NAME` for each connector, each into a file."
            ),
            "Take the file of the cluster's workers as it is (group.id, the three topics, converters, security), with exactly.once.source.support=disabled, and look at it with `ringmain doctor WORKER.properties` where the worker will run.".to_owned(),
        ];
        if !stay.is_empty() {
            let names: Vec<&str> = stay
                .iter()
                .map(|connector| connector.name.as_str())
                .collect();
            take_over.push(format!(
                "{} can't run in Ringmain: leave one worker of Apache's in the group for them, or stop them (`ringmain ctl --url {url} stop NAME`); their configurations and offsets stay.",
                names.join(", ")
            ));
        }
        take_over.extend([
            "Worker by worker: end Apache's with SIGTERM, so that its tasks commit, and start `ringmain distributed WORKER.properties` in its place. It joins the same group and reads the same topics: sources go on at the offsets in the offset topic, sinks at those of their consumer groups. Nothing is copied.".to_owned(),
            format!(
                "Wait for each before the next: `ringmain ctl --url {url} wait NAME…`, and compare `ringmain ctl --url {url} offsets show NAME` with what was kept. While one worker is Apache's, what a lost worker ran waits for scheduled.rebalance.max.delay.ms."
            ),
        ]);
        let go_back = vec![
            "Worker by worker: end `ringmain distributed` with SIGTERM and start Apache's connect-distributed with the same file; it passes over keys of Ringmain's. Both may be in the group together.".to_owned(),
            "Nothing is converted: configurations, statuses and offsets are in the same topics in Apache's form, and offsets of sinks in their consumer groups.".to_owned(),
        ];
        Self { take_over, go_back }
    }

    fn standalone(url: &str) -> Self {
        let take_over = vec![
            format!(
                "Keep what runs now: `ringmain ctl --url {url} --json describe NAME` and `ringmain ctl --url {url} --json offsets show NAME` for each connector, each into a file. Connectors that were made by REST are in no file: these are theirs."
            ),
            "Copy the file of offset.storage.file.filename.".to_owned(),
            "End Apache's worker with SIGTERM, so that its tasks commit, and start `ringmain standalone WORKER.properties CONNECTOR.properties…` with the same files. The offset file is imported, the old one kept beside it as .java.bak; sinks go on at the offsets of their consumer groups.".to_owned(),
        ];
        let go_back = vec![
            "Keep the offsets of sources: `ringmain ctl --json offsets show NAME` for each, into a file.".to_owned(),
            "End `ringmain standalone`, put the .java.bak file back under its old name and start Apache's worker; sinks go on by themselves.".to_owned(),
            "Bring the sources to where they were: `ringmain ctl stop NAME`, `ringmain ctl offsets alter NAME FILE`, `ringmain ctl resume NAME`.".to_owned(),
        ];
        Self { take_over, go_back }
    }
}
