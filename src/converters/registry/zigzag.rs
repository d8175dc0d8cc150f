//! Numbers of variable length as Avro and Protobuf both write them.

/// Appends a number: seven bits a byte, the lowest first, signs folded in (zigzag).
pub(super) fn append_long(number: i64, out: &mut Vec<u8>) {
    let mut rest = (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned();
    while rest > 0x7f {
        #[expect(clippy::cast_possible_truncation, reason = "the low seven bits")]
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most seven bits are left"
    )]
    out.push(rest as u8);
}
