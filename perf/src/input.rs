//! Input: record *i* is a function of *i* and of the size, the same on every run and for every system.
//!
//! Each record carries its number plus [`FIRST`] as its first ten digits, in every form that it takes on
//! its way, so that a single record that arrives can be checked for itself (see `verify`).

use std::io::{self, BufWriter, Write};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::avro;
use crate::object::{self, Content, Member, SMALL, WIDE, java_order, words_of};
use crate::template::Template;

/// Number in record 0: ten digits without a leading zero, as JSON wants them.
pub(crate) const FIRST: u64 = 1_000_000_000;

/// Places at which a record's filler may begin.
const PLACES: usize = 64 << 10;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Data {
    /// A number and words.
    Text,
    /// A flat JSON object of five members.
    Json,
    /// One of 22 members.
    JsonWide,
}

impl Data {
    /// Those of an object; none in a text.
    pub(crate) fn members(self) -> &'static [Member] {
        match self {
            Self::Text => &[],
            Self::Json => SMALL,
            Self::JsonWide => WIDE,
        }
    }
}

/// How a record is written where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it was made: a line of a file, or the bytes of a value.
    Plain,
    /// A JSON string, as JsonConverter makes of a line.
    JsonString,
    /// The same in JsonConverter's envelope with a schema.
    JsonEnvelope,
    /// A JSON object in JsonConverter's envelope with the schema of a struct.
    StructEnvelope,
    /// An Avro record as Confluent's serializers write it.
    Avro,
    /// A Java map's text, as FileStreamSink prints a JSON object.
    JavaMap,
    /// A struct's text.
    Struct,
    /// A line as the scenario says it, see [`Template`].
    Expected,
}

/// The schema of an object, as JsonConverter writes it.
const SCHEMA: &[u8] = br#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":false,"field":"name"},{"type":"double","optional":false,"field":"amount"},{"type":"boolean","optional":false,"field":"active"},{"type":"string","optional":false,"field":"note"}],"optional":false}"#;

/// Makes records.
#[derive(Debug)]
pub(crate) struct Generator {
    data: Data,
    size: usize,
    filler: Vec<u8>,
    /// Bytes of [`Content::Rest`].
    rest: usize,
    /// Members in the order of a Java map.
    java_map: Vec<Member>,
    /// At the registry, of [`Form::Avro`].
    schema_id: u32,
    /// [`Form::Expected`].
    expected: Option<Template>,
}

const WORDS: &[&str] = &[
    "alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper",
    "kauri", "larch", "maple", "nutmeg", "oak", "pine", "quince", "rowan", "spruce", "teak",
    "ulmo", "viburnum", "willow", "yew", "zelkova", "aspen", "beech", "chestnut", "ebony",
    "hickory",
];

impl Generator {
    /// Records of exactly `size` bytes; JSON objects and text have a least size, see
    /// [`Generator::least`].
    pub(crate) fn new(data: Data, size: usize) -> Self {
        let mut filler = Vec::with_capacity(PLACES + size + 16);
        let mut state = 42_u64;
        while filler.len() < PLACES + size {
            state = mix(state);
            let word = usize::try_from(state % WORDS.len() as u64).unwrap_or(0);
            filler.extend_from_slice(WORDS[word].as_bytes());
            filler.push(b' ');
        }
        Self {
            data,
            size,
            filler,
            rest: size.saturating_sub(fixed_bytes(data)),
            java_map: java_order(data.members()),
            schema_id: 0,
            expected: None,
        }
    }

    /// With the id of Avro's schema.
    pub(crate) fn with_schema(self, schema_id: u32) -> Self {
        Self { schema_id, ..self }
    }

    /// With the lines that a sink writes.
    pub(crate) fn expecting(self, expected: Option<Template>) -> Self {
        Self { expected, ..self }
    }

    /// The least size of a record.
    pub(crate) fn least(data: Data) -> usize {
        match data {
            Data::Text => 12,
            Data::Json => 84,
            Data::JsonWide => 800,
        }
    }

    /// Whether a record's number stands in it in this form.
    pub(crate) fn is_numbered(&self, form: Form) -> bool {
        let expected = self.expected.as_ref();
        form != Form::Expected || expected.is_some_and(Template::is_numbered)
    }

