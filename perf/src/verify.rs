//! The check of what arrived: count and order-independent checksum, record by record.
//!
//! A record's checksum is XXH3 of its bytes, and that of many is the wrapping sum. Beside it every
//! record is looked up by its number, so that a run that was cut short can be checked as well: each
//! record that arrived must be whole and there once.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use twox_hash::XxHash3_64;

use crate::error::{Naming, Result};
use crate::input::{Form, Generator, index_of};
use crate::results::Verification;

/// Checksum of one record.
fn checksum(record: &[u8]) -> u64 {
    XxHash3_64::oneshot(record)
}

/// What should arrive.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    /// Makes the records.
    pub(crate) generator: &'a Generator,
    /// As they should arrive.
    pub(crate) form: Form,
    /// How many were put in.
    pub(crate) records: u64,
    /// Of so many in a row the first should arrive.
    pub(crate) one_of: u64,
}

impl Expected<'_> {
    /// Checksum of the records that `wanted` names.
    fn checksum(&self, wanted: impl Fn(u64) -> bool) -> u64 {
        let mut record = Vec::new();
        let mut sum = 0_u64;
        let arriving = (0..self.records).filter(|index| index % self.one_of == 0);
        for index in arriving.filter(|index| wanted(*index)) {
            record.clear();
            self.generator.append(index, self.form, &mut record);
            sum = sum.wrapping_add(checksum(&record));
        }
        sum
    }
}

/// Which record numbers were seen.
#[derive(Debug)]
pub(crate) struct Seen {
    bits: Vec<u64>,
    records: u64,
    distinct: u64,
    found: u64,
}

impl Seen {
    /// For numbers below `records`.
    pub(crate) fn new(records: u64) -> Self {
        let words = usize::try_from(records / 64 + 1).unwrap_or(usize::MAX);
        Self {
            bits: vec![0; words],
            records,
            distinct: 0,
            found: 0,
        }
    }

    /// A record with this number, or with none.
    pub(crate) fn add(&mut self, number: Option<u64>) {
        self.found += 1;
        let Some(number) = number.filter(|number| *number < self.records) else {
            return;
        };
        let word = usize::try_from(number / 64).unwrap_or(usize::MAX);
        let bit = 1 << (number % 64);
        if let Some(bits) = self.bits.get_mut(word)
            && *bits & bit == 0
        {
            *bits |= bit;
            self.distinct += 1;
        }
    }

    fn has(&self, number: u64) -> bool {
        let word = usize::try_from(number / 64).unwrap_or(usize::MAX);
        let bits = self.bits.get(word);
        bits.is_some_and(|bits| bits & (1 << (number % 64)) != 0)
    }

    /// How many different ones.
    pub(crate) fn distinct(&self) -> u64 {
        self.distinct
    }
}

/// Takes in what is found.
#[derive(Debug)]
pub(crate) struct Tally {
    seen: Seen,
    sum: u64,
    /// Whether a record's number is its place among those found, not in it.
    by_place: bool,
}

impl Tally {
    /// For records with numbers below `records`.
    pub(crate) fn new(records: u64) -> Self {
        Self {
            seen: Seen::new(records),
            sum: 0,
            by_place: false,
        }
    }

    /// For records that have no number and come in their order.
    pub(crate) fn by_place(records: u64) -> Self {
        Self {
            by_place: true,
            ..Self::new(records)
        }
    }

    /// A record as it was found.
    pub(crate) fn add(&mut self, record: &[u8]) {
        self.sum = self.sum.wrapping_add(checksum(record));
        let number = match self.by_place {
            true => Some(self.seen.found),
            false => index_of(record),
        };
        self.seen.add(number);
    }

    /// The outcome. A run that was cut short is checked for what arrived: `whole` is false then.
    pub(crate) fn verdict(
        &self,
        expected: &Expected<'_>,
        whole: bool,
        reader: &str,
    ) -> Verification {
        let count = if whole {
            expected.records.div_ceil(expected.one_of)
        } else {
            self.seen.distinct
        };
        let sum = expected.checksum(|index| whole || self.seen.has(index));
        let reader = match whole {
            true => reader.to_owned(),
            false => format!("{reader}; cut short, checked for what arrived"),
        };
        Verification {
            expected: count,
            found: self.seen.found,
            expected_checksum: format!("{sum:016x}"),
            checksum: format!("{:016x}", self.sum),
            reader,
        }
    }
}

/// The decimal numbers with which generated records begin: 0, 1, 2, … each once, in any order.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    found: u64,
    sum: u64,
}

impl Numbers {
    /// A record as it was found.
    pub(crate) fn add(&mut self, record: &[u8]) {
        let digits = record.iter().take_while(|byte| byte.is_ascii_digit());
        self.found += 1;
        self.sum = self.sum.wrapping_add(checksum(&record[..digits.count()]));
    }

    /// How many there were.
    pub(crate) fn found(&self) -> u64 {
        self.found
    }

    /// Right when the numbers are those below their count.
    pub(crate) fn verdict(&self, reader: &str) -> Verification {
        let sum = (0..self.found).fold(0_u64, |sum, number| {
            sum.wrapping_add(checksum(number.to_string().as_bytes()))
        });
        Verification {
            expected: self.found,
            found: self.found,
            expected_checksum: format!("{sum:016x}"),
            checksum: format!("{:016x}", self.sum),
            reader: reader.to_owned(),
        }
    }
}

