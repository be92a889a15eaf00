//! What holds for every path, and what the names of refusals stand for.

use crate::web::error::ApiError;
use crate::web::etag;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is reached without a token.
pub(super) const OPEN: [&str; 6] = [
    "/healthz",
    "/readyz",
    "/api/openapi.json",
    "/api/docs",
    "/api/docs/page.css",
    "/api/docs/page.js",
];

/// What any path with a token may refuse.
const WITH_TOKEN: [(u16, &str); 6] = [
    (400, "invalid_token"),
    (401, "no_token"),
    (403, "forbidden"),
    (422, "invalid_field"),
    (429, "rate_limited"),
    (503, "unavailable"),
];
/// What any path with a body may.
const WITH_BODY: [(u16, &str); 5] = [
    (408, "too_slow"),
    (413, "too_large"),
    (415, "not_json"),
    (415, "encoded"),
    (422, "invalid_json"),
];

/// Completes the description.
pub(super) fn complete(document: &mut Value) {
    let refusals = refusals();
    if let Some(paths) = document["paths"].as_object_mut() {
        for (path, item) in paths {
            for (method, operation) in item.as_object_mut().into_iter().flatten() {
                complete_operation(path, method, operation, &refusals);
            }
        }
    }
    super::answers::complete(document);
    super::requests::complete(document);
    let components = &mut document["components"];
    components["securitySchemes"]["token"] = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "A token that `iradialer-gateway token create` or `POST /api/tokens` has made.",
    });
    components["parameters"]["tenant"] = json!({
        "name": "x-tenant-id",
        "in": "header",
        "description": "The tenant that an admin or operator acts for; without it the token's.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,20}$"},
    });
    components["parameters"]["if_none_match"] = json!({
        "name": "if-none-match",
        "in": "header",
        "description": "The `etag` of an earlier answer: 304 where this one would be the same.",
        "schema": {"type": "string"},
    });
    components["headers"]["etag"] = json!({
        "description": "What the answer is known by.",
        "schema": {"type": "string"},
    });
    components["headers"]["request_id"] = json!({
        "description": "The request's id, as in the log.",
        "required": true,
        "schema": {"type": "string"},
    });
    components["headers"]["retry_after"] = json!({
        "description": "When the request may be made again, s.",
        "schema": {"type": "integer", "minimum": 1},
    });
    components["headers"]["challenge"] = json!({
        "description": "That a token is needed.",
        "required": true,
        "schema": {"type": "string"},
    });
    for (name, refusal) in refusals {
        components["examples"][&name] = json!({"summary": refusal.says, "value": refusal.body});
    }
}

/// A refusal as it is shown.
struct Refusal {
    status: u16,
    says: String,
    body: Value,
}

/// Those there are, by name.
fn refusals() -> BTreeMap<String, Refusal> {
    let examples = ApiError::examples().into_iter().map(|error| {
        let (status, mut answer) = error.answer();
        answer.request_id = "01a1fc2f-bd66-7461-922c-b92497a0620f".to_owned();
        let refusal = Refusal {
            status: status.as_u16(),
            says: answer.status.clone(),
            body: json!(answer),
        };
        (answer.error.name, refusal)
    });
    examples.collect()
}

fn complete_operation(
    path: &str,
    method: &str,
    operation: &mut Value,
    refusals: &BTreeMap<String, Refusal>,
) {
    let words = path.trim_start_matches("/api").split(['/', '.']);
    let words = words.map(|word| word.trim_matches(['{', '}']));
    let id: Vec<&str> = std::iter::once(method)
        .chain(words)
        .filter(|word| !word.is_empty())
        .collect();
    operation["operationId"] = json!(id.join("_"));

    let mut names: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    let mut add =
        |status: u16, name: &str| names.entry(status).or_default().insert(name.to_owned());
    if !OPEN.contains(&path) {
        operation["security"] = json!([{"token": []}]);
        let tenant = json!({"$ref": "#/components/parameters/tenant"});
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(tenant),
            None => operation["parameters"] = json!([tenant]),
        }
        for (status, name) in WITH_TOKEN {
            add(status, name);
        }
    }
    if operation.get("requestBody").is_some() {
        for (status, name) in WITH_BODY {
            add(status, name);
        }
    }
    if method == "get" && etag::is_for(path) {
        let known = json!({"$ref": "#/components/parameters/if_none_match"});
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(known),
            None => operation["parameters"] = json!([known]),
        }
        operation["responses"]["200"]["headers"]["etag"] =
            json!({"$ref": "#/components/headers/etag"});
        operation["responses"]["304"] = json!({"description": "It is as it was"});
    }
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        response["headers"]["x-request-id"] = json!({"$ref": "#/components/headers/request_id"});
        let Some(status) = status.parse().ok().filter(|status| *status >= 400) else {
            continue;
        };
        if response.get("content").is_none() {
            let named = response["description"].as_str().unwrap_or_default();
            for name in named.split(", ") {
                add(status, name);
            }
        }
    }
    for (status, names) in names {
        // One that says itself what it is, as `/readyz` does, stays as it is.
        let key = status.to_string();
        if responses
            .get(&key)
            .is_none_or(|response| response.get("content").is_none())
        {
            responses.insert(key, refused(status, &names, refusals));
        }
    }
}

/// What is answered with that status, by one of these names.
fn refused(status: u16, names: &BTreeSet<String>, refusals: &BTreeMap<String, Refusal>) -> Value {
    let mut says = Vec::new();
    let mut examples = Map::new();
    for name in names {
        let example = format!("#/components/examples/{name}");
        examples.insert(name.clone(), json!({"$ref": example}));
        let known = refusals.get(name).filter(|known| known.status == status);
        let sentence = known.map_or("", |known| known.says.as_str());
        says.push(format!("`{name}`: {sentence}"));
    }
    let mut headers = json!({"x-request-id": {"$ref": "#/components/headers/request_id"}});
    if matches!(status, 409 | 429 | 503) {
        headers["retry-after"] = json!({"$ref": "#/components/headers/retry_after"});
    }
    if status == 401 {
        headers["www-authenticate"] = json!({"$ref": "#/components/headers/challenge"});
    }
    let named = json!({"properties": {"error": {"properties": {"name": {"enum": names}}}}});
    json!({
        "description": says.join("\n\n"),
        "headers": headers,
        "content": {"application/json": {
            "schema": {"allOf": [{"$ref": "#/components/schemas/ErrorAnswer"}, named]},
            "examples": examples,
        }},
    })
}
