//! A line of output: the fate of one record as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::api::Span;
use crate::task::preview::{Failed, Written};

/// Appends the line of a record that came through.
pub(super) fn record(written: &Written<'_>, out: &mut Vec<u8>) {
    let record = &written.record;
    out.extend_from_slice(br#"{"result":"record","topic":"#);
    text(&record.topic, out);
    out.extend_from_slice(br#","partition":"#);
    number(record.partition.map(i64::from), out);
    out.extend_from_slice(br#","timestamp":"#);
    number(record.timestamp, out);
    out.extend_from_slice(br#","key":"#);
    base64(record.key, written.bytes, out);
    out.extend_from_slice(br#","value":"#);
    base64(record.value, written.bytes, out);
    out.extend_from_slice(br#","headers":["#);
    for (index, (name, value)) in record.headers.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[" } else { b",[" });
        text(name, out);
        out.push(b',');
        base64(*value, written.bytes, out);
        out.push(b']');
    }
    out.extend_from_slice(b"]}\n");
}

/// Appends the line of a record that a transform dropped.
pub(super) fn filtered(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"result\":\"filtered\"}\n");
}

/// Appends the line of a record that failed.
pub(super) fn error(failed: &Failed, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"result":"error","stage":"#);
    text(failed.stage.name(), out);
    out.extend_from_slice(br#","class":"#);
    text(without_package(failed.error.java_class()), out);
    out.extend_from_slice(br#","message":"#);
    text(failed.error.message(), out);
    out.extend_from_slice(br#","plugin":"#);
    text(failed.plugin, out);
    out.extend_from_slice(b"}\n");
}

/// `DataException` of `org.apache.kafka.connect.errors.DataException`.
pub(super) fn without_package(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

fn text(text: &str, out: &mut Vec<u8>) {
    // Writing text into memory cannot fail.
    serde_json::to_writer(&mut *out, text).unwrap_or_default();
}

fn number(number: Option<i64>, out: &mut Vec<u8>) {
    match number {
        Some(number) => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

fn base64(span: Span, bytes: &[u8], out: &mut Vec<u8>) {
    let Some(bytes) = span.of(bytes) else {
        return out.extend_from_slice(b"null");
    };
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exactly what base64 takes.
    let written = BASE64.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConnectError;
    use crate::task::conversion::Encoded;
    use crate::task::errors::Stage;

    fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_record_keeps_nulls_apart_from_empty_bytes() {
        let span = |start, len| Span { start, len };
        let written = Written {
            record: Encoded {
                index: 0,
                slot: 0,
                topic: "a\"b".into(),
                partition: None,
                timestamp: None,
                key: Span::NULL,
                value: span(0, 0),
                headers: vec![("h".to_owned(), span(0, 2)), ("ä".to_owned(), Span::NULL)],
            },
            bytes: b"\x00\xff",
        };
        assert_eq!(
            line(|out| record(&written, out)),
            "{\"result\":\"record\",\"topic\":\"a\\\"b\",\"partition\":null,\"timestamp\":null,\
             \"key\":null,\"value\":\"\",\"headers\":[[\"h\",\"AP8=\"],[\"ä\",null]]}\n"
        );
    }

    #[test]
    fn an_error_names_stage_and_class_without_its_package() {
        let failed = Failed {
            stage: Stage::ValueConverter,
            plugin: "p.X",
            error: ConnectError::data("bad \n"),
        };
        assert_eq!(
            line(|out| error(&failed, out)),
            "{\"result\":\"error\",\"stage\":\"VALUE_CONVERTER\",\"class\":\"DataException\",\
             \"message\":\"bad \\n\",\"plugin\":\"p.X\"}\n"
        );
    }
}
