//! What a run really did: how often each kind of fault struck, and each failpoint.

use super::chronicle::{Entry, What};
use super::plan::{Terms, plan};
use super::target::Target;
use std::collections::BTreeMap;
use std::fmt;

/// From so many faults on a run has to have had them all.
const LONG_RUN: usize = 800;

/// The count.
#[derive(Debug, Default)]
pub struct Tally {
    faults: BTreeMap<&'static str, BTreeMap<&'static str, usize>>,
    failpoints: BTreeMap<&'static str, usize>,
    wanted: Vec<&'static str>,
}

impl Tally {
    /// Counts what the chronicle tells and what the processes wrote down of their failpoints.
    pub fn new(terms: Terms, entries: &[Entry], struck: &BTreeMap<String, usize>) -> Self {
        let mut tally = Tally::default();
        for entry in entries {
            if let What::Struck(kind) = entry.what {
                let targets = tally.faults.entry(kind).or_default();
                *targets.entry(entry.target.name()).or_default() += 1;
            }
        }
        for point in Target::GATEWAY
            .iter()
            .chain(&Target::SWITCHES)
            .flat_map(|target| target.failpoints())
        {
            let times = struck.get(*point).copied().unwrap_or(0);
            tally.failpoints.insert(point, times);
        }
        if terms.faults >= LONG_RUN {
            // What a run this long can have, whatever its seed.
            let any = plan(Terms { seed: 0, ..terms });
            tally.wanted = any.iter().map(|fault| fault.blow.kind()).collect();
            tally.wanted.sort_unstable();
            tally.wanted.dedup();
        }
        tally
    }

    /// What a long run should have had and had not.
    pub fn missing(&self) -> Vec<String> {
        let faults = self.wanted.iter();
        let faults = faults.filter(|kind| !self.faults.contains_key(*kind));
        let points = self.failpoints.iter().filter(|(_, times)| **times == 0);
        let points = points.filter(|_| !self.wanted.is_empty());
        faults
            .map(|kind| format!("no {kind}"))
            .chain(points.map(|(point, _)| format!("{point} was never reached")))
            .collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32} {:>6}", "fault", "struck")?;
        for (kind, targets) in &self.faults {
            let times: usize = targets.values().sum();
            let whom: Vec<_> = targets.iter().map(|(t, n)| format!("{t} {n}")).collect();
            writeln!(f, "{kind:<32} {times:>6}  {}", whom.join(", "))?;
        }
        writeln!(f, "\n{:<32} {:>6}", "failpoint", "struck")?;
        for (point, times) in &self.failpoints {
            writeln!(f, "{point:<32} {times:>6}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        seed: 3,
        faults: 1_000,
        postgres: false,
        disks: true,
    };

    fn all_of(terms: Terms) -> Vec<Entry> {
        let struck = plan(terms).into_iter().map(|fault| Entry {
            at_ms: 0,
            target: fault.target,
            what: What::Struck(fault.blow.kind()),
        });
        struck.collect()
    }

    #[test]
    fn a_long_plan_has_every_kind_of_fault() {
        let every = |seed| Tally::new(TERMS, &all_of(Terms { seed, ..TERMS }), &BTreeMap::new());
        for seed in 0..20 {
            let missing = every(seed).missing();
            assert!(
                missing.iter().all(|m| m.ends_with("reached")),
                "{missing:?}"
            );
        }
        assert_eq!(every(0).wanted.len(), 18);
    }

    #[test]
    fn what_did_not_happen_is_missed_in_a_long_run() {
        let reached = Target::GATEWAY.iter().chain(&Target::SWITCHES);
        let reached = reached.flat_map(|target| target.failpoints());
        let mut reached: BTreeMap<_, _> = reached.map(|point| ((*point).to_owned(), 2)).collect();
        let mut entries = all_of(TERMS);
        assert!(Tally::new(TERMS, &entries, &reached).missing().is_empty());
        entries.retain(|entry| entry.what != What::Struck("full disk"));
        reached.remove("tdb.commit.after");
        let tally = Tally::new(TERMS, &entries, &reached);
        assert_eq!(
            tally.missing(),
            ["no full disk", "tdb.commit.after was never reached"]
        );
        let short = Terms {
            faults: 20,
            ..TERMS
        };
        assert!(
            Tally::new(short, &[], &BTreeMap::new())
                .missing()
                .is_empty()
        );
    }
}
