//! Where things are in the repository and what cargo builds from it.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub fn root() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize()
        .with_context(|| format!("looking for {}", root.display()))
}

/// What the rig starts of our own.
#[derive(Debug, Clone)]
pub struct Built {
    /// The module.
    pub module: PathBuf,
    /// The gateway.
    pub gateway: PathBuf,
    /// The sandbox switch.
    pub sandbox: PathBuf,
}

impl Built {
    /// Builds the workspace as this program was built, debug or release, and says where the parts are.
    /// Done each time, because a stale module is a trap; with nothing to do it takes well under a second.
    pub fn now(show_progress: bool) -> Result<Self> {
        let dir = profile_dir()?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .args(["build", "--workspace", "--lib", "--bins"])
            .current_dir(root()?);
        if dir.ends_with("release") {
            cargo.arg("--release");
        }
        if !show_progress {
            cargo.arg("--quiet");
        }
        // What `cargo run` and `cargo test` set for this program would look like a change to build scripts.
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if OF_THIS_PACKAGE
                .iter()
                .any(|start| name_text.starts_with(start))
            {
                cargo.env_remove(&name);
            }
        }
        let status = cargo.status().context("running cargo build")?;
        ensure!(
            status.success(),
            "cargo build --workspace failed ({status})"
        );
        Ok(Built {
            module: dir.join("libmod_iradialer.so"),
            gateway: dir.join("iradialer-gateway"),
            sandbox: dir.join("switch-sandbox"),
        })
    }
}

/// How the names of the variables begin that cargo sets for a program it runs, of that program's package.
const OF_THIS_PACKAGE: [&str; 5] = [
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_",
];

/// Where cargo puts what it builds: the directory this program is in, or above it for a test.
fn profile_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let dir = exe.parent().context("this program is in no directory")?;
    let dir = if dir.ends_with("deps") {
        dir.parent().unwrap_or(dir)
    } else {
        dir
    };
    Ok(dir.to_owned())
}
