//! The sink task: values as lines, appended to a file or to standard output.
//!
//! `put` copies the lines into a buffer; whole buffers of whole lines go to a blocking thread, one
//! running while the next is filled. Written are full buffers, and what there is when the last write is
//! [`LINGER`] ago or [`LINGER`] has passed without records, so that a reader of the file sees lines at
//! once, as with Apache's sink. Nothing is synced to the disk, as with Apache's.
//!
//! **When a write fails** (disk full), the lines written so far stand, the torn end of the last one is
//! cut off a regular file again, and the rest stays in the buffer in order: no line twice, none torn,
//! none lost. Until a write succeeds, `put` refuses records with a retriable error before it takes any,
//! and no offset is committed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use memchr::memrchr;

use super::{file_of, sink_config};
use crate::api::{
    ConfigMap, ConnectError, SinkBatch, SinkForm, SinkTask, SinkTaskContext, SliceColumn, Span,
    TopicPartition,
};
use crate::connectors::offload::Offload;

/// Bytes per write. While writes fail, a buffer grows by what one more `put` brings, and no further.
const BUFFER: usize = 1 << 20;
/// How long lines that came during a write wait for more of them.
const LINGER: Duration = Duration::from_millis(1);
/// Wait before refused records come again.
const REFUSED_WAIT: Duration = Duration::from_secs(1);

/// Kafka: `FileStreamSinkTask`.
#[derive(Debug, Default)]
pub struct FileStreamSinkTask {
    context: SinkTaskContext,
    target: Option<Arc<Target>>,
    buffer: Vec<u8>,
    writing: Option<Offload<Written>>,
    /// The last written buffer, empty, for the next one.
    spare: Vec<u8>,
    failure: Option<std::io::Error>,
    /// Lines went down with a blocking thread: nothing may be committed any more.
    lost: bool,
}

/// Where lines go.
#[derive(Debug)]
enum Target {
    Stdout,
    File {
        name: String,
        file: File,
        /// Whether it has an end that can be moved.
        regular: bool,
        /// Held over a write and the cut after a failed one, by every task of the process that appends
        /// to the same file.
        turn: Arc<Mutex<()>>,
    },
}

/// What became of a write.
#[derive(Debug)]
struct Written {
    /// Lines that are not in the target, in order; empty on success.
    rest: Vec<u8>,
    result: std::io::Result<()>,
}

#[async_trait(?Send)]
impl SinkTask for FileStreamSinkTask {
    async fn start(
        &mut self,
        context: SinkTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        self.context = context;
        self.target = Some(Arc::new(match file_of(&sink_config(), config)? {
            None => Target::Stdout,
            Some(name) => {
                let opened = Offload::start(move || Target::open(name));
                opened.await??
            }
        }));
        Ok(())
    }

    fn form(&self) -> SinkForm {
        SinkForm::Text
    }

    async fn put(&mut self, batches: &[SinkBatch]) -> Result<(), ConnectError> {
        if (self.failure.is_some() || self.lost) && self.drain().await.is_err() {
            return Err(self.refusal());
        }
        let mut taken = false;
        for batch in batches {
            if batch.is_empty() {
                continue;
            }
            let SliceColumn::Slices { buffer, spans, .. } = &batch.values else {
                return Err(ConnectError::connect(
                    "FileStreamSinkTask asked for text and got values",
                ));
            };
            taken = true;
            let mut left = spans.as_slice();
            while !left.is_empty() {
                left = append_lines(buffer, left, &mut self.buffer);
                // After a failure the rest is taken too: refused records would come again as a whole.
                if self.buffer.len() >= BUFFER && self.failure.is_none() {
                    self.write().await?;
                }
            }
        }
        // Lines gather while a write runs, so that writes are large under load and at once without.
        let free = self.writing.as_mut().is_none_or(Offload::has_ended);
        if !self.buffer.is_empty() && self.failure.is_none() && (!taken || free) {
            self.write().await?;
        }
        if !taken && self.buffer.is_empty() {
            // An idle task needs no buffer.
            self.buffer = Vec::new();
            self.spare = Vec::new();
        }
        if self.failure.is_some() {
            self.context.set_timeout(REFUSED_WAIT);
        } else if !self.buffer.is_empty() {
            self.context.set_timeout(LINGER);
        }
        Ok(())
    }

