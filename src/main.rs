//! The `ringmain` binary: hands over to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringmain::cli::run(ringmain::plugins::Plugins::builtin())
}
