//! Where FreeSWITCH is on this machine.

use anyhow::{Context, Result, bail, ensure};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An installed FreeSWITCH.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Its program.
    pub program: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
    /// Its version, such as `1.10.12`.
    pub version: String,
}

impl Installation {
    /// Looks in `FREESWITCH_PREFIX`, then asks pkg-config, then looks for `freeswitch` on `PATH`.
    /// Nothing found is `None`; a `FREESWITCH_PREFIX` that holds none, or one that does not run, is an
    /// error, because whoever set it means it.
    pub fn find() -> Result<Option<Self>> {
        if let Some(prefix) =
            std::env::var_os("FREESWITCH_PREFIX").filter(|prefix| !prefix.is_empty())
        {
            let prefix = PathBuf::from(prefix);
            return Self::at(&prefix)
                .with_context(|| format!("FREESWITCH_PREFIX is {}", prefix.display()))
                .map(Some);
        }
        if let Some(prefix) = pkg_config("prefix") {
            let modules = pkg_config("modulesdir").map(PathBuf::from);
            return Self::of(Path::new(&prefix).join("bin/freeswitch"), modules).map(Some);
        }
        match on_path("freeswitch") {
            Some(program) => Self::of(program, None).map(Some),
            None => Ok(None),
        }
    }

    /// Why [`Installation::find`] finds none, for a person.
    pub const NOT_FOUND: &'static str = "no FreeSWITCH found: FREESWITCH_PREFIX is not set, pkg-config knows none, and none is on PATH";

    /// The FreeSWITCH installed below `prefix`.
    pub fn at(prefix: &Path) -> Result<Self> {
        Self::of(prefix.join("bin/freeswitch"), None)
    }

    fn of(program: PathBuf, modules: Option<PathBuf>) -> Result<Self> {
        let program = program
            .canonicalize()
            .with_context(|| format!("looking for {}", program.display()))?;
        let prefix = program
            .parent()
            .and_then(Path::parent)
            .unwrap_or(Path::new("/"));
        let modules = modules.unwrap_or_else(|| prefix.join("lib/freeswitch/mod"));
        ensure!(
            modules.join("mod_sofia.so").exists(),
            "no mod_sofia.so in {}: FreeSWITCH is installed without its SIP module",
            modules.display()
        );
        let version = version_of(&program)?;
        Ok(Installation {
            program,
            modules,
            version,
        })
    }

    /// Fills `dir` with links to its modules, and to `module` as `mod_iradialer.so`, so that nothing is
    /// written where FreeSWITCH is installed.
    pub fn link_modules(&self, dir: &Path, module: Option<&Path>) -> Result<()> {
        std::fs::create_dir_all(dir)?;
        let listed = std::fs::read_dir(&self.modules)
            .with_context(|| format!("listing {}", self.modules.display()))?;
        for entry in listed {
            let path = entry?.path();
            let Some(name) = path
                .file_name()
                .filter(|_| path.extension().is_some_and(|e| e == "so"))
            else {
                continue;
            };
            if name != "mod_iradialer.so" {
                symlink(&path, dir.join(name))?;
            }
        }
        if let Some(module) = module {
            symlink(module, dir.join("mod_iradialer.so"))?;
        }
        Ok(())
    }
}

fn version_of(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("-version")
        .output()
        .with_context(|| format!("running {} -version", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some((_, rest)) = text.split_once("version: ") else {
        bail!(
            "{} -version says: {text}{}",
            program.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let end = rest
        .find(|c: char| c != '.' && !c.is_ascii_digit())
        .unwrap_or(rest.len());
    Ok(rest[..end].to_owned())
}

fn pkg_config(variable: &str) -> Option<String> {
    let output = Command::new("pkg-config")
        .arg(format!("--variable={variable}"))
        .arg("freeswitch")
        .output()
        .ok()?;
    let value = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !value.is_empty()).then_some(value)
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}
