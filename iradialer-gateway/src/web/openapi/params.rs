//! Parameters that several paths have.

use utoipa::IntoParams;

/// The call that a path is about.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "what stands in the path")]
pub(in crate::web) struct OfCall {
    /// The call.
    call_uuid: uuid::Uuid,
}

/// The flow or trunk that a path is about.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "what stands in the path")]
pub(in crate::web) struct OfName {
    /// Its name: 1 to 64 of `A-Z a-z 0-9 _ -`.
    #[param(pattern = "^[A-Za-z0-9_-]{1,64}$")]
    name: String,
}

/// The token that a path is about.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "what stands in the path")]
pub(in crate::web) struct OfToken {
    /// What the token is called by.
    token_id: uuid::Uuid,
}
