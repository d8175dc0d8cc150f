//! Which runs give figures. A run that failed, or whose output was not checked and found right, gives none.

use crate::results::{Kind, Run};

/// Why the run gives no figure; none when it counts.
pub(super) fn why_not(kind: Kind, run: &Run) -> Option<String> {
    if let Some(error) = &run.error {
        return Some(error.clone());
    }
    let Some(check) = &run.verification else {
        return match kind {
            Kind::Throughput | Kind::Latency => Some("the output was not checked".into()),
            // Nothing is moved that could be checked.
            Kind::Idle | Kind::StartUp | Kind::Cluster => None,
        };
    };
    if check.expected != check.found {
        return Some(format!(
            "{} records should be at the destination, {} are (checked by {})",
            check.expected, check.found, check.reader
        ));
    }
    (check.expected_checksum != check.checksum).then(|| {
        format!(
            "the checksum of what went in is {}, of what arrived {} (checked by {})",
            check.expected_checksum, check.checksum, check.reader
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn only_checked_runs_count() {
        let good = sample::run("ringmain", 1);
        assert_eq!(why_not(Kind::Throughput, &good), None);

        let mut unchecked = good.clone();
        unchecked.verification = None;
        assert!(why_not(Kind::Throughput, &unchecked).is_some());
        assert!(why_not(Kind::Latency, &unchecked).is_some());
        assert_eq!(why_not(Kind::Idle, &unchecked), None);

        let mut short = good.clone();
        short.verification.as_mut().unwrap().found -= 1;
        assert!(
            why_not(Kind::Throughput, &short)
                .unwrap()
                .contains("999999")
        );

        let mut mangled = good.clone();
        mangled.verification.as_mut().unwrap().checksum = "dead".into();
        assert!(
            why_not(Kind::Throughput, &mangled)
                .unwrap()
                .contains("dead")
        );

        let mut failed = good;
        failed.error = Some("exited with 1".into());
        assert_eq!(why_not(Kind::Throughput, &failed).unwrap(), "exited with 1");
    }
}
