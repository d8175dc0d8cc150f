//! `ringmain plugins`.

use super::{Exit, print_line};
use crate::plugins::Plugins;

/// Prints every plugin: kind, class.
pub(super) fn print(plugins: &Plugins) -> Exit {
    for connector in plugins.connectors() {
        print_line(&format!(
            "{:<10} {}  {}",
            connector.kind().name(),
            connector.class,
            connector.version
        ));
    }
    for converter in plugins.converters() {
        let kind = if converter.converter.is_some() {
            "converter"
        } else {
            "header"
        };
        print_line(&format!("{kind:<10} {}", converter.class));
    }
    Exit::Clean
}
