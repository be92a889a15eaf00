//! Durable accepts: the gateway's own benchmark, run as it is, and its figures read.

use super::Table;
use crate::cargo;
use anyhow::{Result, ensure};

/// What one database did.
#[derive(Debug, PartialEq)]
struct Figures {
    database: String,
    /// Accepts a second with as many at once as they come.
    per_second: f64,
    /// At the steady rate, ms.
    p99_ms: f64,
}

/// Runs `cargo bench --bench accept` of the gateway and enters what it prints.
pub fn accepts(table: &mut Table) -> Result<()> {
    let text = cargo::bench("iradialer-gateway", "accept")?;
    let figures = read(&text);
    ensure!(!figures.is_empty(), "cargo bench printed no figure");
    let peer = figures.iter().find(|found| found.database != "SQLite");
    for ours in figures.iter().filter(|found| found.database == "SQLite") {
        table.beside(
            "durable accepts a second on SQLite, and on PostgreSQL",
            ours.per_second,
            peer.map(|peer| peer.per_second),
            ">= 5000",
            ours.per_second >= 5_000.0,
        );
        table.beside(
            "  p99 at 1,000 accepts/s, ms",
            ours.p99_ms,
            peer.map(|peer| peer.p99_ms),
            "< 50",
            ours.p99_ms < 50.0,
        );
    }
    Ok(())
}

/// From lines such as `SQLite  5376 accepts/s, p50 90.1ms, p99 101.0ms, max 1.2s  p50 1.2ms, p99 3.4ms, max
/// 9.1ms`: as many as go, then at the steady rate.
fn read(text: &str) -> Vec<Figures> {
    let lines = text.lines().filter(|line| line.contains(" accepts/s, "));
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (database, per_second) = (words.next()?, words.next()?);
            let (_, steady) = line.rsplit_once("p99 ")?;
            Some(Figures {
                database: database.to_owned(),
                per_second: per_second.parse().ok()?,
                p99_ms: ms(steady.split_once(',')?.0)?,
            })
        })
        .collect()
}

/// A duration as Rust prints it.
fn ms(text: &str) -> Option<f64> {
    let text = text.trim();
    let units = [("ms", 1.0), ("µs", 1e-3), ("ns", 1e-6), ("s", 1e3)];
    units.iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let text = "\
database     as many as go                               1000/s offered
SQLite       12186 accepts/s, p50 30.8ms, p99 67.4ms, max 68.8ms           p50 850.0µs, p99 12.5ms, max 6.0ms
PostgreSQL     900 accepts/s, p50 77.7ms, p99 84.8ms, max 86.6ms           p50 1.1ms, p99 1.5s, max 6.9s
";
        let figures = |database: &str, per_second, p99_ms| Figures {
            database: database.into(),
            per_second,
            p99_ms,
        };
        assert_eq!(
            read(text),
            [
                figures("SQLite", 12_186.0, 12.5),
                figures("PostgreSQL", 900.0, 1_500.0)
            ]
        );
        assert!(read("nothing of it").is_empty());
    }
}
