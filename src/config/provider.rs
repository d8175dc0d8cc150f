//! References `${provider:[path:]key}` in values (Kafka: `ConfigTransformer` and its providers).
//!
//! Nothing is replaced unless the worker's `config.providers` names providers. Replacement is a single
//! pass: what a reference yields is not looked at again, so that a value that refers to itself stays
//! text and nothing can go in circles. Unknown providers and missing keys leave the text as it stands.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{ConfigError, Mask, file, properties};
use crate::api::ConfigMap;
use crate::api::config_def::{ConfigProblem, with_prefix};

static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(
        clippy::unwrap_used,
        reason = "a constant pattern that the tests compile"
    )]
    Regex::new(r"\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}").unwrap()
});

/// Whether `text` holds anything that looks like a reference.
pub fn has_reference(text: &str) -> bool {
    REFERENCE.is_match(text)
}

/// The providers of a worker, by name.
#[derive(Debug, Default)]
pub struct Providers {
    list: Vec<(String, Provider)>,
}

#[derive(Debug)]
enum Provider {
    File(AllowedPaths),
    Directory(AllowedPaths),
    Environment(Option<Regex>),
}

/// A configuration with its references replaced.
#[derive(Clone)]
pub struct Expanded {
    /// The texts.
    pub config: ConfigMap,
    /// Keys whose text came, wholly or in part, from a provider: never show their values.
    pub secret_keys: HashSet<String>,
    /// Takes what came from providers out of texts.
    pub mask: Mask,
}

impl fmt::Debug for Expanded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expanded")
            .field("keys", &self.config.keys().collect::<Vec<_>>())
            .field("secret_keys", &self.secret_keys)
            .finish()
    }
}

impl Expanded {
    /// Problems without the values that came from providers.
    pub fn hide_secrets(&self, mut problems: Vec<ConfigProblem>) -> Vec<ConfigProblem> {
        for problem in &mut problems {
            if self.secret_keys.contains(&problem.key) {
                let value = self.config.get(&problem.key).and_then(Option::as_deref);
                problem.message = hidden_text(problem, value.unwrap_or_default());
            }
        }
        problems
    }
}

/// The problem's text without the value; the reason stays when no part of the value is in it.
fn hidden_text(problem: &ConfigProblem, value: &str) -> String {
    let ConfigProblem { key, message } = problem;
    let marker = format!(" for configuration {key}");
    let reason = message
        .rsplit_once(&marker)
        .map_or("", |(_, reason)| reason);
    let shows_value = value
        .split(',')
        .map(str::trim)
        .any(|part| !part.is_empty() && reason.contains(part));
    let reason = if shows_value { "" } else { reason };
    format!("Invalid value [hidden]{marker}{reason}")
}

type Lookup = HashMap<(usize, String), HashMap<String, String>>;

