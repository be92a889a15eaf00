//! What examples of answers are made of.

use iradialer_core::value::CallUuid;

/// A call, or what else has a UUID.
pub(in crate::web) fn uuid() -> CallUuid {
    let known = CallUuid::parse("call_uuid", "01a1fc2f-bd5c-702b-b769-11f559dde487");
    known.unwrap_or_else(|_| CallUuid::fresh())
}
