//! What the description says that a request may have.

use serde_json::json;
use std::collections::BTreeSet;
use utoipa::{IntoParams, ToSchema};

/// The members of a body.
pub(in crate::web) fn properties<T: ToSchema>() -> BTreeSet<String> {
    let schema = json!(T::schema());
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect()
}

/// The parameters of a query.
pub(in crate::web) fn parameters<T: IntoParams>() -> BTreeSet<String> {
    let parameters = T::into_params(|| None).into_iter();
    let names = parameters.map(|parameter| json!(parameter)["name"].as_str().map(str::to_owned));
    names.flatten().collect()
}
