//! Two systems beside each other, and how far the same system differs from itself.

use super::figures::Better;
use super::spread::Spread;

/// Who is ahead in a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leader {
    Ours,
    Peer,
    /// The two differ by no more than the noise floor, or by less than what is printed.
    Nobody,
}

/// A peer's figure beside Ringmain's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Comparison {
    /// Above 1 when Ringmain is better, below when the peer is; infinite when Ringmain's is zero and
    /// the peer's isn't. Never NaN.
    pub(super) ratio: f64,
    pub(super) leader: Leader,
}

impl Comparison {
    /// Of the medians. `noise_percent` is the noise floor of this figure, where one is known.
    pub(super) fn of(
        better: Better,
        ours: f64,
        peer: f64,
        noise_percent: Option<f64>,
    ) -> Option<Self> {
        let ratio = match better {
            Better::Neither => return None,
            Better::Higher => quotient(ours, peer),
            Better::Lower => quotient(peer, ours),
        };
        // A difference that isn't printed is none.
        let noise = noise_percent.unwrap_or(0.0).max(0.5) / 100.0;
        let leader = if ratio > 1.0 + noise {
            Leader::Ours
        } else if ratio * (1.0 + noise) < 1.0 {
            Leader::Peer
        } else {
            Leader::Nobody
        };
        Some(Self { ratio, leader })
    }

    /// By how much the leader is ahead, at least 1.
    pub(super) fn lead(self) -> f64 {
        if self.ratio < 1.0 {
            quotient(1.0, self.ratio)
        } else {
            self.ratio
        }
    }
}

/// Two zeros are equal; something over nothing is infinite.
fn quotient(above: f64, below: f64) -> f64 {
    if above == 0.0 && below == 0.0 {
        1.0
    } else if below == 0.0 {
        f64::INFINITY
    } else {
        above / below
    }
}

/// How far the medians of two series of the same system lie apart, in percent of the first.
pub(super) fn noise_percent(first: Spread, second: Spread) -> Option<f64> {
    if first.median == second.median {
        return Some(0.0);
    }
    let percent = (second.median - first.median).abs() / first.median * 100.0;
    percent.is_finite().then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(better: Better, ours: f64, peer: f64, noise: Option<f64>) -> Leader {
        Comparison::of(better, ours, peer, noise).unwrap().leader
    }

    #[test]
    fn above_one_is_ours_whichever_way_is_better() {
        let rate = Comparison::of(Better::Higher, 200.0, 50.0, None).unwrap();
        let cpu = Comparison::of(Better::Lower, 50.0, 200.0, None).unwrap();
        assert_eq!((rate.ratio, cpu.ratio), (4.0, 4.0));
        let lost = Comparison::of(Better::Lower, 200.0, 50.0, None).unwrap();
        assert_eq!((lost.leader, lost.lead()), (Leader::Peer, 4.0));
        assert_eq!(Comparison::of(Better::Neither, 1.0, 2.0, None), None);
    }

    #[test]
    fn within_the_noise_nobody_leads() {
        assert_eq!(leader(Better::Lower, 100.0, 104.0, None), Leader::Ours);
        assert_eq!(
            leader(Better::Lower, 100.0, 104.0, Some(5.0)),
            Leader::Nobody
        );
        assert_eq!(
            leader(Better::Lower, 104.0, 100.0, Some(5.0)),
            Leader::Nobody
        );
        assert_eq!(leader(Better::Lower, 104.0, 100.0, Some(1.0)), Leader::Peer);
    }

    #[test]
    fn zeros_make_no_nonsense() {
        let nothing = Comparison::of(Better::Lower, 0.0, 0.0, None).unwrap();
        assert_eq!((nothing.ratio, nothing.leader), (1.0, Leader::Nobody));
        let free = Comparison::of(Better::Lower, 0.0, 3.0, None).unwrap();
        assert_eq!((free.ratio, free.leader), (f64::INFINITY, Leader::Ours));
        let lost = Comparison::of(Better::Lower, 3.0, 0.0, None).unwrap();
        assert_eq!((lost.lead(), lost.leader), (f64::INFINITY, Leader::Peer));
    }

    #[test]
    fn the_noise_floor_is_in_percent_of_the_first_series() {
        let at = |median| Spread::of([median]).unwrap();
        assert_eq!(noise_percent(at(200.0), at(190.0)), Some(5.0));
        assert_eq!(noise_percent(at(0.0), at(0.0)), Some(0.0));
        assert_eq!(noise_percent(at(0.0), at(1.0)), None);
    }
}
