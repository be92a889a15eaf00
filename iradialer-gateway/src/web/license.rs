//! `/api/license`: the licence in force, and installing another.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::error::ApiError;
use super::fields::Fields;
use crate::license::{NotInstalled, ShownStanding};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use iradialer_core::license::MAX_TOKEN_BYTES;
use iradialer_core::value::FieldError;
use serde::Serialize;
use utoipa::ToSchema;

/// Room for a licence, in bytes of JSON.
const MAX_BODY_BYTES: usize = 2 * MAX_TOKEN_BYTES;

/// A licence to be installed.
#[derive(ToSchema)]
#[allow(dead_code)] // It is read field by field.
struct NewLicense {
    /// `IRA1.PAYLOAD.SIGNATURE`, at most 4096 bytes.
    #[schema(max_length = 4096)]
    license: String,
}

/// The licence that was installed.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Installed::example())))]
pub(super) struct Installed {
    /// False: it was installed before.
    installed: bool,
    /// What holds now.
    standing: ShownStanding,
    status: &'static str,
    status_code: u8,
}

impl Installed {
    fn of(installed: bool, standing: ShownStanding) -> Self {
        Installed {
            status: "OK",
            status_code: 0,
            installed,
            standing,
        }
    }

    fn example() -> Self {
        Installed::of(true, ShownStanding::example())
    }
}

/// The licence in force
#[utoipa::path(
    get, path = "/api/license", tag = "licence",
    responses((status = 200, body = ShownStanding)),
)]
pub(super) async fn show(
    State(state): State<WebState>,
    _caller: Caller,
) -> Result<Json<ShownStanding>, ApiError> {
    state.app.license.refresh().await?;
    Ok(Json(state.app.license.shown().await?))
}

/// Installs a licence
#[utoipa::path(
    put, path = "/api/license", tag = "licence",
    request_body = NewLicense,
    responses(
        (status = 200, body = Installed),
        (status = 409, description = "license_older"),
        (status = 422, description = "license_refused"),
    ),
)]
pub(super) async fn install(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Installed>, ApiError> {
    let mut fields = Fields::new(read_object(&headers, body, MAX_BODY_BYTES).await?);
    let expected = "a licence, IRA1.PAYLOAD.SIGNATURE";
    let token = fields.required("license", expected, |field, text| match text.is_empty() {
        true => Err(FieldError::new(field, expected, text)),
        false => Ok(text.to_owned()),
    });
    fields.finish("license").map_err(ApiError::BadFields)?;
    let token = token.ok_or(ApiError::BadFields(Vec::new()))?;
    let (author, tenant) = (caller.author(), caller.tenant_id);
    let installed = state.app.license.install(&token, tenant, author).await;
    let installed = installed.map_err(|error| match error {
        NotInstalled::Refused(why) => ApiError::BadLicense(why),
        NotInstalled::Tdb(error) => error.into(),
    })?;
    // Calls that wait for one may be dialled now.
    state.app.wake.router.notify_one();
    let standing = state.app.license.shown().await?;
    Ok(Json(Installed::of(installed, standing)))
}
