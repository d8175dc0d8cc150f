//! From values to places on an axis, and the ticks.

/// How values spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spacing {
    /// From zero.
    Linear,
    /// By powers of ten.
    Log,
    /// Percentiles, by the share that is *above*: 90, 99 and 99.9 are equally far apart.
    Percentile,
}

/// An axis from `low` to `high` in values, from `start` to `end` in plot units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    spacing: Spacing,
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// From zero to at least `high`.
    pub(super) fn linear(high: f64, start: f64, end: f64) -> Self {
        let high = if high > 0.0 { high } else { 1.0 };
        Self {
            spacing: Spacing::Linear,
            low: 0.0,
            high,
            start,
            end,
        }
    }

    /// From `low` to `high`, both above zero; widened when they are equal.
    pub(super) fn log(low: f64, high: f64, start: f64, end: f64) -> Self {
        let (low, high) = if high > low {
            (low, high)
        } else {
            (low / 2.0, low * 2.0)
        };
        Self {
            spacing: Spacing::Log,
            low,
            high,
            start,
            end,
        }
    }

    /// From 0 to `high`, below 100.
    pub(super) fn percentile(high: f64, start: f64, end: f64) -> Self {
        Self {
            spacing: Spacing::Percentile,
            low: 0.0,
            high: high.clamp(90.0, 99.999_999),
            start,
            end,
        }
    }

    /// The same axis with its end moved out to a round value.
    pub(super) fn rounded(mut self) -> Self {
        match self.spacing {
            Spacing::Linear => {
                let step = step(self.high);
                self.high = (self.high / step).ceil() * step;
            }
            Spacing::Log => {
                self.low = round_below(self.low);
                self.high = round_above(self.high);
            }
            Spacing::Percentile => {}
        }
        self
    }

    /// Where `value` lies, in plot units; what is off the axis lies at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let share = match self.spacing {
            Spacing::Linear => value / self.high,
            Spacing::Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            Spacing::Percentile => nines(value.min(self.high)) / nines(self.high),
        };
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// Whether the axis reaches down to `value`.
    pub(super) fn holds(&self, value: f64) -> bool {
        value >= self.low
    }

    /// Round values on the axis.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.spacing {
            Spacing::Linear => {
                let step = step(self.high);
                let fits = |at: &f64| *at <= self.high * 1.001;
                (0..20_u32)
                    .map(|count| f64::from(count) * step)
                    .take_while(fits)
                    .collect()
            }
            Spacing::Log => self.log_ticks(),
            Spacing::Percentile => [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999, 99.9999]
                .into_iter()
                .filter(|tick| *tick <= self.high)
                .collect(),
        }
    }

    /// Powers of ten; with 2 and 5 of each when there are few.
    fn log_ticks(&self) -> Vec<f64> {
        let inside = |tick: &f64| *tick >= self.low * 0.999 && *tick <= self.high * 1.001;
        let decades = (self.high / self.low).log10();
        let parts: &[f64] = if decades <= 2.0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let ticks: Vec<f64> = (-12..=18)
            .flat_map(|power| parts.iter().map(move |part| part * 10_f64.powi(power)))
            .filter(inside)
            .collect();
        if ticks.len() >= 2 {
            return ticks;
        }
        vec![self.low, self.high]
    }
}

/// How many nines, in effect: 90 → 1, 99 → 2.
fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile.clamp(0.0, 99.999_999_9) / 100.0).log10()
}

/// A round step that gives four to six ticks up to `high`.
fn step(high: f64) -> f64 {
    let rough = high / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let fitting = steps.into_iter().find(|part| part * power >= rough * 0.999);
    fitting.unwrap_or(10.0) * power
}

/// The nearest 1, 2 or 5 times a power of ten at or below.
fn round_below(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let below = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .rfind(|part| part * power <= value * 1.001);
    below.unwrap_or(1.0) * power
}

/// The nearest 1, 2 or 5 times a power of ten at or above.
fn round_above(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let above = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|part| part * power >= value * 0.999);
    above.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_axes_begin_at_zero_and_end_round() {
        let scale = Scale::linear(87.0, 0.0, 100.0).rounded();
        assert_eq!(scale.ticks(), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(scale.place(50.0), 50.0);
        assert_eq!(scale.place(0.0), 0.0);
    }

    #[test]
    fn log_axes_give_each_power_the_same_room() {
        let scale = Scale::log(1.0, 1_000.0, 0.0, 300.0);
        assert_eq!(scale.ticks().len(), 4);
        assert!((scale.place(10.0) - 100.0).abs() < 1e-9);
        let rounded = Scale::log(3.0, 700.0, 0.0, 1.0).rounded();
        assert!((rounded.low - 2.0).abs() < 1e-9 && (rounded.high - 1_000.0).abs() < 1e-6);
    }

    #[test]
    fn percentiles_are_spread_by_their_nines() {
        let scale = Scale::percentile(99.9, 0.0, 300.0);
        assert!((scale.place(90.0) - 100.0).abs() < 1e-9);
        assert!((scale.place(99.0) - 200.0).abs() < 1e-9);
        assert_eq!(scale.place(100.0), 300.0);
        assert_eq!(scale.ticks(), [0.0, 50.0, 90.0, 99.0, 99.9]);
    }

    #[test]
    fn odd_ranges_stay_on_the_axis() {
        for scale in [
            Scale::linear(0.0, 0.0, 10.0).rounded(),
            Scale::log(5.0, 5.0, 0.0, 10.0).rounded(),
            Scale::percentile(100.0, 0.0, 10.0),
        ] {
            for value in [0.0, 1e-9, 5.0, 1e12] {
                assert!(
                    (0.0..=10.0).contains(&scale.place(value)),
                    "{scale:?} {value}"
                );
            }
            assert!(scale.ticks().len() >= 2, "{scale:?}");
        }
    }
}