    /// Appends record `index` in `form`.
    pub(crate) fn append(&self, index: u64, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Plain => self.plain(index, out),
            Form::JavaMap => self.members(index, &self.java_map, (b"{", b", "), out),
            Form::Struct => self.members(index, self.data.members(), (b"Struct{", b","), out),
            Form::Expected => {
                if let Some(expected) = &self.expected {
                    expected.append(index, out, |member, out| self.content(index, member, out));
                }
            }
            Form::Avro => {
                let mut note = Vec::with_capacity(self.rest);
                self.fill(words_of(index, "note"), self.rest, &mut note);
                avro::append(self.schema_id, index, &note, out);
            }
            Form::StructEnvelope => {
                out.extend_from_slice(br#"{"schema":"#);
                out.extend_from_slice(SCHEMA);
                out.extend_from_slice(br#","payload":"#);
                self.plain(index, out);
                out.push(b'}');
            }
            Form::JsonString => self.quoted(index, out),
            Form::JsonEnvelope => {
                out.extend_from_slice(
                    br#"{"schema":{"type":"string","optional":false},"payload":"#,
                );
                self.quoted(index, out);
                out.push(b'}');
            }
        }
    }

    /// Bytes of a record in `form`: all records have the same.
    pub(crate) fn length(&self, form: Form) -> usize {
        let mut record = Vec::new();
        self.append(0, form, &mut record);
        record.len()
    }

    fn plain(&self, index: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let number = FIRST + index;
        match self.data {
            Data::Text => {
                append_digits(number, out);
                out.push(b' ');
                self.fill(mix(index), self.size - (out.len() - start), out);
            }
            Data::Json | Data::JsonWide => self.object(index, out),
        }
    }

    fn object(&self, index: u64, out: &mut Vec<u8>) {
        for (at, member) in self.data.members().iter().enumerate() {
            let (name, content) = member;
            out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
            out.extend_from_slice(name.as_bytes());
            let quote: &[u8] = if content.is_text() { b"\"" } else { b"" };
            out.extend_from_slice(b"\":");
            out.extend_from_slice(quote);
            self.content(index, *member, out);
            out.extend_from_slice(quote);
        }
        out.push(b'}');
    }

    /// Members as Java prints them, with what stands before the first and before each other one.
    fn members(
        &self,
        index: u64,
        members: &[Member],
        (first, next): (&[u8], &[u8]),
        out: &mut Vec<u8>,
    ) {
        for (at, member) in members.iter().enumerate() {
            out.extend_from_slice(if at == 0 { first } else { next });
            out.extend_from_slice(member.0.as_bytes());
            out.push(b'=');
            self.content(index, *member, out);
        }
        out.push(b'}');
    }

    /// What a member holds, as text.
    fn content(&self, index: u64, (name, content): Member, out: &mut Vec<u8>) {
        match content {
            Content::Words(count) => self.fill(words_of(index, name), count, out),
            Content::Rest => self.fill(words_of(index, name), self.rest, out),
            other => object::append(index, other, out),
        }
    }

    fn quoted(&self, index: u64, out: &mut Vec<u8>) {
        let mut plain = Vec::with_capacity(self.size);
        self.plain(index, &mut plain);
        out.push(b'"');
        for byte in plain {
            if byte == b'"' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }

    /// Words from a place that the number names.
    fn fill(&self, place: u64, count: usize, out: &mut Vec<u8>) {
        let place = usize::try_from(place % PLACES as u64).unwrap_or(0);
        out.extend_from_slice(&self.filler[place..place + count]);
    }

    /// Writes `records` as lines.
    pub(crate) fn write_lines(&self, records: Range<u64>, out: impl Write) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, out);
        let mut block = Vec::with_capacity(1 << 16);
        for index in records {
            self.plain(index, &mut block);
            block.push(b'\n');
            if block.len() >= 1 << 15 {
                out.write_all(&block)?;
                block.clear();
            }
        }
        out.write_all(&block)?;
        out.flush()
    }
}

/// Bytes of an object without its rest.
fn fixed_bytes(data: Data) -> usize {
    let braces = 1;
    let members = data.members().iter().map(|(name, content)| {
        let mut value = Vec::new();
        object::append(0, *content, &mut value);
        let words = match content {
            Content::Words(count) => *count,
            _ => 0,
        };
        // Name in quotes, colon, what separates it, and quotes around a text.
        let quotes = if content.is_text() { 2 } else { 0 };
        name.len() + 4 + quotes + value.len() + words
    });
    braces + members.sum::<usize>()
}

fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

