//! A live call is recorded from `fs_cli`; what grows when the switch is killed is found, marked, and can be heard.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, ensure};
use iradialer_rig::loopback::{LONG, Loopback};
use iradialer_rig::system::Switch;
use std::path::Path;
use std::time::{Duration, Instant};

/// One who speaks for three seconds.
const SPEAKS: &str = "+15005550020";

fn files(dir: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(dir)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}

/// Waits until the file that grows has so many bytes on the disk.
async fn grown(dir: &Path, bytes: u64) -> Result<()> {
    let until = Instant::now() + LONG;
    loop {
        let part = files(dir)?.into_iter().find(|name| name.ends_with(".part"));
        let len = part.and_then(|name| std::fs::metadata(dir.join(name)).ok());
        if len.is_some_and(|part| part.len() >= bytes) {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{:?}", files(dir)?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_call_is_recorded_and_a_crash_leaves_nothing_unmarked() -> Result<()> {
    let mut site = Loopback::on_sandbox().await?;
    let dir = site.system.switch.recordings_dir();
    let call = site.call(SPEAKS).await?;
    site.wait_for(&call, "answered").await?;
    let exec = async |line: String| site.system.switch.exec(&line).await;

    let refused = exec(format!("iradialer record stop {call}")).await?;
    ensure!(refused.contains("-ERR the call is not being"), "{refused}");
    let begun = exec(format!("iradialer record start {call} stereo")).await?;
    let name = begun.strip_prefix("+OK ").context(begun.clone())?.trim();
    let again = exec(format!("iradialer record start {call}")).await?;
    ensure!(again.contains("already"), "{again}");
    grown(&dir, 30_000).await?;
    exec(format!("iradialer record stop {call}")).await?;
    let events = site.wait_for(&call, "recording_ready").await?;
    let ready = events.last().context("no event")?;
    ensure!(
        ready.data["name"] == name
            && ready.data["channels"] == 2
            && ready.data["ended_by"] == "request",
        "{ready:?}"
    );
    ensure!(files(&dir)? == [name], "{:?}", files(&dir)?);

    exec(format!("iradialer record start {call} mixed")).await?;
    grown(&dir, 20_000).await?;
    let Switch::Sandbox(sandbox) = &mut site.system.switch else {
        unreachable!("a sandbox was asked for")
    };
    sandbox.crash_and_start().await?;
    let left = files(&dir)?;
    let broken: Vec<_> = left
        .iter()
        .filter(|name| name.ends_with(".broken.wav"))
        .collect();
    ensure!(left.len() == 2 && broken.len() == 1, "{left:?}");
    let heard = std::fs::read(dir.join(broken[0]))?;
    let said = u32::from_le_bytes(heard[40..44].try_into()?) as usize;
    ensure!(heard.len() == said + 44, "{} of {said}", heard.len());
    Ok(())
}