impl Providers {
    /// Builds the providers that `config.providers` of a worker names.
    ///
    /// # Errors
    /// All unknown classes and bad parameters together.
    pub fn from_worker(config: &ConfigMap) -> Result<Self, Vec<ConfigProblem>> {
        let names = config
            .get("config.providers")
            .cloned()
            .flatten()
            .unwrap_or_default();
        let mut list = Vec::new();
        let mut problems = Vec::new();
        for name in names
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
        {
            let key = format!("config.providers.{name}.class");
            let Some(Some(class)) = config.get(&key) else {
                tracing::warn!(provider = name, "no {key}: the provider is left out");
                continue;
            };
            let params = with_prefix(config, &format!("config.providers.{name}.param."));
            match Provider::new(name, class.trim(), &params) {
                Ok(provider) => list.push((name.to_owned(), provider)),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() {
            Ok(Self { list })
        } else {
            Err(problems)
        }
    }

    /// Replaces the references of all values but `plugin.path`, as Kafka does.
    ///
    /// # Errors
    /// A provider cannot read what a reference names; all such problems together, no secret in them.
    pub fn expand(&self, config: &ConfigMap) -> Result<Expanded, Vec<ConfigProblem>> {
        let mut expanded = Expanded {
            config: ConfigMap::with_capacity(config.len()),
            secret_keys: HashSet::new(),
            mask: Mask::default(),
        };
        let mut lookup = Lookup::new();
        let mut problems = Vec::new();
        for (key, value) in config {
            let mut replaced = value.clone();
            if let Some(text) = value.as_deref().filter(|_| key != "plugin.path") {
                match self.replace(text, &mut lookup) {
                    Ok(None) => {}
                    Ok(new) => {
                        expanded.secret_keys.insert(key.clone());
                        replaced = new;
                    }
                    Err(message) => problems.push(ConfigProblem::new(key, message)),
                }
            }
            expanded.config.insert(key.clone(), replaced);
        }
        expanded.mask = Mask::new(lookup.into_values().flat_map(HashMap::into_values));
        if problems.is_empty() {
            Ok(expanded)
        } else {
            Err(problems)
        }
    }

    /// `None` when nothing was replaced.
    fn replace(&self, text: &str, lookup: &mut Lookup) -> Result<Option<String>, String> {
        let mut out = String::new();
        let mut done = 0;
        let mut replaced = false;
        for found in REFERENCE.captures_iter(text) {
            let Some(value) = self.look_up(&found, lookup)? else {
                continue;
            };
            let Some(whole) = found.get(0) else { continue };
            out.push_str(&text[done..whole.start()]);
            out.push_str(value);
            done = whole.end();
            replaced = true;
        }
        out.push_str(&text[done..]);
        Ok(replaced.then_some(out))
    }

    fn look_up<'a>(
        &self,
        found: &Captures<'_>,
        lookup: &'a mut Lookup,
    ) -> Result<Option<&'a str>, String> {
        let part = |group| found.get(group).map_or("", |part| part.as_str());
        let (name, path, key) = (part(1), part(3), part(4));
        let Some(index) = self.list.iter().position(|(known, _)| known == name) else {
            return Ok(None);
        };
        let values = lookup.entry((index, path.to_owned())).or_default();
        if !values.contains_key(key)
            && let Some(value) = self.list[index].1.get(path, key)?
        {
            values.insert(key.to_owned(), value);
        }
        Ok(values.get(key).map(String::as_str))
    }
}

impl Provider {
    fn new(name: &str, class: &str, params: &ConfigMap) -> Result<Self, ConfigProblem> {
        let simple = class
            .strip_prefix("org.apache.kafka.common.config.provider.")
            .unwrap_or(class);
        let param = |key: &str| params.get(key).and_then(Option::as_deref);
        let param_key = |key: &str| format!("config.providers.{name}.param.{key}");
        let paths = || {
            AllowedPaths::parse(param("allowed.paths"))
                .map_err(|message| ConfigProblem::new(param_key("allowed.paths"), message))
        };
        match simple {
            "FileConfigProvider" | "file" => Ok(Self::File(paths()?)),
            "DirectoryConfigProvider" | "dir" => Ok(Self::Directory(paths()?)),
            "EnvVarConfigProvider" | "env" => {
                let pattern = param("allowlist.pattern").map(Regex::new).transpose();
                pattern.map(Self::Environment).map_err(|error| {
                    ConfigProblem::new(param_key("allowlist.pattern"), error.to_string())
                })
            }
            _ => Err(ConfigProblem::new(
                format!("config.providers.{name}.class"),
                format!(
                    "Class {class} could not be found. There are FileConfigProvider, \
                     DirectoryConfigProvider and EnvVarConfigProvider, all in \
                     org.apache.kafka.common.config.provider."
                ),
            )),
        }
    }

    fn get(&self, path: &str, key: &str) -> Result<Option<String>, String> {
        match self {
            Self::Environment(_) if !path.is_empty() => Err(format!(
                "Path is not supported for EnvVarConfigProvider, invalid value '{path}'"
            )),
            Self::Environment(pattern) => Ok(pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(key))
                .then(|| std::env::var_os(key))
                .flatten()
                .map(|value| value.to_string_lossy().into_owned())),
            _ if path.is_empty() => Ok(None),
            Self::File(allowed) => match allowed.permit(path) {
                Some(path) => property_of(&path, key),
                None => Ok(None),
            },
            Self::Directory(allowed) => match allowed.permit(path) {
                Some(path) => content_of(&path, key),
                None => Ok(None),
            },
        }
    }
}

