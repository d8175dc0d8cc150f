//! Lines on standard output, as test tools read them: collected on the shard, written as a whole on a
//! blocking thread. Writes of several tasks don't mix within a line.

use std::io::Write;

use super::offload::Offload;

/// Lines of one task on their way to standard output.
#[derive(Debug, Default)]
pub(super) struct StdoutLines {
    pending: Vec<u8>,
    writing: Option<Offload<()>>,
    #[cfg(test)]
    pub(super) capture: Option<std::sync::Arc<std::sync::Mutex<Vec<u8>>>>,
}

impl StdoutLines {
    /// Adds a line; it is written by the next [`StdoutLines::flush`].
    pub(super) fn push(&mut self, line: &[u8]) {
        self.pending.extend_from_slice(line);
        self.pending.push(b'\n');
    }

    /// Writes all lines and waits for it. A closed standard output is nobody's problem, as for Java's
    /// `System.out`. Cancel-safe, and in order after a dropped call.
    pub(super) async fn flush(&mut self) {
        loop {
            if let Some(writing) = &mut self.writing {
                if let Err(error) = writing.await {
                    tracing::warn!(error = %error, "lines for standard output are lost");
                }
                self.writing = None;
            }
            if self.pending.is_empty() {
                return;
            }
            let lines = std::mem::take(&mut self.pending);
            #[cfg(test)]
            if let Some(capture) = &self.capture {
                capture.lock().unwrap().extend_from_slice(&lines);
                continue;
            }
            self.writing = Some(Offload::start(move || {
                let mut stdout = std::io::stdout().lock();
                if let Err(error) = stdout.write_all(&lines).and_then(|()| stdout.flush()) {
                    tracing::debug!(error = %error, "standard output takes no lines");
                }
            }));
        }
    }

    /// The lines that would be written.
    #[cfg(test)]
    pub(super) fn captured() -> (Self, std::sync::Arc<std::sync::Mutex<Vec<u8>>>) {
        let capture = std::sync::Arc::<std::sync::Mutex<Vec<u8>>>::default();
        let lines = Self {
            capture: Some(std::sync::Arc::clone(&capture)),
            ..Self::default()
        };
        (lines, capture)
    }
}