    async fn flush(&mut self, _offsets: &[(TopicPartition, i64)]) -> Result<(), ConnectError> {
        self.drain().await.map_err(|()| self.refusal())
    }

    async fn pre_commit(
        &mut self,
        offsets: Vec<(TopicPartition, i64)>,
    ) -> Result<Vec<(TopicPartition, i64)>, ConnectError> {
        if self.drain().await.is_ok() {
            return Ok(offsets);
        }
        // An error would rewind the consumer and bring lines again that wait in the buffer.
        let error = self.refusal();
        tracing::error!(error = %error, "lines are kept in memory and offsets are not committed");
        Ok(Vec::new())
    }

    async fn stop(&mut self) {
        if self.target.is_some() && self.drain().await.is_err() {
            let error = self.refusal();
            tracing::error!(error = %error, "lines were not written; they come again at the next start");
        }
        self.target = None;
    }
}

/// Appends lines until there is enough for a write; says which are left.
fn append_lines<'a>(values: &[u8], mut spans: &'a [Span], out: &mut Vec<u8>) -> &'a [Span] {
    let full = out.len().max(BUFFER);
    while let Some((span, left)) = spans.split_first() {
        let (lines, count) = lines_in_place(values, spans, full - out.len());
        if count > 0 {
            out.extend_from_slice(lines);
            spans = spans.get(count..).unwrap_or_default();
        } else {
            out.extend_from_slice(span.of(values).unwrap_or(b"null"));
            out.push(b'\n');
            spans = left;
        }
        if out.len() >= full {
            break;
        }
    }
    spans
}

/// The lines that `spans` begin with as far as they stand behind each other in `values`, each with a
/// line feed, as converters write texts; ends with the one that has the `most`th byte. And how many.
fn lines_in_place<'a>(values: &'a [u8], spans: &[Span], most: usize) -> (&'a [u8], usize) {
    let start = spans.first().map_or(0, |span| span.start as usize);
    let (mut end, mut count) = (start, 0);
    for span in spans {
        let line_feed = end.saturating_add(span.len as usize);
        let follows = !span.is_null() && span.start as usize == end;
        if !follows || values.get(line_feed) != Some(&b'\n') {
            break;
        }
        end = line_feed + 1;
        count += 1;
        if end - start >= most {
            break;
        }
    }
    (values.get(start..end).unwrap_or_default(), count)
}

impl FileStreamSinkTask {
    /// Starts to write the buffer, after the write before it has ended.
    async fn write(&mut self) -> Result<(), ConnectError> {
        self.finish().await?;
        let Some(target) = &self.target else {
            return Err(ConnectError::connect("put before start"));
        };
        if self.failure.is_some() {
            return Ok(());
        }
        let target = Arc::clone(target);
        let full = std::mem::replace(&mut self.buffer, std::mem::take(&mut self.spare));
        self.writing = Some(Offload::start(move || target.write(full)));
        Ok(())
    }

    /// Waits for the running write and takes its outcome. Cancel-safe.
    async fn finish(&mut self) -> Result<(), ConnectError> {
        let Some(writing) = &mut self.writing else {
            return Ok(());
        };
        let written = writing.await;
        self.writing = None;
        let Written { mut rest, result } = written.inspect_err(|_| self.lost = true)?;
        match result {
            Ok(()) => {
                // One that grew while writes failed goes back to the system.
                self.spare = rest;
                self.spare.shrink_to(2 * BUFFER);
            }
            Err(error) => {
                rest.append(&mut self.buffer);
                self.buffer = rest;
                self.failure = Some(error);
            }
        }
        Ok(())
    }

    /// Writes everything taken so far, also after failures; why it failed is in [`Self::failure`].
    async fn drain(&mut self) -> Result<(), ()> {
        match self.try_drain().await {
            Ok(()) if self.failure.is_none() && !self.lost => Ok(()),
            Ok(()) => Err(()),
            Err(error) => {
                self.failure = Some(std::io::Error::other(error.to_string()));
                Err(())
            }
        }
    }

