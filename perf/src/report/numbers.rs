//! Numbers as people read them: three significant digits, with their unit.

/// What a figure is counted in; the bare number is in the unit named first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Records per second.
    PerSecond,
    /// Bytes per second; kB, MB and GB are powers of 1000.
    BytesPerSecond,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes; kB, MB and GB are powers of 1000.
    Bytes,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Hundredths.
    Percent,
    /// Things.
    Count,
    /// CPUs kept busy.
    Cpus,
}

const RATES: &[(f64, &str)] = &[(1e9, "G/s"), (1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")];
const BYTE_RATES: &[(f64, &str)] = &[(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")];
const BYTES: &[(f64, &str)] = &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")];
const COUNTS: &[(f64, &str)] = &[(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];
const SECONDS: &[(f64, &str)] = &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];

impl Unit {
    /// Divisor and name of the unit that suits `value`.
    pub(super) fn scale(self, value: f64) -> (f64, &'static str) {
        let value = value.abs();
        match self {
            Self::PerSecond => suiting(RATES, value),
            Self::BytesPerSecond => suiting(BYTE_RATES, value),
            Self::Bytes => suiting(BYTES, value),
            Self::Count => suiting(COUNTS, value),
            Self::Seconds => suiting(SECONDS, value),
            // CPU per record stays in ns for as long as it can be read, to be compared at a glance.
            Self::Nanoseconds if value < 1e6 => (1.0, "ns"),
            Self::Nanoseconds if value < 1e8 => (1e3, "µs"),
            Self::Nanoseconds => (1e6, "ms"),
            Self::Milliseconds if value < 1e5 => (1.0, "ms"),
            Self::Milliseconds => (1e3, "s"),
            Self::Percent => (1.0, "%"),
            Self::Cpus => (1.0, "CPU"),
        }
    }

    /// `2.31 M/s`.
    pub(super) fn show(self, value: f64) -> String {
        let (divisor, name) = self.scale(value);
        with_name(&digits(value / divisor), name)
    }

    /// As at a tick of an axis by powers of ten: `100 µs`, where [`Self::show`] stays in ns.
    pub(super) fn tick(self, value: f64) -> String {
        match self {
            Self::Nanoseconds => Self::Seconds.show(value / 1e9),
            Self::Milliseconds => Self::Seconds.show(value / 1e3),
            _ => self.show(value),
        }
    }

    /// `2.25–2.4`, in the unit that suits `beside`, unnamed; none when both ends print the same.
    pub(super) fn range(self, least: f64, most: f64, beside: f64) -> Option<String> {
        let (divisor, _) = self.scale(beside);
        let (least, most) = (digits(least / divisor), digits(most / divisor));
        (least != most).then(|| format!("{least}–{most}"))
    }
}

fn suiting(steps: &'static [(f64, &'static str)], value: f64) -> (f64, &'static str) {
    let smallest = steps[steps.len() - 1];
    if value == 0.0 {
        return steps
            .iter()
            .copied()
            .find(|step| step.0 == 1.0)
            .unwrap_or(smallest);
    }
    steps
        .iter()
        .copied()
        .find(|step| value >= step.0)
        .unwrap_or(smallest)
}

/// The number and its unit, if that has a name.
pub(super) fn with_name(number: &str, name: &str) -> String {
    if name.is_empty() {
        number.to_owned()
    } else {
        format!("{number} {name}")
    }
}

/// Three significant digits, whole numbers above 100 in full with commas, no trailing zeros after a point.
pub(super) fn digits(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ if size >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 {
        return grouped(&text);
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

/// `12× `, `1.25×`; `∞` when the divisor was zero.
pub(super) fn times(ratio: f64) -> String {
    if ratio.is_finite() {
        format!("{}×", digits(ratio))
    } else {
        "∞".to_owned()
    }
}

fn grouped(whole: &str) -> String {
    let (sign, digits) = whole
        .strip_prefix('-')
        .map_or(("", whole), |digits| ("-", digits));
    let mut out = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_their_unit() {
        assert_eq!(Unit::PerSecond.show(2_314_000.0), "2.31 M/s");
        assert_eq!(Unit::BytesPerSecond.show(214_000_000.0), "214 MB/s");
        assert_eq!(Unit::Nanoseconds.show(6_120.4), "6,120 ns");
        assert_eq!(Unit::Nanoseconds.show(2_500_000.0), "2,500 µs");
        assert_eq!(Unit::Bytes.show(0.0), "0 B");
        assert_eq!(Unit::Seconds.show(0.0123), "12.3 ms");
        assert_eq!(Unit::Seconds.show(0.0), "0 s");
        assert_eq!(Unit::Count.show(1_234_567.0), "1.23 M");
        assert_eq!(Unit::Count.show(12.0), "12");
        assert_eq!(Unit::Milliseconds.show(0.05), "0.05 ms");
        assert_eq!(Unit::Milliseconds.tick(0.05), "50 µs");
        assert_eq!(Unit::Nanoseconds.tick(100_000.0), "100 µs");
        assert_eq!(Unit::Nanoseconds.tick(100.0), "100 ns");
    }

    #[test]
    fn ranges_share_the_unit_of_the_number_beside_them() {
        assert_eq!(
            Unit::PerSecond.range(990_000.0, 1_100_000.0, 1_000_000.0),
            Some("0.99–1.1".to_owned())
        );
        assert_eq!(Unit::Seconds.range(1.0001, 1.0002, 1.0), None);
    }

    #[test]
    fn ratios_are_short() {
        assert_eq!(times(71.23), "71.2×");
        assert_eq!(times(1234.5), "1,234×");
        assert_eq!(times(0.5), "0.5×");
        assert_eq!(times(f64::INFINITY), "∞");
    }
}
