//! Reading and checking a flow: the core's own benchmark, run as it is, and its figures read.

use super::Table;
use crate::cargo;
use anyhow::{Context, Result};

/// Runs `cargo bench --bench flow_check` of the core and enters what it prints of the longest flow.
pub fn flow_check(table: &mut Table) -> Result<()> {
    let text = cargo::bench("iradialer-core", "flow_check")?;
    let (nodes, median, p99) = longest(&text).context("cargo bench printed no figure")?;
    let what = format!("reading and checking a flow of {nodes} nodes, median, ms");
    table.alone(&what, median, "< 10", median < 10.0);
    table.alone("  p99, ms", p99, "< 10", p99 < 10.0);
    Ok(())
}

/// From lines such as `    500  117000     3.10 ( 3.90) ms     1.20 ( 1.50) ms`: nodes, and the first median and
/// p99, of the last line.
fn longest(text: &str) -> Option<(u32, f64, f64)> {
    let line = text.lines().rev().find(|line| line.ends_with(" ms"))?;
    let line = line.replace(['(', ')'], " ");
    let mut words = line.split_whitespace();
    let nodes = words.next()?.parse().ok()?;
    let (median, p99) = (words.nth(1)?.parse().ok()?, words.next()?.parse().ok()?);
    Some((nodes, median, p99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let text = "\
  nodes   bytes of JSON   read and check       check alone
    100           21300     0.60 ( 0.80) ms     0.20 ( 0.30) ms
    500          117000     3.10 (13.90) ms     1.20 ( 1.50) ms
";
        assert_eq!(longest(text), Some((500, 3.1, 13.9)));
        assert_eq!(longest("nothing of it"), None);
    }
}
