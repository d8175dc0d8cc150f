//! Opening what a source reads: a file, a pipe, standard input.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::Arc;

use super::POSITION_FIELD;
use super::source::Settings;
use super::stream::ByteStream;
use super::watch::is_told_of;
use crate::api::ConnectError;
use crate::connectors::offload::Offload;

/// What lines are read from.
#[derive(Debug)]
pub(super) enum Origin {
    /// A file with positions.
    File {
        file: Arc<File>,
        /// Whether the kernel tells of changes.
        told: bool,
        /// Whether the file system knows reads that don't wait.
        nowait: bool,
        /// Reads to leave to a blocking thread.
        offloaded: u32,
    },
    /// A pipe or a device, opened without blocking.
    Pipe(File),
    /// Standard input.
    Stream(Arc<ByteStream>),
}

/// A file on its way to being an [`Origin`]. What has been opened outlives a dropped `poll`: the writer of
/// a pipe that is opened and closed again loses its bytes.
#[derive(Debug, Default)]
pub(super) enum Opening {
    #[default]
    Closed,
    Running(Offload<std::io::Result<Opened>>),
    Opened(Opened),
}

#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    metadata: Metadata,
    /// Whether the kernel tells of changes.
    told: bool,
}

impl Opening {
    /// Opens the input; says its stored position; `None` while the file is missing. Cancel-safe.
    pub(super) async fn open(
        &mut self,
        settings: &Settings,
    ) -> Result<Option<(Origin, u64)>, ConnectError> {
        let Some(name) = &settings.file else {
            let stream = ByteStream::stdin().map_err(|error| {
                ConnectError::connect("Couldn't start the thread that reads standard input")
                    .with_source(error)
            })?;
            return Ok(Some((Origin::Stream(stream), 0)));
        };
        if let Self::Closed = self {
            let path = name.clone();
            *self = Self::Running(Offload::start(move || Opened::at(&path)));
        }
        if let Self::Running(call) = self {
            let opened = call.await;
            *self = Self::Closed;
            match opened? {
                Ok(opened) => *self = Self::Opened(opened),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    tracing::warn!(
                        file = name,
                        "couldn't find file for FileStreamSourceTask, sleeping to wait for it to be created"
                    );
                    return Ok(None);
                }
                Err(error) => return Err(cannot_open(name, error)),
            }
        }
        let position = stored_position(settings).await?;
        let Self::Opened(opened) = std::mem::take(self) else {
            return Ok(None);
        };
        Ok(Some((opened.into_origin(name, position)?, position)))
    }
}

impl Opened {
    fn at(path: &str) -> std::io::Result<Self> {
        // A pipe without a writer must not hold the open.
        let file = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?;
        let metadata = file.metadata()?;
        let told = metadata.is_file() && is_told_of(&file);
        Ok(Self {
            file,
            metadata,
            told,
        })
    }

    fn into_origin(self, name: &str, position: u64) -> Result<Origin, ConnectError> {
        let Self {
            file,
            metadata,
            told,
        } = self;
        if metadata.is_dir() {
            return Err(cannot_open(name, ErrorKind::IsADirectory.into()));
        }
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_char_device() || kind.is_socket() {
            return Ok(Origin::Pipe(file));
        }
        if position > metadata.len() {
            tracing::warn!(
                file = name,
                position,
                length = metadata.len(),
                "file is shorter than the stored position; waiting until it has grown past it"
            );
        }
        Ok(Origin::File {
            file: Arc::new(file),
            told,
            nowait: true,
            offloaded: 0,
        })
    }
}

fn cannot_open(name: &str, error: std::io::Error) -> ConnectError {
    ConnectError::connect(format!(
        "Couldn't open file {name} for FileStreamSourceTask: {error}"
    ))
    .with_source(error)
}

async fn stored_position(settings: &Settings) -> Result<u64, ConnectError> {
    let Some(partition) = &settings.partition else {
        return Ok(0);
    };
    let stored = settings.context.offsets.offset(partition).await?;
    match stored
        .as_ref()
        .and_then(|offset| offset.get(POSITION_FIELD))
    {
        None | Some(serde_json::Value::Null) => Ok(0),
        Some(value) => match value.as_i64().map(u64::try_from) {
            Some(Ok(position)) => Ok(position),
            Some(Err(_)) => Err(ConnectError::connect(format!(
                "Offset position {value} is negative"
            ))),
            None => Err(ConnectError::connect(
                "Offset position is the incorrect type",
            )),
        },
    }
}
