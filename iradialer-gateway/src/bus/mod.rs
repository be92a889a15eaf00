//! The bus: the link to NATS, the event stream on it, and the `nats-server` of the development mode.
//!
//! NATS carries commands and events, and never decides who dials: losing it loses time, not calls.

pub mod dev_server;
pub mod link;
pub mod stream;
pub mod switch_request;
pub mod users;

pub use dev_server::{DevServer, DevServerError};
pub use link::{LinkError, connect};
pub use switch_request::NatsSwitches;
