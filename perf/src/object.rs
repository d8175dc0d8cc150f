//! The objects among the records: which members they have, and what stands in each.

use crate::input::{FIRST, append_digits, mix};

/// What a member holds. All but the rest have a width of their own, so that all records of a size have
/// the same members of the same widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// The record's number plus [`FIRST`].
    Number,
    /// That number as seconds since 1970, in milliseconds: it begins with the same ten digits.
    Time,
    /// `user-` and six digits.
    User,
    /// A number with two decimal places.
    Amount,
    /// `true`.
    Flag,
    /// Three digits.
    Count,
    /// So many bytes of words.
    Words(usize),
    /// Words up to the size of the record.
    Rest,
}

impl Content {
    /// Whether JSON has it in quotes.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::User | Self::Words(_) | Self::Rest)
    }
}

/// Name and content.
pub(crate) type Member = (&'static str, Content);

/// Of the small object.
pub(crate) const SMALL: &[Member] = &[
    ("id", Content::Number),
    ("name", Content::User),
    ("amount", Content::Amount),
    ("active", Content::Flag),
    ("note", Content::Rest),
];

/// Of the wide one: as a log line of a shop, say.
pub(crate) const WIDE: &[Member] = &[
    ("id", Content::Number),
    ("ts", Content::Time),
    ("name", Content::User),
    ("amount", Content::Amount),
    ("active", Content::Flag),
    ("level", Content::Words(5)),
    ("host", Content::Words(24)),
    ("service", Content::Words(16)),
    ("region", Content::Words(12)),
    ("status", Content::Count),
    ("method", Content::Words(4)),
    ("path", Content::Words(80)),
    ("agent", Content::Words(110)),
    ("session", Content::Words(36)),
    ("trace", Content::Words(32)),
    ("country", Content::Words(12)),
    ("city", Content::Words(16)),
    ("currency", Content::Words(3)),
    ("items", Content::Count),
    ("referrer", Content::Words(80)),
    ("address", Content::Words(60)),
    ("note", Content::Rest),
];

/// What varies in an object beside its number; fixed widths all.
pub(crate) struct Fields {
    /// Digits of the user's name.
    pub(crate) user: u64,
    /// The amount without its decimal places.
    pub(crate) whole: u64,
    /// Those places.
    pub(crate) cents: u64,
    /// Three digits.
    pub(crate) count: u64,
}

impl Fields {
    /// Of record `index`.
    pub(crate) fn of(index: u64) -> Self {
        Self {
            user: 100_000 + index % 899_999,
            whole: 10_000 + index % 89_999,
            // No final zero: Java would not print it.
            cents: 10 * (index % 9) + 1 + index % 8,
            count: 100 + index % 899,
        }
    }

    /// The amount as a number.
    #[expect(clippy::cast_precision_loss, reason = "seven digits")]
    pub(crate) fn amount(&self) -> f64 {
        (self.whole * 100 + self.cents) as f64 / 100.0
    }

    fn append_amount(&self, out: &mut Vec<u8>) {
        append_digits(self.whole, out);
        out.push(b'.');
        append_digits(self.cents / 10, out);
        append_digits(self.cents % 10, out);
    }
}

/// Milliseconds since 1970 of record `index`.
pub(crate) fn time(index: u64) -> u64 {
    (FIRST + index) * 1000 + 123
}

/// Where the words of a record's member begin: each at a place of its own.
pub(crate) fn words_of(index: u64, member: &str) -> u64 {
    if member == "note" {
        return mix(index);
    }
    let of_name = member
        .bytes()
        .fold(0, |sum, byte| sum * 31 + u64::from(byte));
    mix(index ^ (of_name << 32))
}

/// Appends what is no words.
pub(crate) fn append(index: u64, content: Content, out: &mut Vec<u8>) {
    let fields = Fields::of(index);
    match content {
        Content::Number => append_digits(FIRST + index, out),
        Content::Time => append_digits(time(index), out),
        Content::User => {
            out.extend_from_slice(b"user-");
            append_digits(fields.user, out);
        }
        Content::Amount => fields.append_amount(out),
        Content::Flag => out.extend_from_slice(b"true"),
        Content::Count => append_digits(fields.count, out),
        Content::Words(_) | Content::Rest => {}
    }
}

/// Keys in the order in which a `java.util.HashMap` gives them that grew as they were put, in their order
/// here.
pub(crate) fn java_order(members: &[Member]) -> Vec<Member> {
    let mut places = 16_u32;
    while members.len() > places as usize * 3 / 4 {
        places *= 2;
    }
    let place = |name: &str| {
        let hash = name.chars().fold(0_u32, |hash, letter| {
            hash.wrapping_mul(31).wrapping_add(u32::from(letter))
        });
        (hash ^ (hash >> 16)) & (places - 1)
    };
    let mut members = members.to_vec();
    members.sort_by_key(|(name, _)| place(name));
    members
}