fn property_of(path: &Path, key: &str) -> Result<Option<String>, String> {
    let values = properties::load(path).map_err(|error| {
        format!(
            "Could not read properties from file {}: {error}",
            path.display()
        )
    })?;
    Ok(values.get(key).cloned().flatten())
}

fn content_of(directory: &Path, key: &str) -> Result<Option<String>, String> {
    if !directory.is_dir() {
        tracing::warn!(path = %directory.display(), "the path of a dir reference is not a directory");
        return Ok(None);
    }
    let path = directory.join(key);
    if key.contains('/') || !path.is_file() {
        return Ok(None);
    }
    match file::read(&path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error @ ConfigError::TooLarge { .. }) => Err(error.to_string()),
        Err(error) => Err(format!(
            "Could not read file {} for property {key}: {error}",
            path.display()
        )),
    }
}

/// `allowed.paths`: where a provider may look; everywhere when it is not set.
#[derive(Debug)]
struct AllowedPaths(Option<Vec<PathBuf>>);

impl AllowedPaths {
    fn parse(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(Self(None));
        };
        let mut paths = Vec::new();
        for part in text.split(',') {
            let path = normalize(Path::new(part));
            if !path.is_absolute() || !path.exists() {
                return Err(format!(
                    "Path {} is not valid. The path should be absolute and exist",
                    path.display()
                ));
            }
            paths.push(path);
        }
        Ok(Self(Some(paths)))
    }

    fn permit(&self, path: &str) -> Option<PathBuf> {
        let Some(allowed) = &self.0 else {
            return Some(PathBuf::from(path));
        };
        let path = normalize(Path::new(path));
        if allowed.iter().any(|allowed| path.starts_with(allowed)) {
            return Some(path);
        }
        tracing::warn!(path = %path.display(), "the path is outside of allowed.paths");
        None
    }
}

