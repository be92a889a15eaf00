//! The gateway as a process.

mod router;
