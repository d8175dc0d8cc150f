//! Zigzag variable-length numbers (protobuf's), as `org.apache.kafka.common.utils.ByteUtils` has
//! them.

use super::error::RecordFault;

/// Longest encoding of a 32-bit number.
pub(super) const MAX_VARINT_BYTES: usize = 5;
/// Longest encoding of a 64-bit number.
pub(super) const MAX_VARLONG_BYTES: usize = 10;

/// Maps small magnitudes of either sign to small numbers.
#[inline]
#[expect(
    clippy::cast_sign_loss,
    reason = "zigzag is a change of representation"
)]
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
#[expect(
    clippy::cast_possible_wrap,
    reason = "zigzag is a change of representation"
)]
const fn unzigzag(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

/// Bytes that a zigzagged number takes.
#[inline]
const fn size_of_raw(raw: u64) -> usize {
    // Nearly all are short, and a comparison is cheaper than counting bits and dividing by seven.
    if raw < 0x80 {
        1
    } else if raw < 0x4000 {
        2
    } else {
        (64 - raw.leading_zeros() as usize).div_ceil(7)
    }
}

/// Bytes that `value` takes.
#[inline]
pub(super) const fn size_of_varlong(value: i64) -> usize {
    size_of_raw(zigzag(value))
}

/// Bytes that a length takes.
#[inline]
pub(super) const fn size_of_length(length: usize) -> usize {
    // Lengths over the format's 2 GiB are refused when the batch is finished.
    size_of_raw((length as u64) << 1)
}

/// Room for the fields before a record's key or, without a key, before its value: 5 + 1 + 10 + 5 + 1 + 5
/// bytes at most. A power of two, for an index that needs no check.
pub(super) const FIELDS_BYTES: usize = 32;

/// Writes `value` at `at` and returns the position after it.
#[inline]
pub(super) fn put_varlong(out: &mut [u8; FIELDS_BYTES], mut at: usize, value: i64) -> usize {
    let mut raw = zigzag(value);
    while raw >= 0x80 {
        out[at % FIELDS_BYTES] = low_byte(raw) | 0x80;
        at += 1;
        raw >>= 7;
    }
    out[at % FIELDS_BYTES] = low_byte(raw);
    at + 1
}

/// Appends `value` to a growing buffer, away from the hot path.
pub(super) fn push_varlong(out: &mut Vec<u8>, value: i64) {
    let mut bytes = [0; FIELDS_BYTES];
    let len = put_varlong(&mut bytes, 0, value);
    out.extend_from_slice(&bytes[..len]);
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low byte is what is wanted"
)]
const fn low_byte(raw: u64) -> u8 {
    raw as u8
}

/// The number that eight bytes begin with and how many of them it takes; `None` if it does not end
/// within them.
#[inline]
const fn windowed(bytes: u64) -> (Option<u64>, usize) {
    let ends = !bytes & 0x8080_8080_8080_8080;
    if ends == 0 {
        return (None, 0);
    }
    // The bits up to the lowest end, without the bits that say whether there is more.
    let taken = bytes & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
    // Seven bits of each byte move together: pairs of bytes, of pairs, of fours.
    let pairs = (taken & 0x007f_007f_007f_007f) | ((taken & 0x7f00_7f00_7f00_7f00) >> 1);
    let fours = (pairs & 0x0000_3fff_0000_3fff) | ((pairs & 0x3fff_0000_3fff_0000) >> 2);
    let all = (fours & 0x0fff_ffff) | ((fours & 0x0fff_ffff_0000_0000) >> 4);
    (Some(all), ends.trailing_zeros() as usize / 8 + 1)
}

