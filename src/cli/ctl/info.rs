//! `info`: who answers at the address, and how it is (contract 1.3).

use serde_json::{Value, json};

use super::Ctl;
use super::client::Call;
use super::error::CtlError;
use super::table::{Cell, Paint, Table, text};
use crate::cli::Exit;

/// Shows version, cluster and health; a worker that is not healthy fails the command.
///
/// # Errors
/// No Connect worker answers.
pub(super) fn run(ctl: &Ctl) -> Result<Exit, CtlError> {
    let root: Value = ctl.client.call(&Call::get("/"))?.json()?;
    let health = health(ctl)?;
    let status = health.as_ref().and_then(|health| health["status"].as_str());
    let is_bad = status.is_some_and(|status| status != "healthy");
    let exit = if is_bad { Exit::Failure } else { Exit::Clean };
    if ctl.out.json {
        let mut shown = json!({"url": ctl.client.url()});
        if let (Some(shown), Value::Object(members)) = (shown.as_object_mut(), root) {
            shown.extend(members);
            shown.insert("health".to_owned(), json!(health));
        }
        ctl.out.value(&shown);
        return Ok(exit);
    }
    let member = |name: &str| root[name].as_str().unwrap_or_default().to_owned();
    let mut table = Table::new([
        text("URL"),
        text("VERSION"),
        text("CLUSTER"),
        text("HEALTH"),
    ]);
    let own = member("ringmain_version");
    let version = match own.is_empty() {
        true => member("version"),
        false => format!("{} (ringmain {own})", member("version")),
    };
    let (status, paint) = match (status, is_bad) {
        (Some(status), false) => (status, Paint::Good),
        (Some(status), true) => (status, Paint::Bad),
        (None, _) => ("unknown", Paint::Faint),
    };
    table.row([
        ctl.client.url().into(),
        version.into(),
        member("kafka_cluster_id").into(),
        Cell::painted(status, paint),
    ]);
    ctl.out.table(&table, false, "");
    if let Some(message) = health.filter(|_| is_bad) {
        let text = message["message"].as_str().unwrap_or_default();
        ctl.out.lines([ctl.out.printable(text)]);
    }
    Ok(exit)
}

/// `{"status", "message"}` whatever the HTTP status; `None` from workers before 3.9.
fn health(ctl: &Ctl) -> Result<Option<Value>, CtlError> {
    let answer = ctl.client.raw(&Call::get("/health"))?;
    let body: Value = answer.json().unwrap_or_default();
    Ok(body["status"].is_string().then_some(body))
}
