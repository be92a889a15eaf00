//! Who hears whom: muted, deaf, on hold.

use super::Call;
use crate::host::Way;
use std::sync::atomic::Ordering;

/// Who hears whom on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Audible {
    /// Nobody hears the far end.
    pub muted: bool,
    /// The far end hears nothing.
    pub deaf: bool,
    /// Both, and what plays waits.
    pub held: bool,
}

impl Audible {
    /// Whether nothing is to be heard that way.
    fn is_silent(self, way: Way) -> bool {
        self.held
            || match way {
                Way::FromFarEnd => self.muted,
                Way::ToFarEnd => self.deaf,
            }
    }
}

impl Call {
    /// Who hears whom now.
    pub fn audible(&self) -> Audible {
        *self.audible.lock()
    }

    /// Whether what plays is to wait. Looked at with each frame.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Changes who hears whom. Nothing is changed where the host can't.
    ///
    /// # Errors
    /// What the host said.
    pub fn set_audible(&self, change: impl FnOnce(&mut Audible)) -> Result<Audible, String> {
        // Held over the host's work: two changes at once must not end up as half of each.
        let mut audible = self.audible.lock();
        let before = *audible;
        let mut after = before;
        change(&mut after);
        let attempt = self.command.attempt_id;
        let changes = [Way::FromFarEnd, Way::ToFarEnd]
            .into_iter()
            .filter(|way| after.is_silent(*way) != before.is_silent(*way));
        let mut done = Vec::new();
        for way in changes {
            let silent = after.is_silent(way);
            if let Err(why) = self.host.silence(attempt, way, silent) {
                for way in done {
                    // As it was before; more than to ask for that can't be done.
                    let _ = self.host.silence(attempt, way, before.is_silent(way));
                }
                return Err(why);
            }
            done.push(way);
        }
        *audible = after;
        self.held.store(after.held, Ordering::Relaxed);
        Ok(after)
    }
}
