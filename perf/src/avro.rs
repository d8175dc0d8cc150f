//! Avro records in the format of Confluent's serializers: a zero, the schema's id in four bytes, the body.
//! Written by hand, as the other forms are: nothing of the systems under test is in it.

use crate::input::FIRST;
use crate::object::Fields;

/// The schema of the small object. `note` may be null, as most columns of a database may.
pub(crate) const SCHEMA: &str = r#"{"type":"record","name":"Order","namespace":"perf","fields":[{"name":"id","type":"long"},{"name":"name","type":"string"},{"name":"amount","type":"double"},{"name":"active","type":"boolean"},{"name":"note","type":["null","string"],"default":null}]}"#;

/// Appends record `index`, in which `note` is that.
pub(crate) fn append(schema_id: u32, index: u64, note: &[u8], out: &mut Vec<u8>) {
    let fields = Fields::of(index);
    out.push(0);
    out.extend_from_slice(&schema_id.to_be_bytes());
    append_long(FIRST + index, out);
    append_string(format!("user-{}", fields.user).as_bytes(), out);
    out.extend_from_slice(&fields.amount().to_le_bytes());
    out.push(1);
    // The second branch of the union.
    append_long(1, out);
    append_string(note, out);
}

fn append_string(text: &[u8], out: &mut Vec<u8>) {
    append_long(text.len() as u64, out);
    out.extend_from_slice(text);
}

/// A number that is not negative: zigzag, seven bits a byte, the lowest first.
fn append_long(number: u64, out: &mut Vec<u8>) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Data, Form, Generator};

    /// What the specification says about reading, as far as the schema needs it.
    struct Reader<'a>(&'a [u8]);

    impl<'a> Reader<'a> {
        fn take(&mut self, count: usize) -> &'a [u8] {
            let (taken, rest) = self.0.split_at(count);
            self.0 = rest;
            taken
        }

        fn long(&mut self) -> i64 {
            let (mut raw, mut shift) = (0_u64, 0);
            loop {
                let byte = self.take(1)[0];
                raw |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
                shift += 7;
            }
            (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed())
        }

        fn string(&mut self) -> &'a str {
            let length = usize::try_from(self.long()).unwrap();
            std::str::from_utf8(self.take(length)).unwrap()
        }
    }

    fn record(index: u64, form: Form) -> Vec<u8> {
        let generator = Generator::new(Data::Json, 100).with_schema(258);
        let mut out = Vec::new();
        generator.append(index, form, &mut out);
        out
    }

    #[test]
    fn a_record_says_the_same_as_the_object() {
        for index in [0, 7, 4_999_999] {
            let object: serde_json::Value =
                serde_json::from_slice(&record(index, Form::Plain)).unwrap();
            let bytes = record(index, Form::Avro);
            let mut reader = Reader(&bytes);
            assert_eq!(reader.take(5), [0, 0, 0, 1, 2]);
            assert_eq!(reader.long(), object["id"].as_i64().unwrap());
            assert_eq!(reader.string(), object["name"]);
            let amount = f64::from_le_bytes(reader.take(8).try_into().unwrap());
            assert_eq!(Some(amount), object["amount"].as_f64());
            assert_eq!(reader.take(1), [1]);
            assert_eq!(reader.long(), 1, "the branch of texts");
            assert_eq!(reader.string(), object["note"]);
            assert_eq!(reader.0, b"");
        }
    }

    #[test]
    fn the_schema_has_the_members_of_the_object_in_their_order() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let fields = schema["fields"].as_array().unwrap();
        let names: Vec<&str> = fields.iter().filter_map(|f| f["name"].as_str()).collect();
        let members = Data::Json.members().iter();
        assert_eq!(names, members.map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn records_are_equally_long_and_apaches_encoder_writes_the_same() {
        assert_eq!(
            record(0, Form::Avro).len(),
            record(4_999_999, Form::Avro).len()
        );
        let mut bytes = Vec::new();
        append(258, 3, b"oak", &mut bytes);
        // Of `GenericDatumWriter` in Avro 1.12.0, after the five bytes of Confluent's head.
        assert_eq!(bytes[..5], [0, 0, 0, 1, 2]);
        let body = "86a8d6b90716757365722d31303030303352b81e85ab89c3400102066f616b";
        assert_eq!(hex(&bytes[5..]), body);
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
