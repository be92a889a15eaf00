//! Gives queued calls to switches.
