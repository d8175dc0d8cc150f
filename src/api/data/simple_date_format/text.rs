//! Text as Java counts it, in UTF-16 units; ASCII text is not copied for that.

/// A text of UTF-16 units.
pub(super) trait Units {
    /// How many units there are.
    fn count(&self) -> usize;
    /// The unit at an index.
    fn unit(&self, index: usize) -> Option<u16>;
}

/// ASCII.
impl Units for [u8] {
    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn unit(&self, index: usize) -> Option<u16> {
        self.get(index).map(|byte| u16::from(*byte))
    }
}

impl Units for [u16] {
    fn count(&self) -> usize {
        self.len()
    }

    #[inline]
    fn unit(&self, index: usize) -> Option<u16> {
        self.get(index).copied()
    }
}

/// Java's `regionMatches` without regard to case: where `expected`, which is ASCII, ends.
pub(super) fn match_name<T: Units + ?Sized>(text: &T, at: usize, expected: &str) -> Option<usize> {
    for (offset, byte) in expected.bytes().enumerate() {
        if fold(text.unit(at + offset)?) != byte.to_ascii_lowercase() {
            return None;
        }
    }
    Some(at + expected.len())
}

/// The ASCII letter in lower case that a unit is the same as; 0xff for others.
fn fold(unit: u16) -> u8 {
    match unit {
        // The long s and the Kelvin sign have ASCII letters as their other case.
        0x017f => b's',
        0x212a => b'k',
        // Both forms of the Turkish i.
        0x0130 | 0x0131 => b'i',
        _ => u8::try_from(unit).map_or(0xff, |byte| byte.to_ascii_lowercase()),
    }
}