    async fn try_drain(&mut self) -> Result<(), ConnectError> {
        self.finish().await?;
        self.failure = None;
        if !self.buffer.is_empty() {
            self.write().await?;
        }
        self.finish().await
    }

    fn refusal(&self) -> ConnectError {
        self.context.set_timeout(REFUSED_WAIT);
        let name = self.target.as_ref().map_or("", |target| target.name());
        let (text, kind) = match &self.failure {
            Some(error) => (error.to_string(), error.kind()),
            None => (String::new(), std::io::ErrorKind::Other),
        };
        let text = format!("Couldn't write to {name}: {text}");
        if self.lost || kind == std::io::ErrorKind::BrokenPipe {
            return ConnectError::connect(text);
        }
        ConnectError::retriable(text)
    }
}

impl Target {
    fn open(name: String) -> Result<Self, ConnectError> {
        let opened = File::options().create(true).append(true).open(&name);
        let opened = opened.and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|error| {
            ConnectError::connect(format!(
                "Couldn't find or create file '{name}' for FileStreamSinkTask: {error}"
            ))
            .with_source(error)
        })?;
        Ok(Self::File {
            name,
            file,
            regular: metadata.is_file(),
            turn: turn((metadata.dev(), metadata.ino())),
        })
    }

    fn name(&self) -> &str {
        match self {
            Self::Stdout => "standard output",
            Self::File { name, .. } => name,
        }
    }

    /// Writes whole lines. On failure whole lines stand in the target and the others come back.
    fn write(&self, mut lines: Vec<u8>) -> Written {
        match self {
            Self::Stdout => {
                let mut stdout = std::io::stdout().lock();
                let (count, mut result) = write_all(&mut stdout, &lines);
                if result.is_ok() {
                    result = stdout.flush();
                }
                // What went into a pipe can't be taken back: go on after the last byte.
                lines.drain(..count);
                Written {
                    rest: lines,
                    result,
                }
            }
            Self::File {
                file,
                regular,
                turn,
                ..
            } => {
                let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
                append(&mut &*file, regular.then_some(file), lines)
            }
        }
    }
}

/// Writes `lines` to `target`; `cut` is the file whose end can be moved.
fn append(target: &mut impl Write, cut: Option<&File>, mut lines: Vec<u8>) -> Written {
    let (mut count, result) = write_all(target, &lines);
    if let (Err(_), Some(file)) = (&result, cut) {
        count -= cut_torn_line(file, &lines[..count]);
    }
    lines.drain(..count);
    Written {
        rest: lines,
        result,
    }
}

/// Writes as much as goes; says how much that was.
fn write_all(target: &mut impl Write, bytes: &[u8]) -> (usize, std::io::Result<()>) {
    let mut count = 0;
    while count < bytes.len() {
        match target.write(&bytes[count..]) {
            Ok(0) => return (count, Err(std::io::ErrorKind::WriteZero.into())),
            Ok(more) => count += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return (count, Err(error)),
        }
    }
    (count, Ok(()))
}

/// Takes the torn end of `written` off `file` again; says how many bytes that were.
fn cut_torn_line(mut file: &File, written: &[u8]) -> usize {
    let whole = memrchr(b'\n', written).map_or(0, |at| at + 1);
    let torn = written.len() - whole;
    if torn == 0 {
        return 0;
    }
    // After an append the position is the end of what was appended; somebody else's bytes after it must
    // stay.
    let cut = file.stream_position().and_then(|end| {
        if file.metadata()?.len() != end {
            return Err(std::io::Error::other("another process writes to it"));
        }
        file.set_len(end - torn as u64)
    });
    match cut {
        Ok(()) => torn,
        Err(error) => {
            tracing::warn!(error = %error, "a torn line could not be cut off; it is continued later");
            0
        }
    }
}

