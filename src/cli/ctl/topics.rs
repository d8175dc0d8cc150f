//! `topics`: which topics a connector has used (contract 1.5, KIP-558).

use clap::Args;
use serde_json::json;
use ureq::http::Method;

use super::Ctl;
use super::api::path_of;
use super::client::Call;
use super::confirm::confirm;
use super::error::CtlError;
use crate::cli::completions::connector_names;
use crate::cli::{Exit, print_line};

/// `topics`.
#[derive(Debug, Args)]
pub(super) struct TopicsArgs {
    /// Connector.
    #[arg(add = connector_names())]
    name: String,
    /// Forget the topics used so far.
    #[arg(long)]
    reset: bool,
    /// Don't ask, with --reset.
    #[arg(long, short, requires = "reset")]
    yes: bool,
}

/// Shows topics or forgets them.
///
/// # Errors
/// The worker does not track topics, or the user declines.
pub(super) fn run(ctl: &Ctl, args: &TopicsArgs) -> Result<Exit, CtlError> {
    let shown = ctl.out.printable(&args.name);
    if args.reset {
        confirm(&format!("forget the topics of {shown}"), args.yes)?;
        let call = Call::new(Method::PUT, path_of(&args.name, "/topics/reset"));
        ctl.client.call(&call)?;
        match ctl.out.json {
            true => ctl
                .out
                .value(&json!({"name": args.name, "action": "reset"})),
            false => print_line(&format!("forgot the topics of {shown}")),
        }
        return Ok(Exit::Clean);
    }
    let topics = ctl.client.topics(&args.name)?;
    if topics.is_empty() {
        // A worker says the same of a connector that it does not know.
        ctl.client.status(&args.name)?;
    }
    if ctl.out.json {
        ctl.out.value(&json!({"name": args.name, "topics": topics}));
    } else if topics.is_empty() {
        print_line(&format!("{shown} has used no topic yet"));
    } else {
        ctl.out
            .lines(topics.iter().map(|topic| ctl.out.printable(topic)));
    }
    Ok(Exit::Clean)
}
