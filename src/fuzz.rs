//! What the fuzz targets share: inputs made of valid samples, and the bounds that every decoder keeps.
//!
//! A target is a test named `…::fuzz::…` beside the decoder that it is for (CONTRIBUTING.md lists the ways
//! to run them): it hands [`search`] samples of valid input and a function that decodes what became of
//! them. The same cases come each time; `PROPTEST_RNG_SEED=<number>` makes others and
//! `PROPTEST_CASES=<number>` more. What holds for each of them: no panic, no more stack than a shard has
//! for it, no more memory than [`bounded`] allows, and no more CPU time than [`CPU_MAX`].

use std::fmt::Debug;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};

#[path = "../benches/common/allocations.rs"]
#[allow(dead_code, reason = "the benches use the rest")]
mod allocations;

#[global_allocator]
static COUNTING: allocations::Counting = allocations::Counting;

/// What one case of a target comes to.
pub(crate) type Outcome = Result<(), TestCaseError>;

/// Stack of a target. Without optimisation a frame takes several times the room.
const STACK_BYTES: usize = 16 << 20;

/// Most CPU time for one input, in a debug build on a slow machine.
const CPU_MAX: Duration = Duration::from_secs(3);

/// Memory that any input may cost, whatever its size: tables, work space of codecs.
const FREE_BYTES: u64 = 1 << 20;

/// Memory that each byte of input may cost. A JSON object of small members (`"a":1,`) is the worst: nodes,
/// a name, a value and the places of a hash table for six bytes.
const BYTES_PER_BYTE: u64 = 256;

/// A property's cases: the same ones each time, unless the environment asks for others.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let more = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if more { asked.cases } else { count };
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(431),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    ProptestConfig {
        cases,
        rng_seed,
        ..asked
    }
}

