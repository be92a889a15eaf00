//! What examples of answers are made of.

use iradialer_core::value::CallUuid;

/// A name of any kind, which has to be one.
pub(in crate::web) fn name<T: TryFrom<String>>() -> T {
    match T::try_from("example".to_owned()) {
        Ok(name) => name,
        Err(_) => unreachable!("a name of seven letters"),
    }
}

/// A call, or what else has a UUID.
pub(in crate::web) fn uuid() -> CallUuid {
    let known = CallUuid::parse("call_uuid", "01a1fc2f-bd5c-702b-b769-11f559dde487");
    known.unwrap_or_else(|_| CallUuid::fresh())
}