/// The lock that tasks of this process share for a file (device and inode).
fn turn(file: (u64, u64)) -> Arc<Mutex<()>> {
    type Turns = BTreeMap<(u64, u64), Weak<Mutex<()>>>;
    static TURNS: Mutex<Turns> = Mutex::new(BTreeMap::new());
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    turns.retain(|_, turn| turn.strong_count() > 0);
    if let Some(turn) = turns.get(&file).and_then(Weak::upgrade) {
        return turn;
    }
    let turn = Arc::new(Mutex::new(()));
    turns.insert(file, Arc::downgrade(&turn));
    turn
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SliceForm;
    use crate::connectors::on_each_runtime;

    fn batch(lines: &[Option<&str>]) -> SinkBatch {
        let mut bytes = Vec::new();
        let mut spans = Vec::new();
        for line in lines {
            let Some(line) = line else {
                spans.push(Span::NULL);
                continue;
            };
            spans.push(Span {
                start: u32::try_from(bytes.len()).unwrap(),
                len: u32::try_from(line.len()).unwrap(),
            });
            bytes.extend_from_slice(line.as_bytes());
        }
        let count = i64::try_from(lines.len()).unwrap();
        SinkBatch {
            source: TopicPartition::new("t", 0),
            offsets: (0..count).collect(),
            timestamps: vec![-1; lines.len()],
            log_append_time: false,
            keys: SliceColumn::Omitted,
            values: SliceColumn::Slices {
                form: SliceForm::Text,
                buffer: bytes.into(),
                spans,
            },
            headers: Vec::new(),
            routed: None,
            next_offset: count,
            originals: None,
        }
    }

    async fn started(file: &str) -> FileStreamSinkTask {
        let mut config = ConfigMap::new();
        config.insert("file".to_owned(), Some(file.to_owned()));
        let mut task = FileStreamSinkTask::default();
        task.start(SinkTaskContext::new("c", 0), &config)
            .await
            .unwrap();
        task
    }

    fn offsets() -> Vec<(TopicPartition, i64)> {
        vec![(TopicPartition::new("t", 0), 3)]
    }

    #[test]
    fn values_are_appended_as_lines_and_stand_in_the_file_after_a_commit() {
        on_each_runtime(|| async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("out");
            std::fs::write(&path, "before\n").unwrap();
            let mut task = started(path.to_str().unwrap()).await;
            assert_eq!(task.form(), SinkForm::Text);
            let lines = batch(&[Some("a"), None, Some("")]);
            task.put(std::slice::from_ref(&lines)).await.unwrap();
            task.put(&[batch(&[Some("z")])]).await.unwrap();
            assert_eq!(task.pre_commit(offsets()).await.unwrap(), offsets());
            let text = std::fs::read_to_string(&path).unwrap();
            assert_eq!(text, "before\na\nnull\n\nz\n");
            task.stop().await;
        });
    }

    #[test]
    fn lines_that_stand_behind_each_other_are_appended_as_they_stand() {
        let span = |start, len| Span { start, len };
        let values = b"one\ntwo\n\nfour five\n";
        let spans = [
            span(0, 3),
            span(4, 3),
            span(8, 0),
            Span::NULL,
            span(9, 4),
            span(14, 4),
            span(14, 4),
            span(9, 9),
        ];
        let mut out = Vec::new();
        assert!(append_lines(values, &spans, &mut out).is_empty());
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "one\ntwo\n\nnull\nfour\nfive\nfive\nfour five\n");
        assert_eq!(lines_in_place(values, &spans, 5), (&values[..8], 2));
        assert_eq!(lines_in_place(values, &spans[3..], 5), (&b""[..], 0));

        let mut full = vec![b'x'; BUFFER + 1];
        assert_eq!(append_lines(values, &spans, &mut full).len(), 7);
        assert!(full.ends_with(b"xone\n"));
    }

    #[test]
    fn large_puts_are_written_in_order_through_both_buffers() {
        on_each_runtime(|| async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("out");
            let mut task = started(path.to_str().unwrap()).await;
            let mut expected = String::new();
            for round in 0..5 {
                let lines: Vec<String> = (0..9000)
                    .map(|n| format!("{round}-{n}-{}", "x".repeat(90)))
                    .collect();
                let lines: Vec<Option<&str>> = lines.iter().map(|l| Some(l.as_str())).collect();
                expected.extend(lines.iter().flat_map(|l| [l.unwrap(), "\n"]));
                task.put(&[batch(&lines), batch(&[Some("end")])])
                    .await
                    .unwrap();
                expected.push_str("end\n");
                assert!(task.buffer.capacity() < 4 * BUFFER);
            }
            task.flush(&[]).await.unwrap();
            assert!(std::fs::read_to_string(&path).unwrap() == expected);
        });
    }

    #[test]
    fn lines_are_written_without_a_commit_once_records_cease() {
        on_each_runtime(|| async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("out");
            let mut task = started(path.to_str().unwrap()).await;
            task.put(&[batch(&[Some("first")])]).await.unwrap();
            task.put(&[batch(&[Some("second")])]).await.unwrap();
            // The second line waits only while the first is being written, and asks to be called again.
            let waits = (!task.buffer.is_empty()).then_some(LINGER);
            assert_eq!(task.context.take_timeout(), waits);
            task.put(&[]).await.unwrap();
            task.finish().await.unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\nsecond\n");
        });
    }

    #[test]
    fn a_full_disk_refuses_records_commits_nothing_and_loses_no_line_when_there_is_room_again() {
        on_each_runtime(|| async {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("out");
            let mut task = started("/dev/full").await;
            task.put(&[batch(&[Some("a"), Some("b")])]).await.unwrap();
            assert_eq!(task.pre_commit(offsets()).await.unwrap(), []);
            let error = task.put(&[batch(&[Some("c")])]).await.unwrap_err();
            assert!(
                error.is_retriable() && error.message().contains("/dev/full"),
                "{error}"
            );
            assert_eq!(task.context.take_timeout(), Some(REFUSED_WAIT));
            let error = task.flush(&[]).await.unwrap_err();
            assert!(error.is_retriable());

            let room = Target::open(path.to_str().unwrap().to_owned()).unwrap();
            task.target = Some(Arc::new(room));
            task.put(&[batch(&[Some("c")])]).await.unwrap();
            assert_eq!(task.pre_commit(offsets()).await.unwrap(), offsets());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\nb\nc\n");
        });
    }

    /// Takes `room` bytes, then the disk is full.
    struct Disk<'a> {
        file: &'a File,
        room: usize,
    }

    impl Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.room -= count;
            (&mut &*self.file).write(&bytes[..count])
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_torn_line_is_cut_off_and_whole_lines_stand_wherever_the_disk_fills_up() {
        let lines = b"one\ntwo\nthree\n".to_vec();
        for room in 0..lines.len() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("out");
            std::fs::write(&path, "before\n").unwrap();
            let file = File::options().append(true).open(&path).unwrap();
            let mut disk = Disk { file: &file, room };
            let written = append(&mut disk, Some(&file), lines.clone());
            assert!(written.result.is_err());
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.ends_with('\n'), "{room}: {text:?}");
            let rest = String::from_utf8(written.rest).unwrap();
            assert_eq!(text + &rest, "before\none\ntwo\nthree\n", "{room}");
        }
    }

    #[test]
    fn a_torn_line_is_left_alone_when_another_process_wrote_after_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        (&mut &file).write_all(b"one\ntw").unwrap();
        let mut other = File::options().append(true).open(&path).unwrap();
        other.write_all(b"theirs\n").unwrap();
        assert_eq!(cut_torn_line(&file, b"one\ntw"), 0);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwtheirs\n");
    }

    #[test]
    fn a_target_that_cannot_be_opened_is_named() {
        let error = Target::open("/nowhere/at/all".to_owned()).unwrap_err();
        assert!(
            error.message().starts_with(
                "Couldn't find or create file '/nowhere/at/all' for FileStreamSinkTask"
            ),
            "{error}"
        );
    }

    #[test]
    fn tasks_of_one_file_take_turns_and_those_of_others_do_not() {
        let first = turn((7, 7));
        assert!(Arc::ptr_eq(&first, &turn((7, 7))));
        assert!(!Arc::ptr_eq(&first, &turn((7, 8))));
    }
}
