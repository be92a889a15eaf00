//! Deals one blow and mends what it broke.

use super::chronicle::{What, now_ms};
use super::disk::Disk;
use super::life::Life;
use super::node::Node;
use super::plan::{Blow, Fault};
use super::target::Target;
use super::world::World;
use crate::process::Process;
use anyhow::{Context, Result};
use rustix::process::Signal;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::sleep;

/// How long a process may take to come upon a failpoint that is armed in it.
const FAILPOINT_TIME: Duration = Duration::from_secs(4);

/// Deals the blow, once nothing else is done to its target, and returns when the target is as before.
pub(super) async fn strike(world: &World, fault: &Fault) -> Result<()> {
    match fault.target {
        Target::Nats => nats(world, fault).await,
        Target::Postgres => postgres(world, fault).await,
        Target::TdbDisk => tdb_disk(world, fault).await,
        target => {
            let node = world.node(target).context("no such process")?;
            let mut node = node.lock().await;
            note(world, fault);
            ours(world, fault, &mut node).await
        }
    }
    .with_context(|| fault.to_string())
}

fn note(world: &World, fault: &Fault) {
    let text = fault.to_string();
    world.chronicle.note(fault.target, What::Note(text));
    let kind = fault.blow.kind();
    world.chronicle.note(fault.target, What::Struck(kind));
}

async fn ours(world: &World, fault: &Fault, node: &mut Node) -> Result<()> {
    let chronicle = &world.chronicle;
    match fault.blow {
        Blow::Kill(down) => {
            node.kill(chronicle).await?;
            sleep(down).await;
        }
        Blow::Stop(stop) => {
            let began_ms = now_ms();
            if let Some(process) = node.life.as_mut().map(Life::process) {
                stand_still(process, stop).await?;
            }
            hindered(world, fault.target, began_ms);
            return Ok(());
        }
        Blow::Restart => node.stop(chronicle).await,
        Blow::Wipe => {
            node.kill(chronicle).await?;
            remove(&node.journal())?;
            chronicle.note(fault.target, What::Wiped);
        }
        Blow::Tear(len) => {
            node.kill(chronicle).await?;
            tear(&node.journal(), len)?;
        }
        Blow::Partition(link, trouble, lasts) => {
            let began_ms = now_ms();
            node.suffer(link, Some(trouble));
            sleep(lasts).await;
            node.suffer(link, None);
            hindered(world, fault.target, began_ms);
            return Ok(());
        }
        Blow::DieAt(point, hit) => {
            node.stop(chronicle).await;
            node.start(chronicle, Some(&format!("{point}=kill@{hit}")))
                .await?;
            hand_over_lease(world, fault.target).await?;
            dies(node).await;
            node.kill(chronicle).await?;
        }
        Blow::PauseAt(point, hit, pause) => {
            node.stop(chronicle).await;
            let armed = format!("{point}=pause({})@{hit}", pause.as_millis());
            let began_ms = now_ms();
            let before = node.failpoints_struck().len();
            node.start(chronicle, Some(&armed)).await?;
            hand_over_lease(world, fault.target).await?;
            if stands_still(node, before).await {
                sleep(pause).await;
            }
            hindered(world, fault.target, began_ms);
            node.stop(chronicle).await;
        }
        Blow::DiskFull(lasts) => {
            let began_ms = now_ms();
            if let Some(disk) = &node.disk {
                full(disk, lasts).await?;
                hindered(world, fault.target, began_ms);
                return Ok(());
            }
            node.stop(chronicle).await;
            let ms = lasts.as_millis();
            let armed =
                format!("journal.append.fault=error({ms})@3;journal.sync.fault=error({ms})@30");
            node.start(chronicle, Some(&armed)).await?;
            sleep(FAILPOINT_TIME + lasts).await;
            node.stop(chronicle).await;
        }
        Blow::PowerCut => {
            node.kill(chronicle).await?;
            if let Some(disk) = &mut node.disk {
                disk.cut_power()?;
            }
        }
        Blow::Clock(off_ms, lasts) => {
            let began_ms = now_ms();
            node.move_clock(off_ms)?;
            sleep(lasts).await;
            node.move_clock(0)?;
            let until_ms = now_ms();
            let what = What::ClockMoved { off_ms, until_ms };
            chronicle.note_at(began_ms, fault.target, what);
            return Ok(());
        }
    }
    node.start(chronicle, None).await?;
    node.wait_until_ready().await
}

