//! Keys, headers and values between records and bytes, each on the road that the plan chose.

mod sink;
mod source;
mod transform;

pub use sink::SinkConversion;
pub use source::{Encoded, EncodedRecords, Rewritten, SourceConversion};
pub(in crate::task) use source::{materialize, materialize_one};

use std::time::Duration;

use crate::api::data::text::decode_utf8;
use crate::api::{Converter, HeaderConverter, SliceForm, Value};
use crate::task::errors::Stage;
use crate::task::transformation_chain::TransformationChain;

/// The converters of a task.
pub struct Converters {
    /// `key.converter`.
    pub key: Box<dyn Converter>,
    /// `value.converter`.
    pub value: Box<dyn Converter>,
    /// `header.converter`.
    pub header: Box<dyn HeaderConverter>,
}

impl Converters {
    /// Looks up what the converter of `stage` asked for.
    async fn resolve(&mut self, stage: Stage) {
        match stage {
            Stage::KeyConverter => self.key.resolve().await,
            Stage::ValueConverter => self.value.resolve().await,
            _ => {}
        }
    }
}

/// Time that transforms took: that of one record in the middle of each batch stands for all of the batch.
#[derive(Debug, Default)]
struct TransformTime(Duration);

impl TransformTime {
    /// Record `index` of `count` comes next.
    fn before(chain: &mut TransformationChain, index: usize, count: usize) {
        if index == count / 2 {
            chain.time_next();
        }
    }

    /// `count` records are through.
    fn after(&mut self, chain: &mut TransformationChain, count: usize) {
        if let Some(one) = chain.take_time() {
            self.0 += one.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    fn take(&mut self) -> Duration {
        std::mem::take(&mut self.0)
    }
}

/// Most look-ups for one record: one for its key and one for its value are usual. A converter that asks on
/// and on fails the record instead of holding up its task.
const LOOKUPS_MAX: usize = 16;

impl std::fmt::Debug for Converters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converters")
            .field("key", &self.key.class_name())
            .field("value", &self.value.class_name())
            .field("header", &self.header.class_name())
            .finish()
    }
}

/// The value that a slice stands for; text that is not UTF-8 gets U+FFFD, as in Java.
fn slice_value(form: SliceForm, bytes: &[u8]) -> Value {
    match form {
        SliceForm::Text => Value::String(decode_utf8(bytes)),
        SliceForm::Bytes => Value::Bytes(bytes::Bytes::copy_from_slice(bytes)),
    }
}
