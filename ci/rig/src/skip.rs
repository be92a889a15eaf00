//! Tests that need a real FreeSWITCH say loudly when they have none.

use crate::freeswitch::Installation;
use anyhow::{Result, bail};
use std::io::Write;

/// The FreeSWITCH of this machine; without one, tells so on standard error for `test` and gives nothing, or
/// fails where `REQUIRE_FREESWITCH` is set, as `make test-freeswitch` does.
pub fn without_freeswitch(test: &str) -> Result<Option<Installation>> {
    let found = Installation::find()?;
    // Written straight to the file descriptor: the test harness swallows what a passing test prints.
    let mut stderr = std::io::stderr();
    match &found {
        Some(freeswitch) => writeln!(
            stderr,
            "{test}: on FreeSWITCH {} ({})",
            freeswitch.version,
            freeswitch.program.display()
        )?,
        None if std::env::var_os("REQUIRE_FREESWITCH").is_some() => bail!(Installation::NOT_FOUND),
        None => say(test, Installation::NOT_FOUND)?,
    }
    Ok(found)
}

/// Tells on standard error that `test` is skipped, and why.
pub fn say(test: &str, why: &str) -> Result<()> {
    writeln!(std::io::stderr(), "\n#### SKIPPED: {test}: {why} ####\n")?;
    Ok(())
}