/// Takes `.` and `..` out of a path without looking at the disk (Java: `Path.normalize`).
fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            Component::ParentDir if out.has_root() => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect()
    }

    const PACKAGE: &str = "org.apache.kafka.common.config.provider";

    fn providers(extra: &[(&str, &str)]) -> Result<Providers, Vec<ConfigProblem>> {
        let mut worker = config(&[("config.providers", "file, env,dir")]);
        for (name, class) in [("file", "File"), ("env", "EnvVar"), ("dir", "Directory")] {
            worker.insert(
                format!("config.providers.{name}.class"),
                Some(format!("{PACKAGE}.{class}ConfigProvider")),
            );
        }
        worker.extend(config(extra));
        Providers::from_worker(&worker)
    }

    fn expand(providers: &Providers, text: &str) -> String {
        let expanded = providers.expand(&config(&[("k", text)])).unwrap();
        expanded.config["k"].clone().unwrap()
    }

    fn secrets() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.properties");
        std::fs::write(
            &path,
            "user=me\npassword=p=\\u00e4\nself=${file:s.properties:self}\nother=${env:PATH}\n",
        )
        .unwrap();
        let text = path.to_str().unwrap().to_owned();
        (dir, text)
    }

    #[test]
    fn file_references_are_replaced_anywhere_in_a_value() {
        let (_dir, path) = secrets();
        let all = providers(&[]).unwrap();
        assert_eq!(expand(&all, &format!("${{file:{path}:user}}")), "me");
        assert_eq!(
            expand(
                &all,
                &format!("a ${{file:{path}:user}}:${{file:{path}:password}} z")
            ),
            "a me:p=ä z"
        );
    }

    #[test]
    fn a_value_that_refers_to_itself_or_to_others_stays_text() {
        let (_dir, path) = secrets();
        let all = providers(&[]).unwrap();
        let reference = |key: &str| expand(&all, &format!("${{file:{path}:{key}}}"));
        assert_eq!(reference("self"), "${file:s.properties:self}");
        assert_eq!(reference("other"), "${env:PATH}");
    }

    #[test]
    fn unknown_providers_and_missing_keys_stay_as_they_stand() {
        let (_dir, path) = secrets();
        let all = providers(&[]).unwrap();
        for text in [
            "${vault:x:y}",
            &format!("${{file:{path}:nowhere}}"),
            "${env:RINGMAIN_NOT_SET_ANYWHERE}",
            "${file:key-without-path}",
            "${dir:/nowhere:x}",
            "$ {env:PATH}",
            "${}",
            "${env}",
            "plain",
        ] {
            assert_eq!(expand(&all, text), text);
        }
    }

    #[test]
    fn without_config_providers_nothing_is_replaced() {
        let (_dir, path) = secrets();
        let none = Providers::from_worker(&config(&[("a", "b")])).unwrap();
        let text = format!("${{file:{path}:user}} ${{env:PATH}}");
        assert_eq!(expand(&none, &text), text);
    }

    #[test]
    fn environment_and_directory_references_give_whole_values() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "line 1\nline 2\n").unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        let all = providers(&[]).unwrap();
        let path = dir.path().display();
        assert_eq!(
            expand(&all, &format!("${{dir:{path}:token}}")),
            "line 1\nline 2\n"
        );
        for kept in [
            format!("${{dir:{path}:sub}}"),
            format!("${{dir:{path}:../x}}"),
        ] {
            assert_eq!(expand(&all, &kept), kept);
        }
        assert_eq!(expand(&all, "${env:PATH}"), std::env::var("PATH").unwrap());
    }

    #[test]
    fn the_allowlist_and_the_allowed_paths_hold() {
        let (dir, path) = secrets();
        let narrow = providers(&[("config.providers.env.param.allowlist.pattern", "^KAFKA_")]);
        assert_eq!(expand(&narrow.unwrap(), "${env:PATH}"), "${env:PATH}");

        let allowed = dir.path().to_str().unwrap();
        let inside = providers(&[("config.providers.file.param.allowed.paths", allowed)]).unwrap();
        assert_eq!(expand(&inside, &format!("${{file:{path}:user}}")), "me");
        let escape = format!("${{file:{allowed}/../../etc/passwd:x}}");
        assert_eq!(expand(&inside, &escape), escape);
        let outside = providers(&[("config.providers.file.param.allowed.paths", "/proc")]).unwrap();
        let text = format!("${{file:{path}:user}}");
        assert_eq!(expand(&outside, &text), text);

        let problems = providers(&[("config.providers.file.param.allowed.paths", "not/absolute")])
            .unwrap_err();
        assert_eq!(
            problems[0].message,
            "Path not/absolute is not valid. The path should be absolute and exist"
        );
    }

    #[test]
    fn unreadable_files_paths_for_env_and_unknown_classes_are_problems() {
        let all = providers(&[]).unwrap();
        let problems = all
            .expand(&config(&[
                ("a", "${file:/nowhere/s.properties:x}"),
                ("b", "fine"),
                ("c", "${env:some:PATH}"),
            ]))
            .unwrap_err();
        assert_eq!(problems.len(), 2);
        assert!(
            problems[0]
                .message
                .starts_with("Could not read properties from file /nowhere/s.properties"),
            "{}",
            problems[0].message
        );
        assert_eq!(
            (problems[1].key.as_str(), problems[1].message.as_str()),
            (
                "c",
                "Path is not supported for EnvVarConfigProvider, invalid value 'some'"
            )
        );
        let unknown = providers(&[("config.providers.file.class", "com.x.Vault")]).unwrap_err();
        assert_eq!(unknown[0].key, "config.providers.file.class");
        assert!(
            unknown[0]
                .message
                .contains("com.x.Vault could not be found")
        );
    }

    #[test]
    fn plugin_path_is_left_alone_and_secrets_are_hidden_from_problems() {
        let (_dir, path) = secrets();
        let text = format!("${{file:{path}:user}}");
        let all = providers(&[]).unwrap();
        let expanded = all
            .expand(&config(&[("plugin.path", &text), ("tasks.max", &text)]))
            .unwrap();
        assert_eq!(expanded.config["plugin.path"].as_ref(), Some(&text));
        let problem = ConfigProblem::invalid("tasks.max", "me", "Not a number of type INT");
        assert_eq!(
            expanded.hide_secrets(vec![problem])[0].message,
            "Invalid value [hidden] for configuration tasks.max: Not a number of type INT"
        );
        assert!(!format!("{expanded:?}").contains("me\""));
    }
}
