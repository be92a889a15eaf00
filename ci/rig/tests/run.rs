//! `make run` as a person uses it: its binary, its output, its end.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::api::Api;
use iradialer_rig::process::{Process, Program};
use iradialer_rig::repository::{self, Built};
use rustix::process::Signal;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A start, a call and an end, with every core busy.
const RUN_TIME: Duration = Duration::from_secs(120);

struct Run {
    process: Process,
    dir: TempDir,
}

impl Run {
    /// Starts `make run`'s binary on the sandbox. Its temporary files go to a directory of its own, by
    /// which its processes are told from others.
    fn start(number: &str, once: bool) -> Result<Self> {
        Built::now(false)?;
        let dir = tempfile::Builder::new().prefix("ira-run-").tempdir()?;
        let temp = dir.path().join("tmp");
        std::fs::create_dir(&temp)?;
        let process = Program::new("run", env!("CARGO_BIN_EXE_run"))
            .env("TMPDIR", temp.to_string_lossy())
            .env("SANDBOX", "1")
            .env("CALL", number)
            .env("ONCE", if once { "1" } else { "0" })
            .start(dir.path())?;
        Ok(Run { process, dir })
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.process.log()).unwrap_or_default()
    }

    /// Waits for its end and gives its exit code.
    async fn ended(&mut self) -> Result<i32> {
        let deadline = Instant::now() + RUN_TIME;
        loop {
            if let Some(status) = self.process.ended() {
                return status.code().context("it was ended by a signal");
            }
            ensure!(Instant::now() < deadline, "still up:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The processes that work in its directory, and the files it left there.
    fn remains(&self) -> Result<(Vec<String>, Vec<PathBuf>)> {
        let temp = self.dir.path().join("tmp");
        let files = std::fs::read_dir(&temp)?.map(|entry| Ok(entry?.path()));
        let processes = std::fs::read_dir("/proc")?
            .flatten()
            .filter_map(|entry| command_line_below(&entry.path(), &temp));
        Ok((processes.collect(), files.collect::<Result<_>>()?))
    }

    fn ensure_nothing_remains(&self) -> Result<()> {
        let (processes, files) = self.remains()?;
        ensure!(
            processes.is_empty(),
            "processes are left: {processes:?}\n{}",
            self.output()
        );
        ensure!(files.is_empty(), "files are left: {files:?}");
        Ok(())
    }
}

/// The command line of the process at `/proc/N` if it works below `dir`.
fn command_line_below(process: &Path, dir: &Path) -> Option<String> {
    let cwd = std::fs::read_link(process.join("cwd")).ok()?;
    let bytes = std::fs::read(process.join("cmdline")).ok()?;
    let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
    (cwd.starts_with(dir) || line.contains(&*dir.to_string_lossy())).then_some(line)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_is_placed_shown_and_judged() -> Result<()> {
    let mut run = Run::start("+15005550001", true)?;
    let code = run.ended().await?;
    let output = run.output();
    ensure!(code == 0, "it ended with {code}:\n{output}");
    let mut rest = output.as_str();
    for event in [
        "queued",
        "started",
        "ringing",
        "answered",
        "dtmf",
        "dtmf_collected",
        "play_done",
        "hangup",
    ] {
        let column = format!("  {event}");
        let at = rest
            .find(&column)
            .with_context(|| format!("no '{event}' in its place:\n{output}"))?;
        rest = &rest[at + column.len()..];
    }
    ensure!(rest.contains("the call is completed"), "{output}");
    run.ensure_nothing_remains()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_is_a_failure() -> Result<()> {
    let mut run = Run::start("+15005550003", true)?;
    let code = run.ended().await?;
    let output = run.output();
    ensure!(code == 1, "it ended with {code}:\n{output}");
    ensure!(
        output.contains("SIP 486 Busy Here") && output.contains("the call is busy"),
        "{output}"
    );
    run.ensure_nothing_remains()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stays_up_for_more_calls_until_interrupted() -> Result<()> {
    let mut run = Run::start("+15005550003", false)?;
    let log = run.process.log().to_owned();
    let invitation = || {
        let output = std::fs::read_to_string(&log).ok()?;
        output.contains("/api/makecall\n").then_some(output)
    };
    let output = run.process.until("up", RUN_TIME, invitation).await?;

    let (url, token, cert) = (
        word_after(&output, "API ")?,
        word_after(&output, "token ")?,
        word_after(&output, "--cacert ")?,
    );
    let api = Api::new(url, Path::new(cert), token)?;
    let call = api
        .make_call(&json!({"campaign_name": "demo", "to_number": "+15005550005"}))
        .await?;
    let shown = format!(
        "{}  hangup           CALL_REJECTED, SIP 603 Decline",
        &call[28..]
    );
    let seen = || {
        let output = std::fs::read_to_string(&log).ok()?;
        output.contains(&shown).then_some(())
    };
    run.process
        .until("showing the second call", RUN_TIME, seen)
        .await?;

    let (processes, _) = run.remains()?;
    ensure!(
        processes.len() >= 3,
        "bus, gateway and switch are up: {processes:?}"
    );
    run.process.signal(Signal::INT)?;
    let code = run.ended().await?;
    ensure!(code == 0, "it ended with {code}:\n{}", run.output());
    run.ensure_nothing_remains()
}

/// What README shows is what can be typed.
#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme() -> Result<()> {
    let mut run = Run::start("+15005550001", false)?;
    let log = run.process.log().to_owned();
    let invitation = || {
        let output = std::fs::read_to_string(&log).ok()?;
        output.contains("\n  . /").then_some(output)
    };
    let output = run.process.until("up", RUN_TIME, invitation).await?;
    let environment = word_after(&output, "\n  . ")?;

    let readme = std::fs::read_to_string(repository::root()?.join("README.md"))?;
    let (_, tour) = readme.split_once("## A tour\n").context("no tour")?;
    let (_, tour) = tour.split_once("```sh\n").context("no commands")?;
    let (tour, _) = tour.split_once("```").context("no end")?;
    let place = tempfile::tempdir()?;
    let toured = tokio::process::Command::new("sh")
        .args(["-euc", &format!(". {environment}\n{tour}")])
        .current_dir(place.path())
        // The one of this machine is not what the tour is about.
        .env_remove("FREESWITCH_PREFIX")
        .output();
    let toured = tokio::time::timeout(RUN_TIME, toured).await??;
    let (said, complained) = (
        String::from_utf8_lossy(&toured.stdout),
        String::from_utf8_lossy(&toured.stderr),
    );
    ensure!(toured.status.success(), "{said}\n{complained}");
    for part in [
        "ok       switches",
        "answered",
        "dtmf_collected",
        "hangup",
        "will be sent again",
        "backup",
    ] {
        ensure!(said.contains(part), "no '{part}' in:\n{said}\n{complained}");
    }
    ensure!(place.path().join("acme.license").metadata()?.len() > 100);
    run.process.signal(Signal::INT)?;
    ensure!(run.ended().await? == 0, "{}", run.output());
    run.ensure_nothing_remains()
}

fn word_after<'a>(text: &'a str, label: &str) -> Result<&'a str> {
    let (_, rest) = text
        .split_once(label)
        .with_context(|| format!("no '{label}' in:\n{text}"))?;
    rest.split_whitespace()
        .next()
        .context("nothing after the label")
}
