//! Median with least and most, over the rounds of a system.

/// The rounds' middle and ends. All are finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// Of an even number of rounds: halfway between the two in the middle.
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    /// Rounds that gave a figure.
    pub(super) rounds: usize,
}

impl Spread {
    /// None without a single number; what isn't finite is left out.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values
            .into_iter()
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[half]
        } else {
            f64::midpoint(values[half - 1], values[half])
        };
        Some(Self {
            median,
            least,
            most,
            rounds: values.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_round_and_halfway_between_two() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(
            (odd.median, odd.least, odd.most, odd.rounds),
            (2.0, 1.0, 3.0, 3)
        );
        assert_eq!(Spread::of([4.0, 1.0]).unwrap().median, 2.5);
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, f64::INFINITY]), None);
        assert_eq!(Spread::of([f64::NAN, 5.0]).unwrap().rounds, 1);
    }
}