/// Reads fields one after another, never beyond its bytes.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    #[inline]
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Bytes not read yet.
    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, RecordFault> {
        let byte = *self.bytes.get(self.at).ok_or(RecordFault::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// A signed 32-bit number.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<i32, RecordFault> {
        if let Some(short) = self.short() {
            return Ok(short);
        }
        let value = self.long(MAX_VARINT_BYTES)?;
        i32::try_from(value).map_err(|_| RecordFault::VarintOverflow)
    }

    /// A signed 64-bit number.
    #[inline]
    pub(super) fn varlong(&mut self) -> Result<i64, RecordFault> {
        if let Some(short) = self.short() {
            return Ok(i64::from(short));
        }
        self.long(MAX_VARLONG_BYTES)
    }

    /// A number of one or two bytes, as nearly every one of a record is. How many is mostly what it was in
    /// the record before: a branch that is predicted lets the next number be read while this one is, which
    /// the arithmetic of [`Self::long`] does not (25 → 16 ns a record of 100 bytes).
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "six times a record, and a call costs as much"
    )]
    fn short(&mut self) -> Option<i32> {
        let first = *self.bytes.get(self.at)?;
        if first < 0x80 {
            self.at += 1;
            return Some(i32::from(first >> 1) ^ -i32::from(first & 1));
        }
        let second = *self.bytes.get(self.at + 1)?;
        if second >= 0x80 {
            return None;
        }
        self.at += 2;
        let raw = i32::from(first & 0x7f) | i32::from(second) << 7;
        Some(raw >> 1 ^ -(raw & 1))
    }

    /// A number of more than two bytes.
    #[inline]
    fn long(&mut self, max_bytes: usize) -> Result<i64, RecordFault> {
        if let Some(window) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk)
            && let (Some(raw), len) = windowed(u64::from_le_bytes(*window))
            && len <= max_bytes
        {
            self.at += len;
            return Ok(unzigzag(raw));
        }
        self.long_by_byte(max_bytes)
    }

    /// As [`Self::long`], near the end of the bytes and for what is longest or wrong.
    #[cold]
    fn long_by_byte(&mut self, max_bytes: usize) -> Result<i64, RecordFault> {
        let mut raw = 0u64;
        for index in 0..max_bytes {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if index == MAX_VARLONG_BYTES - 1 && bits > 1 {
                return Err(RecordFault::VarintOverflow);
            }
            raw |= bits << (7 * index);
            if byte < 0x80 {
                return Ok(unzigzag(raw));
            }
        }
        Err(RecordFault::VarintOverflow)
    }

    /// A length that may be null's −1.
    #[inline]
    pub(super) fn nullable_length(&mut self) -> Result<Option<usize>, RecordFault> {
        let length = self.varint()?;
        match usize::try_from(length) {
            Ok(length) if length <= self.remaining() => Ok(Some(length)),
            Ok(_) => Err(RecordFault::LengthOutOfBounds),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(RecordFault::NegativeLength),
        }
    }

    /// A length of something that is never null.
    #[inline]
    pub(super) fn length(&mut self) -> Result<usize, RecordFault> {
        self.nullable_length()?.ok_or(RecordFault::NegativeLength)
    }

    /// Passes over `length` bytes, which a length of this reader has announced.
    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], RecordFault> {
        let end = self.at + length;
        let taken = self
            .bytes
            .get(self.at..end)
            .ok_or(RecordFault::LengthOutOfBounds)?;
        self.at = end;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_numbers_have_kafkas_bytes() {
        for (value, bytes) in [
            (0i64, &[0u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (8191, &[0xfe, 0x7f]),
            (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            push_varlong(&mut out, value);
            assert_eq!(out, bytes, "{value}");
        }
    }

    #[test]
    fn a_number_with_too_many_bits_is_refused() {
        let six = [0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(Reader::new(&six).varint(), Err(RecordFault::VarintOverflow));
        let bits = [0xff, 0xff, 0xff, 0xff, 0x1f];
        assert_eq!(
            Reader::new(&bits).varint(),
            Err(RecordFault::VarintOverflow)
        );
        let long = [0xff; 10];
        assert_eq!(
            Reader::new(&long).varlong(),
            Err(RecordFault::VarintOverflow)
        );
        let cut = [0x80, 0x80];
        assert_eq!(Reader::new(&cut).varlong(), Err(RecordFault::Truncated));
    }

    #[test]
    fn every_number_of_up_to_three_bytes_comes_back_wherever_the_bytes_end() {
        for value in -9000..9000 {
            let mut out = Vec::new();
            push_varlong(&mut out, i64::from(value));
            for after in [0, 1, 8] {
                let bytes = [&out[..], &vec![0xff; after]].concat();
                let (mut int, mut long) = (Reader::new(&bytes), Reader::new(&bytes));
                assert_eq!(int.varint(), Ok(value));
                assert_eq!(long.varlong(), Ok(i64::from(value)));
                assert_eq!((int.position(), long.position()), (out.len(), out.len()));
            }
            let cut = &out[..out.len() - 1];
            assert_eq!(Reader::new(cut).varint(), Err(RecordFault::Truncated));
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(value: i64, small: i32) {
            let mut out = Vec::new();
            push_varlong(&mut out, value);
            prop_assert_eq!(out.len(), size_of_varlong(value));
            prop_assert_eq!(Reader::new(&out).varlong(), Ok(value));
            out.clear();
            push_varlong(&mut out, i64::from(small));
            prop_assert_eq!(Reader::new(&out).varint(), Ok(small));
        }

        #[test]
        fn many_bytes_at_once_read_as_one_by_one(value: i64, shift in 0..64u32, after: [u8; 12]) {
            let mut bytes = Vec::new();
            push_varlong(&mut bytes, value >> shift);
            bytes.extend(after);
            for (start, most) in [(&bytes[..], 5), (&bytes[..], 10), (&after[..], 5), (&after[..], 10)] {
                let (mut window, mut single) = (Reader::new(start), Reader::new(start));
                let (read, expected) = (window.long(most), single.long_by_byte(most));
                prop_assert_eq!(read, expected);
                if read.is_ok() {
                    prop_assert_eq!(window.position(), single.position());
                }
            }
        }
    }
}