/// Whether it is as it should be.
pub(crate) fn holds(verification: &Verification) -> bool {
    verification.found == verification.expected
        && verification.checksum == verification.expected_checksum
}

/// Reads the lines of a file. A last line without its end counts when the run was `whole` only: a
/// process that was stopped may have been in the midst of it.
pub(crate) fn read_lines(path: &Path, tally: &mut Tally, whole: bool) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).at("open", path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).at("read", path)? == 0 {
            return Ok(());
        }
        match line.strip_suffix(b"\n") {
            Some(line) => tally.add(line),
            None if whole => tally.add(&line),
            None => {}
        }
    }
}

/// A check by numbers alone, for peers whose records are their own: `found` of `expected`.
pub(crate) fn by_count(expected: u64, found: u64, reader: &str) -> Verification {
    Verification {
        expected,
        found,
        expected_checksum: String::new(),
        checksum: String::new(),
        reader: format!("{reader}; by count"),
    }
}

/// Verification in few words, for the progress line.
pub(crate) fn in_words(verification: &Verification) -> String {
    match holds(verification) {
        true => format!("{} records verified", verification.found),
        false => format!(
            "WRONG OUTPUT: {} records of {}, checksum {} for {}",
            verification.found,
            verification.expected,
            verification.checksum,
            verification.expected_checksum
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Data;
    use crate::template::Template;

    fn tally_of(change: impl Fn(&mut Vec<Vec<u8>>), whole: bool) -> Verification {
        tally_of_one_in(1, change, whole)
    }

    fn tally_of_one_in(
        one_of: u64,
        change: impl Fn(&mut Vec<Vec<u8>>),
        whole: bool,
    ) -> Verification {
        let generator = Generator::new(Data::Text, 50);
        let mut records: Vec<Vec<u8>> = (0..1000)
            .map(|index| {
                let mut record = Vec::new();
                generator.append(index, Form::Plain, &mut record);
                record
            })
            .collect();
        change(&mut records);
        let mut tally = Tally::new(1000);
        for record in &records {
            tally.add(record);
        }
        let expected = Expected {
            generator: &generator,
            form: Form::Plain,
            records: 1000,
            one_of,
        };
        tally.verdict(&expected, whole, "test")
    }

    #[test]
    fn any_order_is_right() {
        assert!(holds(&tally_of(|_| {}, true)));
        assert!(holds(&tally_of(|records| records.reverse(), true)));
    }

    #[test]
    fn loss_duplicates_and_damage_are_found() {
        assert!(!holds(&tally_of(|records| drop(records.pop()), true)));
        let twice = |records: &mut Vec<Vec<u8>>| records.push(records[3].clone());
        assert!(!holds(&tally_of(twice, true)));
        assert!(!holds(&tally_of(twice, false)));
        let damage = |records: &mut Vec<Vec<u8>>| records[500][30] ^= 1;
        assert!(!holds(&tally_of(damage, true)));
        assert!(!holds(&tally_of(damage, false)));
        let replaced = |records: &mut Vec<Vec<u8>>| records[7] = records[8].clone();
        assert!(!holds(&tally_of(replaced, true)));
    }

    #[test]
    fn records_that_should_have_been_dropped_are_found() {
        let drop_most = |records: &mut Vec<Vec<u8>>| {
            let mut index = 0;
            records.retain(|_| {
                index += 1;
                index % 10 == 1
            });
        };
        assert!(holds(&tally_of_one_in(10, drop_most, true)));
        assert!(!holds(&tally_of_one_in(10, |_| {}, true)));
        assert!(!holds(&tally_of_one_in(10, |_| {}, false)));
        assert!(!holds(&tally_of(drop_most, true)));
    }

    #[test]
    fn a_run_cut_short_is_right_when_what_arrived_is() {
        let cut = |records: &mut Vec<Vec<u8>>| records.truncate(600);
        assert!(!holds(&tally_of(cut, true)));
        let partial = tally_of(cut, false);
        assert!(holds(&partial));
        assert_eq!(partial.expected, 600);
    }

    #[test]
    fn records_without_numbers_are_known_by_their_order() {
        let template = Template::parse("note ${note}", Data::Json.members()).unwrap();
        let generator = Generator::new(Data::Json, 100).expecting(Some(template));
        let verdict = |indexes: &[u64], whole| {
            let mut tally = Tally::by_place(4);
            for index in indexes {
                let mut record = Vec::new();
                generator.append(*index, Form::Expected, &mut record);
                tally.add(&record);
            }
            let expected = Expected {
                generator: &generator,
                form: Form::Expected,
                records: 4,
                one_of: 1,
            };
            holds(&tally.verdict(&expected, whole, "test"))
        };
        assert!(verdict(&[0, 1, 2, 3], true));
        assert!(verdict(&[0, 1, 2], false));
        assert!(!verdict(&[0, 1, 2], true));
        assert!(!verdict(&[0, 2, 3], false));
        assert!(!verdict(&[0, 1, 1, 3], true));
        assert!(!verdict(&[0, 1, 2, 3, 3], true));
    }

    #[test]
    fn a_torn_last_line_of_a_stopped_run_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        std::fs::write(&file, "1000000000 a\n1000000001 b\n10000").unwrap();
        for (whole, found) in [(false, 2), (true, 3)] {
            let mut tally = Tally::new(10);
            read_lines(&file, &mut tally, whole).unwrap();
            assert_eq!(tally.seen.found, found);
        }
    }
}