/// Runs `target` on `count` inputs, on a stack of its own.
pub(crate) fn search<T: Debug + 'static>(
    count: u32,
    inputs: fn() -> BoxedStrategy<T>,
    target: fn(T) -> Outcome,
) {
    let config = ProptestConfig {
        // A seed is enough to find a case again; what is found becomes a test with a name.
        failure_persistence: None,
        ..cases(count)
    };
    let run = move || {
        if let Err(error) = TestRunner::new(config).run(&inputs(), target) {
            panic!("{error}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    if let Err(panic) = thread.spawn(run).unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

/// Calls `decode` and fails when it takes more memory or time than an input of `len` bytes may cost.
pub(crate) fn bounded<T>(len: usize, decode: impl FnOnce() -> T) -> Result<T, TestCaseError> {
    within(FREE_BYTES + BYTES_PER_BYTE * len as u64, decode)
}

/// As [`bounded`], with a limit in bytes of its own.
pub(crate) fn within<T>(limit: u64, decode: impl FnOnce() -> T) -> Result<T, TestCaseError> {
    measured(limit, CPU_MAX, decode)
}

fn measured<T>(limit: u64, most: Duration, decode: impl FnOnce() -> T) -> Result<T, TestCaseError> {
    let before = cpu_time();
    let (done, peak) = allocations::peak_of_this_thread(decode);
    let used = cpu_time().saturating_sub(before);
    prop_assert!(peak <= limit, "{peak} bytes at a time, {limit} are allowed");
    prop_assert!(used <= most, "{used:?} of CPU time");
    Ok(done)
}

/// Nanoseconds on a CPU, nanoseconds of waiting, and slices; as of the last tick.
const CPU_STATISTICS: &str = "/proc/thread-self/schedstat";

/// CPU time of this thread, as the kernel's statistics have it; nothing where they are not kept.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string(CPU_STATISTICS).unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Bytes, shown as text where a case failed.
#[derive(Clone, PartialEq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl std::ops::Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Samples, each changed in up to five places, and random bytes now and then.
pub(crate) fn mutated(samples: Vec<Vec<u8>>) -> BoxedStrategy<Blob> {
    let random = prop::collection::vec(any::<u8>(), 0..200);
    let changes = prop::collection::vec(change(), 1..6);
    let sample = (select(samples.clone()), changes).prop_map(move |(mut bytes, changes)| {
        for change in &changes {
            change.apply(&mut bytes, &samples);
        }
        bytes
    });
    prop_oneof![12 => sample, 1 => random]
        .prop_map(Blob)
        .boxed()
}

/// As [`mutated`], for decoders that take text: what is no UTF-8 is replaced.
pub(crate) fn mutated_text(samples: &[&str]) -> BoxedStrategy<String> {
    let samples = samples.iter().map(|text| text.as_bytes().to_vec());
    mutated(samples.collect())
        .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .boxed()
}

/// Texts as the bytes of samples.
pub(crate) fn samples(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// What a mistake, a bad disk or somebody with ill will does to bytes.
#[derive(Debug, Clone)]
enum Change {
    Flip(Index, u8),
    Set(Index, u8),
    Truncate(Index),
    /// Removes a range.
    Cut(Index, Index),
    /// Copies a range to another place.
    Copy(Index, Index, Index),
    /// Copies a range of another sample.
    Splice(Index, Index, Index, Index),
    /// Inserts a piece, several times in a row.
    Insert(Index, &'static [u8], usize),
    /// Overwrites a number of so many bytes, big-endian or the other way: counts and lengths that lie.
    Number(Index, usize, i64, bool),
}

/// Pieces that have been trouble for some decoder.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\x7f",
    b"\xed\xa0\xbd",
    b"\xf0\x9f\x98",
    b"\xc3",
    b"\xc0\xaf",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\\ud83d",
    b"\\ude00",
    b"\\u0000",
    b"\\",
    b"\"",
    b"'",
    b"[",
    b"]",
    b"{",
    b"}",
    b"{\"a\":",
    b"[{\"b\":[",
    b",",
    b":",
    b"\"a\":1,",
    b"null",
    b"true",
    b"\"\"",
    b"1",
    b"9",
    b"0",
    b"-",
    b"1e400",
    b"-1e-400",
    b"1e2147483648",
    b"1e99999999999999999999",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"99999999999999999999999999999999999999",
    b"NaN",
    b"Infinity",
    b"0.1",
    b".",
    b"/",
    b"*",
    b"(",
    b"\n",
    b"\r\n",
    b" ",
    b"=",
    b"#",
    b"${",
    b"$",
    b"%",
];

const NUMBERS: &[i64] = &[
    0,
    1,
    -1,
    2,
    7,
    -2,
    127,
    128,
    255,
    256,
    0x7fff,
    0x8000,
    0xffff,
    1 << 24,
    i32::MAX as i64,
    i32::MIN as i64,
    i32::MAX as i64 - 1,
    u32::MAX as i64,
    i64::MAX,
    i64::MIN,
];

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let times = prop_oneof![6 => Just(1), 2 => 2..5usize, 1 => Just(100), 1 => Just(1200)];
    prop_oneof![
        4 => (at(), 0..8u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => at().prop_map(Change::Truncate),
        2 => (at(), at()).prop_map(|(from, to)| Change::Cut(from, to)),
        2 => (at(), at(), at()).prop_map(|(from, to, at)| Change::Copy(from, to, at)),
        1 => (at(), at(), at(), at())
            .prop_map(|(sample, from, to, at)| Change::Splice(sample, from, to, at)),
        4 => (at(), select(PIECES), times)
            .prop_map(|(at, piece, times)| Change::Insert(at, piece, times)),
        3 => (at(), select(&[1, 2, 4, 8][..]), select(NUMBERS), any::<bool>())
            .prop_map(|(at, width, number, little)| Change::Number(at, width, number, little)),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
        let len = bytes.len();
        let place = |index: &Index| index.index(len + 1);
        match self {
            Self::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(place(at)) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Set(at, new) => {
                if let Some(byte) = bytes.get_mut(place(at)) {
                    *byte = *new;
                }
            }
            Self::Truncate(at) => bytes.truncate(place(at)),
            Self::Cut(from, to) => {
                let (from, to) = ordered(place(from), place(to));
                bytes.drain(from..to);
            }
            Self::Copy(from, to, at) => {
                let (from, to) = ordered(place(from), place(to));
                let (copy, at) = (bytes[from..to].to_vec(), place(at));
                bytes.splice(at..at, copy);
            }
            Self::Splice(sample, from, to, at) => {
                let other = sample.get(samples);
                let of_other = |index: &Index| index.index(other.len() + 1);
                let (from, to) = ordered(of_other(from), of_other(to));
                let at = place(at);
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            Self::Insert(at, piece, times) => {
                let at = place(at);
                bytes.splice(at..at, piece.repeat(*times));
            }
            Self::Number(at, width, number, little) => {
                let at = place(at);
                let mut number = number.to_be_bytes()[8 - width..].to_vec();
                if *little {
                    number.reverse();
                }
                for (byte, new) in bytes.iter_mut().skip(at).zip(number) {
                    *byte = new;
                }
            }
        }
    }
}

fn ordered(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}

#[test]
fn what_takes_too_much_memory_or_time_fails() {
    let made = |bytes: usize| bounded(10, || std::hint::black_box(vec![0u8; bytes]).len());
    assert_eq!(made(1000).unwrap(), 1000);
    assert!(made(10 << 20).is_err());
    if std::path::Path::new(CPU_STATISTICS).exists() {
        let start = cpu_time();
        let spin = || while cpu_time() < start + Duration::from_millis(100) {};
        assert!(measured(FREE_BYTES, Duration::from_millis(10), spin).is_err());
    }
}

#[test]
fn samples_are_changed_and_the_same_seed_makes_the_same_inputs() {
    let made = || {
        let config = ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::with_cases(50)
        };
        let found = std::cell::RefCell::new(Vec::new());
        let mut runner = TestRunner::new(config);
        let inputs = mutated(samples(&["{\"a\":1}", "[1,2]"]));
        runner
            .run(&inputs, |bytes| {
                found.borrow_mut().push(bytes);
                Ok(())
            })
            .unwrap();
        found.into_inner()
    };
    let inputs = made();
    assert_eq!(inputs, made());
    let others = inputs.iter().filter(|bytes| ***bytes != b"{\"a\":1}"[..]);
    assert!(others.count() > 40);
}
