//! What a type can't say of the answers it is of.

use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCHEMAS: &str = "#/components/schemas/";

/// Says that what may be null in an answer is there all the same, and that one of several kinds may look like another.
pub(super) fn complete(document: &mut Value) {
    let mut names = BTreeSet::new();
    for item in document["paths"].as_object().into_iter().flatten() {
        for operation in item.1.as_object().into_iter().flatten() {
            collect(&operation.1["responses"], document, &mut names);
        }
    }
    for name in names {
        let schema = &mut document["components"]["schemas"][&name];
        if let Some(kinds) = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("oneOf"))
        {
            schema["anyOf"] = kinds;
        }
        let properties = schema["properties"].as_object().into_iter().flatten();
        let nullable = properties.filter(|(_, property)| is_nullable(property));
        let mut required: BTreeSet<String> = nullable.map(|(name, _)| name.clone()).collect();
        let given = schema["required"].as_array().into_iter().flatten();
        required.extend(given.filter_map(|name| name.as_str().map(str::to_owned)));
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
    }
}

/// The names of the schemas that are referred to from there, and from those.
pub(super) fn collect(from: &Value, document: &Value, names: &mut BTreeSet<String>) {
    match from {
        Value::Object(members) => {
            let to = members.get("$ref").and_then(Value::as_str);
            if let Some(name) = to.and_then(|to| to.strip_prefix(SCHEMAS))
                && names.insert(name.to_owned())
            {
                collect(&document["components"]["schemas"][name], document, names);
            }
            for value in members.values() {
                collect(value, document, names);
            }
        }
        Value::Array(values) => {
            for value in values {
                collect(value, document, names);
            }
        }
        _ => {}
    }
}

/// Whether it is written as null where there is nothing.
fn is_nullable(property: &Value) -> bool {
    let null = json!("null");
    let in_types = property["type"]
        .as_array()
        .is_some_and(|types| types.contains(&null));
    let kinds = property["oneOf"].as_array();
    in_types || kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["type"] == null))
}
