//! The description says what there is: every route, every refusal.

use super::complete::OPEN;
use super::described;
use crate::web::error::ApiError;
use crate::web::routes;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every operation: its method, its path and itself.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().iter();
            operations.map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
        })
        .collect()
}

#[test]
fn it_is_openapi_3_1_and_its_operations_have_names() {
    let document = described();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{method} {path}: {id} is there twice");
        assert!(operation["summary"].is_string(), "{method} {path}");
        assert!(operation["tags"].is_array(), "{method} {path}");
    }
    assert!(ids.len() > 40, "{ids:?}");
}

#[test]
fn every_route_is_described() {
    let (router, mut described) = routes::all().split_for_parts();
    // The router does not list its routes, but shows them.
    let shown = format!("{router:?}");
    let known: BTreeSet<&str> = shown
        .split('"')
        // Those of axum's own fallback are none.
        .filter(|part| part.starts_with('/') && *part != "/" && !part.contains("__private"))
        .collect();
    assert!(known.len() > 35, "{shown}");
    for path in known {
        assert!(described.paths.paths.remove(path).is_some(), "{path}");
    }
    assert!(described.paths.paths.is_empty());
}

#[test]
fn every_name_of_a_refusal_is_known_and_of_its_status() {
    let document = described();
    let mut used = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let content = &response["content"]["application/json"];
            for name in content["examples"].as_object().into_iter().flatten() {
                let said = &response["description"];
                let of = format!("{method} {path} {status}: {said}");
                let empty = format!("`{}`: \n", name.0);
                assert!(
                    !format!("{}\n", said.as_str().unwrap()).contains(&empty),
                    "{of}"
                );
                used.insert(name.0.as_str());
            }
        }
    }
    // Those of no path.
    used.extend(["no_such_path", "no_such_method"]);
    for error in ApiError::examples() {
        let name = error.answer().1.error.name;
        assert!(used.contains(name.as_str()), "{name} is of no path");
    }
}

#[test]
fn what_needs_no_token_is_known() {
    let document = described();
    for (_, path, operation) in operations(&document) {
        let is_open = operation.get("security").is_none();
        assert_eq!(is_open, OPEN.contains(&path), "{path}");
    }
}

/// The answers that are not refusals, and their schemas.
fn answers(document: &Value) -> Vec<(String, &Value)> {
    let mut answers = Vec::new();
    for (method, path, operation) in operations(document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            let schema = &response["content"]["application/json"]["schema"];
            let is_refusal = schema.get("allOf").is_some();
            // Pages and figures are no JSON, and the description describes everything but itself.
            let is_json = response["content"].get("application/json").is_some();
            if is_json && !is_refusal && path != "/api/openapi.json" {
                answers.push((format!("{method} {path} {status}"), schema));
            }
        }
    }
    answers
}

#[test]
fn every_answer_has_an_example_that_is_as_described() {
    let document = described();
    for (of, schema) in answers(&document) {
        let name = schema["$ref"].as_str().unwrap_or_default();
        let name = name.trim_start_matches("#/components/schemas/");
        assert!(!name.is_empty(), "{of} has no type");
        let examples = document["components"]["schemas"][name]["examples"].as_array();
        let examples = examples.unwrap_or_else(|| panic!("{of}: {name} has no example"));
        let schema =
            serde_json::json!({"$ref": schema["$ref"], "components": document["components"]});
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for example in examples {
            let mistakes: Vec<_> = validator
                .iter_errors(example)
                .map(|e| e.to_string())
                .collect();
            assert!(mistakes.is_empty(), "{of}: {mistakes:?}\n{example}");
        }
    }
}
