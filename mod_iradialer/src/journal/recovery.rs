//! Reads what an earlier life of the module has left.

use super::disk::Disk;
use super::index::Index;
use super::record::{FORMAT, Record};
use iradialer_core::value::CallUuid;
use std::io;

/// What was found.
#[derive(Debug)]
pub struct Recovered {
    /// The state the records come to.
    pub index: Index,
    /// Bytes at the end that are no whole record: what was being written when the switch died.
    pub cut: usize,
    /// Why the journal can't be trusted to be whole, where it can't: it then has a new name.
    pub damage: Option<String>,
    /// The number of the youngest segment, 0 for none.
    pub segment: u64,
}

/// The name of a segment.
pub fn segment_name(number: u64) -> String {
    format!("segment-{number:010}.log")
}

/// The number of the segment with this name.
pub fn segment_number(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?
        .strip_suffix(".log")?
        .parse()
        .ok()
}

/// Reads the youngest segment. It says all that those before it did, or it would not have its name.
pub fn recover(disk: &dyn Disk, now_ms: u64) -> io::Result<Recovered> {
    let names = disk.names()?;
    let youngest = names.iter().filter_map(|name| segment_number(name)).max();
    let Some(number) = youngest else {
        return Ok(Recovered {
            index: Index::new(CallUuid::fresh()),
            cut: 0,
            damage: None,
            segment: 0,
        });
    };
    let mut recovered = read(&disk.read(&segment_name(number))?, now_ms)?;
    recovered.segment = number;
    if recovered.damage.is_some() {
        let kept = format!("damaged-{number:010}.log");
        disk.rename(&segment_name(number), &kept)?;
        recovered.index.journal_id = CallUuid::fresh();
    }
    Ok(recovered)
}

fn read(bytes: &[u8], now_ms: u64) -> io::Result<Recovered> {
    let mut index = Index::new(CallUuid::fresh());
    let (mut at, mut named, mut complete) = (0, false, false);
    while let Some((record, len)) = Record::read_from(&bytes[at..]) {
        match &record {
            Record::Header(header) if header.format != FORMAT => {
                return Err(io::Error::other(format!(
                    "a journal of format {}, written by another version of the module; this one reads {FORMAT}",
                    header.format
                )));
            }
            Record::Header(header) => {
                index.journal_id = header.journal_id;
                named = true;
            }
            Record::Complete => complete = true,
            _ => {}
        }
        index.apply(&record, now_ms);
        at += len;
    }
    // What was never synced may have come to the disk in any part; what was has to be whole.
    let damaged = !named || !complete || was_synced_past(bytes, at);
    let damage = damaged.then(|| format!("no record can be read at byte {at}"));
    Ok(Recovered {
        index,
        cut: bytes.len() - at,
        damage,
        segment: 0,
    })
}

/// Whether something behind `at` says that the disk had more than that once.
fn was_synced_past(bytes: &[u8], at: usize) -> bool {
    (at + 1..bytes.len()).any(|from| match Record::read_from(&bytes[from..]) {
        Some((Record::Synced(synced), _)) => synced > at as u64,
        _ => false,
    })
}
