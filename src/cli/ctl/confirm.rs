//! Asking before something is taken away for good.

use std::io::{BufRead, IsTerminal, Write};

use super::error::CtlError;

/// Goes on when the user agrees, on the terminal or by `--yes`.
///
/// # Errors
/// The user declines, or nobody can be asked.
pub(super) fn confirm(what: &str, yes: bool) -> Result<(), CtlError> {
    if yes {
        return Ok(());
    }
    let (input, mut terminal) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !terminal.is_terminal() {
        return Err(CtlError::Usage(format!(
            "{what}: nobody can be asked here; say --yes if that is meant"
        )));
    }
    let asked = write!(terminal, "{what}? [y/N] ").and_then(|()| terminal.flush());
    let mut answer = String::new();
    let read = asked.and_then(|()| input.lock().read_line(&mut answer));
    if read.is_ok() && is_yes(&answer) {
        return Ok(());
    }
    Err(CtlError::Failed("nothing was changed".to_owned()))
}

fn is_yes(answer: &str) -> bool {
    let answer = answer.trim();
    answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_counts() {
        for (answer, yes) in [
            ("y\n", true),
            (" YES ", true),
            ("", false),
            ("n\n", false),
            ("yep", false),
        ] {
            assert_eq!(is_yes(answer), yes, "{answer:?}");
        }
    }

    #[test]
    fn yes_needs_no_terminal() {
        assert!(confirm("delete x", true).is_ok());
    }
}
