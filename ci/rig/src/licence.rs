//! A licence for the gateways that we start, made as an operator makes one: a key, a licence signed with it, and the
//! configuration that has it count.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// How much it allows.
#[derive(Debug, Clone, Copy)]
pub struct Licence {
    /// Calls at once.
    pub channels: u32,
    /// Calls begun a second.
    pub cps: u32,
    /// Switches.
    pub switches: u32,
}

impl Licence {
    /// More than any suite uses.
    pub const AMPLE: Licence = Licence {
        channels: 100_000,
        cps: 100_000,
        switches: 100,
    };

    /// Issues it with a fresh key; both are files of `dir`. Returns the part of the configuration of the gateway
    /// `program` that installs it.
    pub fn issue(self, program: &Path, dir: &Path) -> Result<String> {
        let (key, file) = (dir.join("license.key"), dir.join("license"));
        let run = |arguments: &[&str]| -> Result<String> {
            let output = Command::new(program)
                .arg("license")
                .args(arguments)
                .output()
                .context("running the gateway's license")?;
            let error = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "license {arguments:?}: {error}");
            Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        let key = key.to_string_lossy();
        let public_key = run(&["keygen", "--out", &key])?;
        let [channels, cps, switches] =
            [self.channels, self.cps, self.switches].map(|limit| limit.to_string());
        let token = run(&[
            "issue",
            "--key",
            &key,
            "--customer",
            "the rig",
            "--channels",
            &channels,
            "--cps",
            &cps,
            "--switches",
            &switches,
            "--expires",
            "1y",
        ])?;
        std::fs::write(&file, token)?;
        Ok(format!(
            "[license]\npublic_keys = [\"{public_key}\"]\nfile = \"{}\"\n",
            file.display()
        ))
    }
}
