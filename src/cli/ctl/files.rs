//! The connector files that a command names: properties, flat JSON, `{"name", "config"}`, directories of
//! them, or standard input.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::CtlError;
use crate::config::MAX_FILE_BYTES;
use crate::config::connector_file::{self, ConnectorFile};

/// A connector file and where it came from.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The file, `-` for standard input.
    pub(super) path: PathBuf,
    /// What it says.
    pub(super) file: ConnectorFile,
}

impl Loaded {
    /// The path for messages.
    pub(super) fn place(&self) -> String {
        self.path.display().to_string()
    }
}

/// Reads all files before anything is done with the first.
///
/// # Errors
/// A file can't be read or used, a directory has none, or two of them name the same connector.
pub(super) fn load_all(paths: &[PathBuf]) -> Result<Vec<Loaded>, CtlError> {
    let mut all = Vec::new();
    for path in paths {
        if path == Path::new("-") {
            all.push(standard_input()?);
        } else if path.is_dir() {
            for file in files_in(path)? {
                all.push(load(file)?);
            }
        } else {
            all.push(load(path.clone())?);
        }
    }
    refuse_twins(&all)?;
    Ok(all)
}

fn load(path: PathBuf) -> Result<Loaded, CtlError> {
    match connector_file::load(&path) {
        Ok(file) => Ok(Loaded { path, file }),
        Err(error) => Err(CtlError::Usage(error.to_string())),
    }
}

fn standard_input() -> Result<Loaded, CtlError> {
    let path = PathBuf::from("-");
    let bytes = read_input()?;
    match connector_file::parse(&path, &bytes) {
        Ok(file) => Ok(Loaded { path, file }),
        Err(error) => Err(CtlError::Usage(error.to_string())),
    }
}

/// Standard input, as far as a file may go.
///
/// # Errors
/// It can't be read or is too large.
pub(super) fn read_input() -> Result<Vec<u8>, CtlError> {
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(MAX_FILE_BYTES + 1);
    input
        .read_to_end(&mut bytes)
        .map_err(|error| CtlError::Usage(format!("standard input: {error}")))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let text = format!("standard input has more than {MAX_FILE_BYTES} bytes");
        return Err(CtlError::Usage(text));
    }
    Ok(bytes)
}

/// The connector files right in a directory, by name.
fn files_in(directory: &Path) -> Result<Vec<PathBuf>, CtlError> {
    let shown = directory.display();
    let unreadable = |error| CtlError::Usage(format!("'{shown}': {error}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("properties" | "json")) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        let text = format!("'{shown}' has no connector files (*.properties, *.json)");
        return Err(CtlError::Usage(text));
    }
    files.sort();
    Ok(files)
}

fn refuse_twins(all: &[Loaded]) -> Result<(), CtlError> {
    let mut seen: BTreeMap<&str, &Loaded> = BTreeMap::new();
    for loaded in all {
        if let Some(other) = seen.insert(&loaded.file.name, loaded) {
            return Err(CtlError::Usage(format!(
                "'{}' and '{}' both name the connector '{}'",
                other.place(),
                loaded.place(),
                loaded.file.name
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_directory_stands_for_its_connector_files_by_name() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "b.properties", "name=b\nx=1");
        write(dir.path(), "a.json", r#"{"name":"a","config":{}}"#);
        write(dir.path(), "notes.txt", "nothing of ours");
        fs::create_dir(dir.path().join("deep.json")).unwrap();
        let all = load_all(&[dir.path().to_owned()]).unwrap();
        let names: Vec<&str> = all.iter().map(|loaded| loaded.file.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn an_empty_directory_and_unusable_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let empty = load_all(&[dir.path().to_owned()]).unwrap_err().to_string();
        assert!(empty.contains("no connector files"), "{empty}");
        let nameless = write(dir.path(), "x.properties", "a=b");
        let error = load_all(&[nameless]).unwrap_err();
        assert!(error.to_string().contains("x.properties"), "{error}");
        assert!(matches!(error, CtlError::Usage(_)));
        assert!(load_all(&[dir.path().join("nowhere.json")]).is_err());
    }

    #[test]
    fn two_files_for_one_connector_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let one = write(dir.path(), "1.properties", "name=same");
        let two = write(dir.path(), "2.json", r#"{"name":"same"}"#);
        let error = load_all(&[one, two]).unwrap_err().to_string();
        assert!(
            error.contains("1.properties") && error.contains("2.json") && error.contains("'same'"),
            "{error}"
        );
    }
}
