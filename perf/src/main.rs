//! `cargo run --release -p perf -- compare`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringmain_perf::cli::main()
}
