//! The HTTPS API.

mod event_url;

pub use event_url::check_event_url;