/// A router comes upon its failpoints only while it leads: the other one is restarted, unless something
/// else is being done to it, and gives up the lease.
async fn hand_over_lease(world: &World, armed: Target) -> Result<()> {
    let other = match armed {
        Target::RouterA => Target::RouterB,
        Target::RouterB => Target::RouterA,
        _ => return Ok(()),
    };
    if let Some(Ok(mut other)) = world.node(other).map(Mutex::try_lock) {
        other.stop(&world.chronicle).await;
        other.start(&world.chronicle, None).await?;
    }
    Ok(())
}

fn hindered(world: &World, target: Target, began_ms: u64) {
    let until_ms = now_ms();
    let what = What::Hindered { until_ms };
    world.chronicle.note_at(began_ms, target, what);
}

async fn stand_still(process: &mut Process, stop: Duration) -> Result<()> {
    process.signal(Signal::STOP)?;
    sleep(stop).await;
    process.signal(Signal::CONT)
}

/// Waits until it ends by itself while a failpoint is armed, but not for long.
async fn dies(node: &mut Node) {
    let deadline = Instant::now() + FAILPOINT_TIME;
    while Instant::now() < deadline {
        let process = node.life.as_mut().map(Life::process);
        if process.is_none_or(|process| process.ended().is_some()) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until it has come upon one failpoint more than it had `before`, but not for long. Whether it has.
async fn stands_still(node: &Node, before: usize) -> bool {
    let deadline = Instant::now() + FAILPOINT_TIME;
    while Instant::now() < deadline {
        if node.failpoints_struck().len() > before {
            return true;
        }
        sleep(Duration::from_millis(20)).await;
    }
    false
}

async fn full(disk: &Disk, lasts: Duration) -> Result<()> {
    disk.fill()?;
    sleep(lasts).await;
    disk.free()
}

fn remove(journal: &Path) -> Result<()> {
    match std::fs::remove_dir_all(journal) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// What a crash leaves of a record that was being written, at the end of the youngest segment: bytes that
/// are no record. Nothing that was acknowledged is touched.
fn tear(journal: &Path, len: usize) -> Result<()> {
    let mut segments: Vec<_> = match std::fs::read_dir(journal) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file())
            .collect(),
        Err(_) => return Ok(()),
    };
    segments.sort();
    let Some(youngest) = segments.last() else {
        return Ok(());
    };
    let mut file = std::fs::OpenOptions::new().append(true).open(youngest)?;
    let torn: Vec<u8> = (0..len).map(|at| (at * 37 % 251) as u8).collect();
    file.write_all(&torn)?;
    Ok(())
}

async fn nats(world: &World, fault: &Fault) -> Result<()> {
    let mut nats = world.nats.lock().await;
    note(world, fault);
    let began_ms = now_ms();
    match fault.blow {
        Blow::Kill(down) => {
            nats.kill(false).await?;
            sleep(down).await;
        }
        Blow::Stop(stop) => {
            stand_still(nats.process(), stop).await?;
            hindered(world, fault.target, began_ms);
            return Ok(());
        }
        Blow::Wipe => nats.kill(true).await?,
        _ => nats.stop().await?,
    }
    nats.start_again().await?;
    hindered(world, fault.target, began_ms);
    Ok(())
}

async fn postgres(world: &World, fault: &Fault) -> Result<()> {
    let Some(postgres) = &world.postgres else {
        return Ok(());
    };
    let mut postgres = postgres.lock().await;
    note(world, fault);
    match fault.blow {
        Blow::Kill(down) => {
            postgres.kill().await?;
            sleep(down).await;
        }
        _ => postgres.stop().await?,
    }
    postgres.start_again().await
}

/// Nobody else of the gateway is started or ended meanwhile. One is started while the disk is full: it has to
/// wait for room.
async fn tdb_disk(world: &World, fault: &Fault) -> Result<()> {
    let Some(disk) = &world.tdb_disk else {
        return Ok(());
    };
    let mut nodes = world.gateway().await;
    let mut disk = disk.lock().await;
    note(world, fault);
    let began_ms = now_ms();
    match fault.blow {
        Blow::DiskFull(lasts) => {
            disk.fill()?;
            let unlucky = fault.number % nodes.len();
            let unlucky = &mut nodes[unlucky];
            unlucky.kill(&world.chronicle).await?;
            unlucky.start(&world.chronicle, None).await?;
            sleep(lasts).await;
            disk.free()?;
            unlucky.wait_until_ready().await?;
        }
        _ => {
            for node in &mut nodes {
                node.kill(&world.chronicle).await?;
            }
            disk.cut_power()?;
            for node in &mut nodes {
                node.start(&world.chronicle, None).await?;
            }
            for node in &mut nodes {
                node.wait_until_ready().await?;
            }
        }
    }
    hindered(world, fault.target, began_ms);
    Ok(())
}
