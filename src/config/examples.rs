//! Every file in `configs/` is read and checked, so that no example rots.

use std::path::{Path, PathBuf};

use super::{ConnectorConfig, connector, connector_file, worker};
use crate::api::ConnectorKind;
use crate::api::config_def::ConfigDef;

fn files(below: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(below);
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

fn is_worker(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.starts_with("connect-standalone") || name.starts_with("connect-distributed")
}

#[test]
fn worker_files_are_valid_and_give_no_warning() {
    let files = files("configs");
    let workers: Vec<_> = files.iter().filter(|path| is_worker(path)).collect();
    assert!(workers.len() >= 3, "{workers:?}");
    for path in workers {
        let worker = worker::load_either(path).unwrap_or_else(|error| panic!("{error}"));
        let name = path.file_name().unwrap().to_string_lossy();
        let distributed = name.starts_with("connect-distributed");
        assert_eq!(worker.config.distributed().is_some(), distributed, "{name}");
        assert!(
            worker.warnings.is_empty(),
            "{}: {:?}",
            path.display(),
            worker.warnings
        );
    }
}

/// What stands in the file under `content: |`.
#[test]
fn the_worker_in_the_compose_file_is_valid_and_gives_no_warning() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/compose.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, worker) = text.split_once("    content: |\n").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("worker.properties");
    std::fs::write(&path, worker).unwrap();
    let worker = worker::load_distributed(&path).unwrap_or_else(|error| panic!("{error}"));
    assert!(worker.warnings.is_empty(), "{:?}", worker.warnings);
    assert_eq!(
        worker.config.distributed().unwrap().group_id,
        "connect-cluster"
    );
}

/// The connectors' own keys are the plugins' matter; here they are nobody's.
#[test]
fn connector_files_are_valid() {
    let ends = |path: &Path, end: &str| path.extension().is_some_and(|found| found == end);
    let mut connectors = files("configs/connectors");
    connectors.retain(|path| ends(path, "json"));
    let flat = files("configs").into_iter().chain(files("configs/preview"));
    connectors.extend(flat.filter(|path| ends(path, "properties") && !is_worker(path)));
    assert!(connectors.len() >= 6, "{connectors:?}");
    for path in connectors {
        let file = connector_file::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let class = file.config["connector.class"].clone().unwrap();
        let kind = if class.contains("Sink") {
            ConnectorKind::Sink
        } else {
            ConnectorKind::Source
        };
        let parsed = ConnectorConfig::parse(kind, &file.config, &ConfigDef::new());
        let parsed = parsed.unwrap_or_else(|problems| panic!("{}: {problems:?}", path.display()));
        assert_eq!(parsed.name, file.name);
        let warnings = connector::warnings(kind, &file.config, &[], None);
        let typo = |warning: &&crate::config::Warning| warning.fix.is_some();
        assert_eq!(warnings.iter().find(typo), None, "{}", path.display());
    }
}
