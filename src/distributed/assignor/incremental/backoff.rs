//! How long to wait before the load is balanced once more (Kafka: `ExponentialBackoff` with an initial
//! interval of 1 ms, multiplier 40 and no jitter).

const MULTIPLIER: f64 = 40.0;

/// Milliseconds after `attempts` rounds in a row: 40, 1,600, 64,000 and so on, at most `max_delay_ms`; a
/// smaller maximum is the delay from the first one on.
pub(super) fn delay_ms(max_delay_ms: i32, attempts: u32) -> i32 {
    if max_delay_ms <= 1 {
        return max_delay_ms.max(0);
    }
    let most = f64::from(max_delay_ms).ln() / MULTIPLIER.ln();
    let delay = MULTIPLIER.powf(f64::from(attempts).min(most));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is about the maximum or less"
    )]
    let delay = delay as i32;
    delay.min(max_delay_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_forty_times_up_to_the_maximum() {
        let delays = [1, 2, 3, 4, 5].map(|attempts| delay_ms(300_000, attempts));
        assert_eq!(delays, [40, 1_600, 64_000, 300_000, 300_000]);
        assert_eq!([1, 2].map(|attempts| delay_ms(100, attempts)), [40, 100]);
        assert_eq!(delay_ms(i32::MAX, u32::MAX), i32::MAX);
    }

    #[test]
    fn no_delay_stays_none_and_the_shortest_is_itself() {
        assert_eq!(delay_ms(0, 1), 0);
        assert_eq!(delay_ms(1, 7), 1);
    }
}
