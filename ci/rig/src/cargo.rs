//! A benchmark of a crate's own, run as it is.

use crate::repository;
use anyhow::{Context, Result, ensure};
use std::process::{Command, Stdio};

/// Runs `cargo bench` on one benchmark of a package, shows what it prints and returns it.
pub fn bench(package: &str, name: &str) -> Result<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["bench", "-q", "-p", package, "--bench", name])
        .current_dir(repository::root()?)
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo bench")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{text}");
    ensure!(output.status.success(), "cargo bench failed");
    Ok(text)
}
