//! The wall round every function the host calls.

use super::switch;
use crate::host::Level;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a panic is logged and answered with `fallback`, the safe answer at that place, because
/// an unwind must not cross into C.
pub fn guard<T>(name: &str, fallback: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(panic) => {
            let what = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic".to_owned());
            // Logging must not panic in turn.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                switch::log(Level::Error, &format!("fault in {name}: {what}"))
            }));
            fallback
        }
    }
}
