//! The folder of a report: `results.json`, `report.html`, `table.txt`.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::ReportError;
use crate::results::{FORMAT, Results};

const RESULTS: &str = "results.json";

/// What every version of the layout has.
#[derive(Deserialize)]
struct Header {
    format: u64,
}

/// Writes `results.json`, `report.html` and `table.txt` into `dir`, which is created when missing. The
/// raw results go first: whatever happens later, they are kept.
///
/// # Errors
///
/// The folder or a file that could not be written.
pub fn write(dir: &Path, results: &Results) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(|source| ReportError::File {
        action: "create",
        path: dir.into(),
        source,
    })?;
    let path = dir.join(RESULTS);
    let json = serde_json::to_string_pretty(results).map_err(|source| ReportError::Content {
        path: path.clone(),
        source,
    })?;
    put(&path, &json)?;
    put(&dir.join("report.html"), &super::html(results))?;
    put(&dir.join("table.txt"), &super::table(results))
}

/// Reads `results.json` in `dir`.
///
/// # Errors
///
/// The file is missing, isn't what `perf` writes, or is of another [`FORMAT`].
pub fn read(dir: &Path) -> Result<Results, ReportError> {
    let path = dir.join(RESULTS);
    let text = fs::read_to_string(&path).map_err(|source| ReportError::File {
        action: "read",
        path: path.clone(),
        source,
    })?;
    let content = |source| ReportError::Content {
        path: path.clone(),
        source,
    };
    // The version first: of a file of another one, a missing field would be the wrong complaint.
    let header: Header = serde_json::from_str(&text).map_err(content)?;
    if header.format != u64::from(FORMAT) {
        return Err(ReportError::Format {
            path,
            found: header.format,
        });
    }
    serde_json::from_str(&text).map_err(content)
}

fn put(path: &Path, text: &str) -> Result<(), ReportError> {
    fs::write(path, text).map_err(|source| ReportError::File {
        action: "write",
        path: path.into(),
        source,
    })
}
