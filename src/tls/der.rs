//! Walking through DER (X.690): tags, lengths and what is between, all within the bytes given.

use super::error::StoreProblem;

/// A tag of one byte.
pub(super) mod tag {
    pub(in crate::tls) const INTEGER: u8 = 0x02;
    pub(in crate::tls) const OCTET_STRING: u8 = 0x04;
    pub(in crate::tls) const OID: u8 = 0x06;
    pub(in crate::tls) const SEQUENCE: u8 = 0x30;
    /// `[0]` around another value.
    pub(in crate::tls) const EXPLICIT_0: u8 = 0xa0;
    /// `[0]` in place of an octet string's tag.
    pub(in crate::tls) const IMPLICIT_0: u8 = 0x80;
}

/// A value: its tag and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

/// What is left to read of some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Tag of the next value; `None` at the end.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next value, whatever it is.
    pub(super) fn value(&mut self) -> Result<Value<'a>, StoreProblem> {
        let (&tag, rest) = self.rest.split_first().ok_or(SHORT)?;
        if tag & 0x1f == 0x1f {
            return Err(StoreProblem::Malformed("a tag of several bytes"));
        }
        let (len, rest) = length(rest)?;
        let (body, rest) = rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(Value { tag, body })
    }

    /// The next value with its tag and length, for what is kept as it is.
    pub(super) fn whole(&mut self) -> Result<&'a [u8], StoreProblem> {
        let before = self.rest;
        self.value()?;
        Ok(&before[..before.len() - self.rest.len()])
    }

    /// What is in the next value, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], StoreProblem> {
        let value = self.value()?;
        if value.tag != tag {
            return Err(StoreProblem::Malformed(
                "another kind of value was expected",
            ));
        }
        Ok(value.body)
    }

    pub(super) fn sequence(&mut self) -> Result<Reader<'a>, StoreProblem> {
        self.expect(tag::SEQUENCE).map(Reader::new)
    }

    pub(super) fn oid(&mut self) -> Result<&'a [u8], StoreProblem> {
        self.expect(tag::OID)
    }

    pub(super) fn octets(&mut self) -> Result<&'a [u8], StoreProblem> {
        self.expect(tag::OCTET_STRING)
    }

    /// What is in an explicit `[0]`.
    pub(super) fn explicit_0(&mut self) -> Result<Reader<'a>, StoreProblem> {
        self.expect(tag::EXPLICIT_0).map(Reader::new)
    }

    /// A number from 0 to 2³²−1.
    pub(super) fn u32(&mut self) -> Result<u32, StoreProblem> {
        let bytes = self.expect(tag::INTEGER)?;
        let bytes = bytes.strip_prefix(&[0]).unwrap_or(bytes);
        if bytes.len() > 4 {
            return Err(StoreProblem::Malformed("a number is too large"));
        }
        Ok(bytes
            .iter()
            .fold(0, |number, byte| (number << 8) | u32::from(*byte)))
    }
}

const SHORT: StoreProblem = StoreProblem::Malformed("it ends too early");

/// A length and what follows it.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), StoreProblem> {
    let (&first, rest) = bytes.split_first().ok_or(SHORT)?;
    match first {
        0..0x80 => Ok((first.into(), rest)),
        0x80 => Err(StoreProblem::Malformed(
            "it is BER with open lengths, not DER; `openssl pkcs12` or `keytool -importkeystore` rewrite it",
        )),
        0x81..=0x84 => {
            let (number, rest) = rest.split_at_checked((first & 0x7f).into()).ok_or(SHORT)?;
            let len = number
                .iter()
                .fold(0_usize, |len, byte| (len << 8) | usize::from(*byte));
            Ok((len, rest))
        }
        _ => Err(StoreProblem::Malformed("a length is too large")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_each_other_and_lie_in_their_bytes() {
        let mut reader = Reader::new(&[0x30, 0x03, 0x02, 0x01, 0x07, 0x04, 0x81, 0x01, 0xff]);
        assert_eq!(reader.peek(), Some(tag::SEQUENCE));
        assert_eq!(reader.sequence().unwrap().u32().unwrap(), 7);
        assert_eq!(reader.octets().unwrap(), [0xff]);
        assert!(reader.is_empty());
        assert_eq!(reader.value(), Err(SHORT));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for bytes in [
            &[0x30][..],
            &[0x30, 0x01],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x1f, 0x01, 0],
        ] {
            assert!(Reader::new(bytes).value().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn numbers_are_read_with_and_without_their_sign_byte() {
        let number = |bytes: &[u8]| Reader::new(bytes).u32();
        assert_eq!(number(&[2, 2, 0x27, 0x10]).unwrap(), 10_000);
        assert_eq!(
            number(&[2, 5, 0, 0xff, 0xff, 0xff, 0xff]).unwrap(),
            u32::MAX
        );
        assert!(number(&[2, 5, 1, 0, 0, 0, 0]).is_err());
        assert!(number(&[4, 1, 0]).is_err());
    }
}
