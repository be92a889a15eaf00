//! The sandbox switch with our module loaded.

use crate::freeswitch::Engine;
use crate::process::{Process, Program};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;
use tempfile::TempDir;

/// How long a start may take, with every core busy.
const START_TIME: Duration = Duration::from_secs(30);
/// How long a stop may take: it unloads the module, which hangs up its calls.
const STOP_TIME: Duration = Duration::from_secs(30);

/// A running sandbox switch. Dropping it ends it and removes its directory.
pub struct Sandbox {
    process: Process,
    dir: TempDir,
    program: PathBuf,
    module: PathBuf,
    clock_rate: u32,
}

impl Sandbox {
    /// Starts `program` with `engine` loaded and waits until it is. `clock_rate` is how many times faster
    /// than ours its clock runs.
    pub async fn start(program: &Path, engine: &Engine, clock_rate: u32) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("ira-sandbox-").tempdir()?;
        let conf = dir.path().join("conf");
        engine.write(&conf)?;
        let process = launch(program, &engine.module, dir.path(), clock_rate).await?;
        Ok(Sandbox {
            process,
            dir,
            program: program.to_owned(),
            module: engine.module.clone(),
            clock_rate,
        })
    }

    /// Kills it (SIGKILL) with whatever it is doing, and starts it again on what it left behind.
    pub async fn crash_and_start(&mut self) -> Result<()> {
        self.process.signal(rustix::process::Signal::KILL)?;
        self.process.stop(STOP_TIME).await?;
        let dir = self.dir.path();
        // A killed program leaves its socket's file.
        std::fs::remove_file(dir.join("cli.sock")).context("removing the socket")?;
        self.process = launch(&self.program, &self.module, dir, self.clock_rate).await?;
        Ok(())
    }

    /// The folder its recordings are kept in.
    pub fn recordings_dir(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }

    /// Runs a command as `fs_cli` would and gives what it printed.
    pub fn exec(&self, command: &str) -> Result<String> {
        let output = Command::new(&self.program)
            .arg("--exec")
            .arg(self.dir.path().join("cli.sock"))
            .arg(command)
            .output()
            .context("running the sandbox's client")?;
        ensure!(
            output.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned())
    }

    /// What to type to run `command` on it.
    pub fn cli_command(&self, command: &str) -> String {
        let socket = self.dir.path().join("cli.sock");
        format!(
            "{} --exec {} '{command}'",
            self.program.display(),
            socket.display()
        )
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it as an operator does (SIGTERM) and waits for its end.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.process.stop(STOP_TIME).await
    }
}

/// Starts the program on what is in `dir` and waits until it has loaded the module.
async fn launch(program: &Path, module: &Path, dir: &Path, clock_rate: u32) -> Result<Process> {
    let mut process = Program::new("sandbox", program)
        .arg("--module")
        .arg(module.to_string_lossy())
        .arg("--conf")
        .arg(dir.join("conf").to_string_lossy())
        .arg("--cli")
        .arg(dir.join("cli.sock").to_string_lossy())
        .args(["--clock-rate", &clock_rate.to_string()])
        .start(dir)?;
    let log = process.log().to_owned();
    let ready = || {
        let text = std::fs::read(&log).ok()?;
        let text = String::from_utf8_lossy(&text);
        text.lines().any(|line| line == "READY").then_some(())
    };
    process.until("READY", START_TIME, ready).await?;
    Ok(process)
}
