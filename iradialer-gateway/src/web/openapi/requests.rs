//! What a type can't say of the bodies it is of: that what is not described is refused.

use super::answers::collect;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Says of every body that it has nothing else in it.
pub(super) fn complete(document: &mut Value) {
    let mut names = BTreeSet::new();
    for item in document["paths"].as_object().into_iter().flatten() {
        for operation in item.1.as_object().into_iter().flatten() {
            collect(&operation.1["requestBody"], document, &mut names);
        }
    }
    for name in names {
        let mut schema = document["components"]["schemas"][&name].clone();
        if let Some(parts) = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("allOf"))
        {
            flatten(&mut schema, &parts, document);
        }
        if schema.get("properties").is_some() {
            schema["additionalProperties"] = json!(false);
        }
        document["components"]["schemas"][&name] = schema;
    }
}

/// Puts the members of all parts into one: whether a part may have others in it can't be said of it alone.
fn flatten(schema: &mut Value, parts: &Value, document: &Value) {
    let (mut properties, mut required) = (Map::new(), BTreeSet::new());
    for part in parts.as_array().into_iter().flatten() {
        let name = part["$ref"].as_str().and_then(|to| to.rsplit('/').next());
        let part = match name {
            Some(name) => &document["components"]["schemas"][name],
            None => part,
        };
        let own = part["properties"].as_object().into_iter().flatten();
        properties.extend(own.map(|(name, of)| (name.clone(), of.clone())));
        let own = part["required"].as_array().into_iter().flatten();
        required.extend(own.filter_map(Value::as_str).map(str::to_owned));
    }
    schema["type"] = json!("object");
    schema["properties"] = Value::Object(properties);
    schema["required"] = json!(required);
}
