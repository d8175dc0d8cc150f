//! Series: a scenario for each value of what varies, a setting or what a connector is told.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::results::{Aims, Axis, Limits};
use crate::scenario::Scenario;

/// What varies over a series: a setting over `values`, or connectors over `variants`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AxisFile {
    /// For people.
    name: String,
    /// The setting; with variants what their names are names of.
    key: String,
    /// Of the setting.
    #[serde(default)]
    values: Vec<toml::Value>,
    /// By name, in whose order they run.
    #[serde(default)]
    variants: BTreeMap<String, Variant>,
    /// Records for each value, where they differ.
    #[serde(default)]
    records: Vec<u64>,
    /// The values in the set `core`; all without.
    core: Option<Vec<toml::Value>>,
    /// The values at which the aims hold; all without.
    aims_at: Option<Vec<toml::Value>>,
}

/// What one of the variants has for itself.
#[derive(Debug, Clone, Deserialize)]
struct Variant {
    /// In place of the setting of that name.
    expected: Option<String>,
    /// More connector properties.
    #[serde(flatten)]
    connector: BTreeMap<String, String>,
}

/// The points of a series that begins with `base`.
///
/// # Errors
/// A value is none of its setting, or there are both values and variants, or neither.
pub(crate) fn spread(base: &Scenario, axis: &AxisFile) -> Result<Vec<Scenario>> {
    if axis.values.is_empty() == axis.variants.is_empty() {
        return Err(Error::Usage(format!(
            "scenario {}: an axis has either values or variants",
            base.name
        )));
    }
    if axis.variants.is_empty() {
        let values = axis.values.iter().enumerate();
        return values
            .map(|(at, value)| {
                let mut point = point(base, axis, at, value);
                point.settings.set(&axis.key, &in_words(value))?;
                Ok(point)
            })
            .collect();
    }
    let variants = axis.variants.iter().enumerate();
    let points = variants.map(|(at, (name, variant))| {
        let mut point = point(base, axis, at, &toml::Value::String(name.clone()));
        if variant.expected.is_some() {
            point.settings.expected.clone_from(&variant.expected);
        }
        let own = variant.connector.clone();
        point.connector.extend(own);
        point
    });
    Ok(points.collect())
}

/// What a point has by its place and name alone.
fn point(base: &Scenario, axis: &AxisFile, at: usize, value: &toml::Value) -> Scenario {
    let text = in_words(value);
    let mut point = base.clone();
    if let Some(records) = axis.records.get(at) {
        point.settings.records = *records;
    }
    point.name = format!("{}@{}={text}", base.name, axis.key);
    point.title = format!("{}, {} {text}", base.title, axis.name);
    point.axis = text.parse().ok().map(|value| Axis {
        name: axis.name.clone(),
        value,
    });
    if axis.core.as_ref().is_some_and(|core| !core.contains(value)) {
        point.sets.retain(|set| set != "core");
    }
    if axis.aims_at.as_ref().is_some_and(|at| !at.contains(value)) {
        point.aims = Aims::default();
        point.limits = Limits::default();
    }
    point
}

fn in_words(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::{named, parse};

    #[test]
    fn a_series_has_a_point_for_each_value() {
        let text = r#"
            title = "T"
            kind = "throughput"
            flow = "file-to-topic"
            sets = ["core", "full"]
            [settings]
            partitions = 2
            [axis]
            name = "record size (bytes)"
            key = "record-size"
            values = [16, 1000]
            records = [7, 8]
            core = [16]
        "#;
        let all = parse("s", text).unwrap();
        assert_eq!(all[1].name, "s@record-size=1000");
        assert_eq!(
            (all[0].settings.record_size, all[0].settings.records),
            (16, 7)
        );
        assert_eq!(all[1].axis.as_ref().unwrap().value, 1000.0);
        assert_eq!(all[1].settings.partitions, 2);
        assert!(all[0].sets.contains(&"core".to_owned()));
        assert!(!all[1].sets.contains(&"core".to_owned()));
        assert_eq!(named(&all, &["s".to_owned()]).unwrap().len(), 2);
        assert_eq!(
            named(&all, &["s@record-size=16".to_owned()]).unwrap().len(),
            1
        );
        assert!(named(&all, &["t".to_owned()]).is_err());
    }

    const VARIANTS: &str = r#"
        title = "T"
        kind = "throughput"
        flow = "topic-to-file"
        [settings]
        data = "json"
        converter = "json-objects"
        [axis]
        name = "transform"
        key = "transform"
        aims-at = ["Mask"]
        [axis.variants.Mask]
        expected = "{id=${id}}"
        "transforms.t.type" = "MaskField"
        [axis.variants.Drop]
        "transforms.t.type" = "DropHeaders"
        [connector]
        transforms = "t"
        [aims]
        cpu = 8.0
    "#;

    #[test]
    fn a_variant_has_connector_keys_and_lines_of_its_own() {
        let all = parse("s", VARIANTS).unwrap();
        let names: Vec<&str> = all.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["s@transform=Drop", "s@transform=Mask"]);
        let (drop, mask) = (&all[0], &all[1]);
        assert_eq!(mask.title, "T, transform Mask");
        assert_eq!(mask.settings.expected.as_deref(), Some("{id=${id}}"));
        assert_eq!(drop.settings.expected, None);
        let keys = |s: &crate::scenario::Scenario| {
            let values = ["transforms", "transforms.t.type"];
            values.map(|key| s.connector[key].clone())
        };
        assert_eq!(keys(mask), ["t", "MaskField"]);
        assert_eq!(keys(drop), ["t", "DropHeaders"]);
        assert_eq!((drop.aims.cpu, mask.aims.cpu), (None, Some(8.0)));
        assert!(mask.axis.is_none(), "a name has no place on a curve");
    }

    #[test]
    fn an_axis_is_of_values_or_of_variants_and_lines_of_what_records_have() {
        for (was, is, named) in [
            ("key =", "values = [1]\nkey =", "either values or variants"),
            ("${id}", "${other}", "${other} is nothing"),
            ("${id}", "", "one partition"),
        ] {
            let text = VARIANTS.replace(was, is);
            let text = text.replace("[settings]", "[settings]\npartitions = 2");
            let error = parse("s", &text).unwrap_err().to_string();
            assert!(
                error.contains(named) && error.contains("scenario s"),
                "{error}"
            );
        }
    }
}
