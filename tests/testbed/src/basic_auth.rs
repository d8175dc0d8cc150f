//! Apache's BasicAuth extension of Connect's REST interface, fetched once with Maven. Apache's distribution
//! has it beside Connect's own jars.

use std::path::PathBuf;
use std::process::Command;

use crate::kafka::VERSION;
use crate::registry::{fetched, run};

/// The extension's jar, for the class path of Apache's Connect.
///
/// # Errors
/// Maven is missing or cannot fetch it.
pub fn fetch_basic_auth_extension() -> Result<PathBuf, String> {
    let artifact = "connect-basic-auth-extension";
    let home = fetched(&format!("{artifact}-{VERSION}"), VERSION, |home| {
        let mut maven = Command::new("mvn");
        maven
            .args([
                "-q",
                "-B",
                "dependency:copy",
                "-Dmdep.overWriteSnapshots=false",
            ])
            .arg(format!("-Dartifact=org.apache.kafka:{artifact}:{VERSION}"))
            .arg(format!("-DoutputDirectory={}", home.display()));
        run(&mut maven, "Maven, to fetch Apache's BasicAuth extension")
    })?;
    Ok(home.join(format!("{artifact}-{VERSION}.jar")))
}
