//! Reading configuration files with a cap on their size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::ConfigError;

/// Largest configuration file in bytes. No real one comes near; it keeps a mistaken path from filling
/// the memory.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

/// Reads a whole file; pipes work too.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    read_capped(path, MAX_FILE_BYTES)
}

fn read_capped(path: &Path, limit: u64) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(ConfigError::TooLarge {
            path: path.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_directory_and_oversized_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = read(&dir.path().join("nowhere")).unwrap_err().to_string();
        assert!(
            missing.contains("nowhere'") && missing.contains("No such file"),
            "{missing}"
        );
        let directory = read(dir.path()).unwrap_err().to_string();
        assert!(directory.contains("Is a directory"), "{directory}");

        let path = dir.path().join("f");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read_capped(&path, 5).unwrap(), b"12345");
        let large = read_capped(&path, 4).unwrap_err().to_string();
        assert!(
            large.contains("/f'") && large.contains("4 bytes"),
            "{large}"
        );
    }
}
