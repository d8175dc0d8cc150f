//! `ringmain plugins`.

use super::{Exit, print_line};
use crate::plugins::Plugins;

/// Prints every plugin: kind, class.
pub(super) fn print(plugins: &Plugins) -> Exit {
    for connector in plugins.connectors() {
        print_line(&format!(
            "{:<14} {}  {}",
            connector.kind().name(),
            connector.class,
            connector.version
        ));
    }
    let transformations = plugins.transformations().iter();
    let predicates = plugins.predicates().iter();
    let named = transformations
        .map(|plugin| ("transformation", plugin.class))
        .chain(predicates.map(|plugin| ("predicate", plugin.class)));
    for (kind, class) in named {
        print_line(&format!("{kind:<14} {class}"));
    }
    for converter in plugins.converters() {
        let kind = if converter.converter.is_some() {
            "converter"
        } else {
            "header"
        };
        print_line(&format!("{kind:<14} {}", converter.class));
    }
    Exit::Clean
}
