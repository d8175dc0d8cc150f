//! Which part of a run counts as steady: after warming up, before the end.

/// What was seen at one instant of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Point {
    /// Since the process started.
    pub(crate) seconds: f64,
    /// Records at the destination.
    pub(crate) records: u64,
    /// Worker's CPU time, and the part in user mode.
    pub(crate) cpu: (f64, f64),
    /// Broker's CPU time, and the part in user mode.
    pub(crate) broker: (f64, f64),
    /// Resident memory of the worker.
    pub(crate) resident_bytes: u64,
}

/// The part of the records that warm up, if the scenario does not say.
pub(crate) const WARM_UP: f64 = 0.25;
/// Where the steady part ends: the last records of a file or topic are met with half-empty batches.
const END: f64 = 0.97;
/// Least number of looks in a steady part, and its least length in seconds.
const LEAST: (usize, f64) = (4, 0.1);

/// First and last point of the steady part. None when the run was too short to have one.
///
/// Both lie where progress was seen to move: a look between two bursts would count CPU time without
/// its records, or records without their time.
pub(crate) fn window(points: &[Point], warm_up: f64) -> Option<(usize, usize)> {
    let total = points.last()?.records;
    let moved: Vec<usize> = (1..points.len())
        .filter(|&at| points[at].records > points[at - 1].records)
        .collect();
    let from = moved
        .iter()
        .position(|&at| reached(points[at].records, total, warm_up))?;
    let to = moved
        .iter()
        .rposition(|&at| points[at].records < total && !reached(points[at].records, total, END))?;
    if to < from + LEAST.0 {
        return None;
    }
    let (from, to) = (moved[from], moved[to]);
    (points[to].seconds - points[from].seconds >= LEAST.1).then_some((from, to))
}

#[expect(clippy::cast_precision_loss, reason = "a part of a whole")]
fn reached(records: u64, total: u64, part: f64) -> bool {
    records as f64 >= total as f64 * part
}

/// At most `most` points, evenly chosen, the last one among them.
pub(crate) fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let step = points.len().div_ceil(most.max(1)).max(1);
    let mut few: Vec<Point> = points.iter().copied().step_by(step).collect();
    if let (Some(last), false) = (points.last(), points.len() % step == 1 || step == 1) {
        few.push(*last);
    }
    few
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(records: impl IntoIterator<Item = u64>) -> Vec<Point> {
        let numbered = records.into_iter().enumerate();
        numbered
            .map(|(at, records)| Point {
                seconds: at as f64 * 0.05,
                records,
                ..Point::default()
            })
            .collect()
    }

    #[test]
    fn start_warm_up_and_end_are_left_out() {
        let records = std::iter::repeat_n(0, 40).chain((1..=100).map(|n| n * 10));
        let points = points(records);
        let (from, to) = window(&points, 0.25).unwrap();
        assert_eq!(points[from].records, 250);
        assert_eq!(points[to].records, 960);
    }

    #[test]
    fn edges_lie_where_records_arrived() {
        let records = (0..100).map(|n| n / 5 * 50);
        let points = points(records);
        let (from, to) = window(&points, 0.25).unwrap();
        assert!(points[from].records > points[from - 1].records);
        assert!(points[to].records > points[to - 1].records);
    }

    #[test]
    fn too_short_a_run_has_no_steady_part() {
        assert_eq!(window(&[], 0.25), None);
        assert_eq!(window(&points([0, 0, 100]), 0.25), None);
        assert_eq!(window(&points([0, 20, 40, 60, 80, 100]), 0.25), None);
    }

    #[test]
    fn thinning_keeps_the_ends() {
        let points = points(0..1003);
        let few = thinned(&points, 100);
        assert!(few.len() <= 101);
        assert_eq!((few[0].records, few[few.len() - 1].records), (0, 1002));
        assert_eq!(thinned(&points[..5], 100).len(), 5);
    }
}