/// Appends a number in decimal digits.
pub(crate) fn append_digits(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    while at == digits.len() || number > 0 {
        at -= 1;
        digits[at] = digit(number);
        number /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// SplitMix64's finish: neighbouring numbers become unrelated ones.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The number in any form of a record: its first ten digits in a row.
pub(crate) fn index_of(record: &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    let mut digits = 0;
    for byte in record {
        if byte.is_ascii_digit() {
            number = number * 10 + u64::from(byte - b'0');
            digits += 1;
            if digits == 10 {
                return number.checked_sub(FIRST);
            }
        } else {
            number = 0;
            digits = 0;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_TEXTS: [Form; 3] = [Form::Plain, Form::JsonString, Form::JsonEnvelope];
    const OF_OBJECTS: [Form; 2] = [Form::JavaMap, Form::Struct];

    #[test]
    fn records_have_their_size_and_number_in_every_form() {
        for (data, size) in [
            (Data::Text, 16),
            (Data::Text, 1_000_000),
            (Data::Json, 100),
            (Data::Json, 84),
            (Data::JsonWide, 800),
            (Data::JsonWide, 1000),
        ] {
            let generator = Generator::new(data, size);
            let mut forms = OF_TEXTS.to_vec();
            if data != Data::Text {
                forms.extend(OF_OBJECTS);
            }
            if data == Data::Json {
                forms.push(Form::StructEnvelope);
            }
            for form in forms {
                for index in [0, 1, 9, 123_456_789] {
                    let mut record = Vec::new();
                    generator.append(index, form, &mut record);
                    assert_eq!(index_of(&record), Some(index), "{form:?}");
                    assert_eq!(record.len(), generator.length(form), "{form:?}");
                    if form == Form::Plain {
                        assert_eq!(record.len(), size);
                    }
                }
            }
        }
    }

    #[test]
    fn json_is_json_and_its_strings_mean_the_record() {
        let generator = Generator::new(Data::Json, 100);
        for index in [0, 7, 99, 1_000_000] {
            let mut plain = Vec::new();
            generator.append(index, Form::Plain, &mut plain);
            let object: serde_json::Value = serde_json::from_slice(&plain).unwrap();
            assert_eq!(object["id"], FIRST + index);
            let mut quoted = Vec::new();
            generator.append(index, Form::JsonString, &mut quoted);
            let text: String = serde_json::from_slice(&quoted).unwrap();
            assert_eq!(text.as_bytes(), plain);
            let mut envelope = Vec::new();
            generator.append(index, Form::JsonEnvelope, &mut envelope);
            let envelope: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
            assert_eq!(envelope["payload"], text.as_str());
        }
    }

    fn text(generator: &Generator, form: Form) -> String {
        let mut out = Vec::new();
        generator.append(3, form, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_struct_and_its_envelope_have_the_members_in_their_order() {
        let generator = Generator::new(Data::Json, 84);
        let structure = text(&generator, Form::Struct);
        let start = "Struct{id=1000000003,name=user-100003,amount=10003.34,active=true,note=";
        assert!(structure.starts_with(start), "{structure}");
        let envelope: serde_json::Value =
            serde_json::from_str(&text(&generator, Form::StructEnvelope)).unwrap();
        assert_eq!(envelope["payload"]["name"], "user-100003");
        let fields = envelope["schema"]["fields"].as_array().unwrap();
        assert_eq!(fields.len(), 5);
    }

    #[test]
    fn a_wide_object_has_22_members_most_of_them_short() {
        let generator = Generator::new(Data::JsonWide, 1000);
        let object: serde_json::Value =
            serde_json::from_str(&text(&generator, Form::Plain)).unwrap();
        let members = object.as_object().unwrap();
        assert_eq!(members.len(), 22);
        assert_eq!(object["ts"], 1_000_000_003_123_u64);
        let lengths = members.values().map(|value| value.to_string().len());
        assert!(lengths.max().unwrap() < 300);
    }

    #[test]
    fn an_expected_line_is_filled_from_the_record() {
        let line = "{n=${note}, user=${name}}";
        let template = Template::parse(line, SMALL).unwrap();
        let generator = Generator::new(Data::Json, 100).expecting(Some(template));
        let plain: serde_json::Value =
            serde_json::from_str(&text(&generator, Form::Plain)).unwrap();
        let note = plain["note"].as_str().unwrap();
        let expected = format!("{{n={note}, user=user-100003}}");
        assert_eq!(text(&generator, Form::Expected), expected);
        assert!(!generator.is_numbered(Form::Expected) && generator.is_numbered(Form::Plain));
    }

    #[test]
    fn least_sizes_are_possible() {
        for data in [Data::Text, Data::Json, Data::JsonWide] {
            let size = Generator::least(data);
            assert_eq!(Generator::new(data, size).length(Form::Plain), size);
        }
    }

    #[test]
    fn lines_are_the_records() {
        let generator = Generator::new(Data::Text, 100);
        let mut lines = Vec::new();
        generator.write_lines(0..1000, &mut lines).unwrap();
        assert_eq!(lines.len(), 101_000);
        let last = lines.split(|&b| b == b'\n').nth(999).unwrap();
        assert_eq!(index_of(last), Some(999));
    }
}
