//! Channels that came in. The host has named them before the module knew of them, and at random; an attempt's
//! UUID is in the order of time, which the ledger and the journal count on. So these have two names.

use iradialer_core::value::CallUuid;
use once_cell::sync::Lazy;
use parking_lot::RwLock;
use std::collections::HashMap;

#[derive(Default)]
struct Names {
    channels: HashMap<CallUuid, CallUuid>,
    attempts: HashMap<CallUuid, CallUuid>,
}

static NAMES: Lazy<RwLock<Names>> = Lazy::new(RwLock::default);

/// From now on the channel is the attempt's.
pub fn give(channel: CallUuid, attempt: CallUuid) {
    let mut names = NAMES.write();
    names.channels.insert(attempt, channel);
    names.attempts.insert(channel, attempt);
}

/// The attempt is over.
pub fn forget(attempt: CallUuid) {
    let mut names = NAMES.write();
    if let Some(channel) = names.channels.remove(&attempt) {
        names.attempts.remove(&channel);
    }
}

/// The UUID that the host has for the channel of an attempt: the attempt's own where it was placed from here.
pub fn channel_of(attempt: CallUuid) -> CallUuid {
    let names = NAMES.read();
    names.channels.get(&attempt).copied().unwrap_or(attempt)
}

/// The attempt whose channel the host has under that UUID.
pub fn attempt_of(channel: CallUuid) -> CallUuid {
    let names = NAMES.read();
    names.attempts.get(&channel).copied().unwrap_or(channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_has_its_two_names_until_its_end() {
        let (channel, attempt, other) = (CallUuid::fresh(), CallUuid::fresh(), CallUuid::fresh());
        give(channel, attempt);
        assert_eq!(channel_of(attempt), channel);
        assert_eq!(attempt_of(channel), attempt);
        assert_eq!((channel_of(other), attempt_of(other)), (other, other));
        forget(attempt);
        forget(other);
        assert_eq!(
            (channel_of(attempt), attempt_of(channel)),
            (attempt, channel)
        );
    }
}
