//! `ringmain completions`: what a shell needs to complete commands, options and names.
//!
//! The script that it prints calls this program with [`VARIABLE`] set, which then answers instead of
//! running a command: so names of connectors come from the worker, and a new version needs no new script
//! in most cases. clap_complete calls this mode unstable, since script and program have to be of one
//! version; the script is therefore meant to be made anew when a shell starts.

use std::ffi::OsString;

use clap::ValueEnum;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::ctl::{self, Offer};
use super::{Exit, print_error};

/// Set by the scripts when they ask for completions.
const VARIABLE: &str = "RINGMAIN_COMPLETE";
const NAME: &str = "ringmain";

/// Shells that there are scripts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// source <(ringmain completions bash)
    Bash,
    /// source <(ringmain completions zsh), after compinit
    Zsh,
    /// ringmain completions fish | source
    Fish,
    /// eval (ringmain completions elvish | slurp)
    Elvish,
    /// ringmain completions powershell | Out-String | Invoke-Expression
    Powershell,
}

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &Bash,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
            Self::Elvish => &Elvish,
            Self::Powershell => &Powershell,
        }
    }
}

/// Prints the script of a shell.
pub(super) fn print(shell: Shell) -> Exit {
    use std::io::Write;
    // The script calls the very program that made it, wherever the shell is by then.
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.to_str());
    let mut script = Vec::new();
    let written = shell.completer().write_registration(
        VARIABLE,
        NAME,
        NAME,
        program.unwrap_or(NAME),
        &mut script,
    );
    if let Err(error) = written {
        print_error(&format!("no script for that shell: {error}"));
        return Exit::Failure;
    }
    // A reader that has gone away is no failure.
    std::io::stdout().write_all(&script).unwrap_or(());
    Exit::Clean
}

/// Answers a shell, if one asks; true when that was done. To be called before anything else.
pub(super) fn answer(command: impl Fn() -> clap::Command, args: &[OsString]) -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    let directory = std::env::current_dir().ok();
    let done = CompleteEnv::with_factory(command)
        .var(VARIABLE)
        .bin(NAME)
        .try_complete(args.iter().cloned(), directory.as_deref());
    done.unwrap_or_else(|error| {
        print_error(&error.to_string());
        true
    })
}

/// Names of connectors for an argument.
pub(super) fn connector_names() -> ArgValueCandidates {
    candidates(Offer::Connectors)
}

/// Classes of connectors for an argument.
pub(super) fn plugin_classes() -> ArgValueCandidates {
    candidates(Offer::Plugins)
}

/// Loggers for an argument.
pub(super) fn logger_names() -> ArgValueCandidates {
    candidates(Offer::Loggers)
}

fn candidates(offer: Offer) -> ArgValueCandidates {
    ArgValueCandidates::new(move || {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = words.collect();
        let found = ctl::offered(offer, &words);
        found.into_iter().map(CompletionCandidate::new).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_has_a_script_that_asks_by_our_variable() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            shell
                .completer()
                .write_registration(VARIABLE, NAME, NAME, "/opt/ringmain", &mut script)
                .unwrap();
            let script = String::from_utf8(script).unwrap();
            assert!(
                script.contains(VARIABLE) && script.contains("/opt/ringmain"),
                "{shell:?}"
            );
        }
    }
}
