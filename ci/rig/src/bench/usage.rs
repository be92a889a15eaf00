//! What a program uses, as Linux tells it.

use anyhow::{Context, Result};
use std::time::Duration;

/// A running program.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    pid: u32,
}

impl Usage {
    /// Of the program with this number.
    pub fn of(pid: u32) -> Self {
        Usage { pid }
    }

    /// CPU time used so far, user and system.
    pub fn cpu(self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The name in brackets may hold anything; the numbers come after it.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
        let used = ticks(11)
            .zip(ticks(12))
            .map(|(user, system)| user + system)
            .context("reading a program's CPU time")?;
        // Linux counts in hundredths of a second for every program it tells.
        Ok(Duration::from_millis(used * 10))
    }

    /// How many threads.
    pub fn threads(self) -> Result<u32> {
        Ok(u32::try_from(
            std::fs::read_dir(format!("/proc/{}/task", self.pid))?.count(),
        )?)
    }

    /// Resident memory, KiB.
    pub fn memory_kib(self) -> Result<u64> {
        let status = self.read("status")?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("reading a program's memory")?;
        Ok(line.split_whitespace().nth(1).unwrap_or_default().parse()?)
    }

    fn read(self, file: &str) -> Result<String> {
        Ok(std::fs::read_to_string(format!(
            "/proc/{}/{file}",
            self.pid
        ))?)
    }
}
