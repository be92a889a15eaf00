//! Time zones by name, each read once.

use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Those that were asked for; there are some six hundred in all.
static KNOWN: RwLock<BTreeMap<String, TimeZone>> = RwLock::new(BTreeMap::new());

/// The zone of that IANA name. Reading one for the first time takes more stack than a thread of the host has,
/// so that is done on a thread of its own.
pub fn zone(name: &str) -> Option<TimeZone> {
    // As it is found: whatever the case of its letters.
    let name = name.to_ascii_lowercase();
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(zone) = known.get(&name) {
        return Some(zone.clone());
    }
    drop(known);
    let wanted = name.clone();
    let reader = std::thread::Builder::new().spawn(move || TimeZone::get(&wanted).ok());
    let zone = reader.ok()?.join().ok()??;
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    Some(known.entry(name).or_insert(zone).clone())
}
