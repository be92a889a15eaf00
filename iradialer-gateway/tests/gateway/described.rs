//! Holds every answer that the tests get against what the gateway says of itself: an answer that is not described, or not
//! as it is described, fails the test that got it.

use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;

/// What may have more in it than is described: it is as those who decided have noted it.
const OPEN: [&str; 2] = ["DecisionFacts", "ReasonFacts"];

/// The description, and what was made of it so far.
pub struct Described {
    document: Value,
    validators: Mutex<HashMap<String, Arc<jsonschema::Validator>>>,
}

/// That of all gateways of these tests: they are the same binary.
static DESCRIBED: OnceCell<Described> = OnceCell::const_new();

/// What the gateway at that address says of itself.
pub async fn described(client: &Client, url: &Url) -> &'static Described {
    let url = url.join("/api/openapi.json").unwrap();
    let get = async || {
        let answer = client.get(url).send().await.unwrap();
        let document = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        Described::new(document)
    };
    DESCRIBED.get_or_init(get).await
}

impl Described {
    fn new(mut document: Value) -> Self {
        let schemas = document["components"]["schemas"].as_object_mut().unwrap();
        for (name, schema) in schemas {
            if schema.get("properties").is_some() && !OPEN.contains(&name.as_str()) {
                schema["additionalProperties"] = json!(false);
            }
        }
        Described {
            document,
            validators: Mutex::default(),
        }
    }

    /// Every operation: its method, its path and itself.
    pub fn operations(&self) -> Vec<(Method, &str, &Value)> {
        let paths = self.document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            let operations = item.as_object().unwrap().iter();
            operations.map(move |(method, operation)| {
                let method = method.to_uppercase().parse().unwrap();
                (method, path.as_str(), operation)
            })
        });
        operations.collect()
    }

    /// The names of the fields that a body of the operation may have; `None`: it has none, or is no such object.
    pub fn body_fields(&self, operation: &Value) -> Option<Vec<String>> {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let resolved = |schema: &Value| -> Value {
            let to = schema["$ref"].as_str().unwrap_or_default();
            let name = to.trim_start_matches("#/components/schemas/");
            match to {
                "" => schema.clone(),
                _ => self.document["components"]["schemas"][name].clone(),
            }
        };
        // An optional body is null or that; one that another is a part of is all of these.
        let mut combined = ["oneOf", "anyOf", "allOf"].iter();
        let parts = combined.find_map(|of| schema[of].as_array().cloned());
        let of_ref = resolved(schema);
        let parts = parts.or_else(|| of_ref["allOf"].as_array().cloned());
        let parts = parts.unwrap_or_else(|| vec![of_ref]);
        let properties = parts
            .iter()
            .map(|part| resolved(part)["properties"].clone());
        let names: Vec<String> = properties
            .filter_map(|properties| properties.as_object().cloned())
            .flat_map(|properties| properties.keys().cloned().collect::<Vec<_>>())
            .collect();
        (!names.is_empty()).then_some(names)
    }

    /// Fails where the answer is not as it is described.
    pub fn check(&self, method: &Method, path: &str, status: u16, kind: &str, body: &Value) {
        let of = || format!("{method} {path} {status}: {body}");
        let refusal = json!({"$ref": "#/components/schemas/ErrorAnswer"});
        let Some(template) = self.template(path) else {
            assert_eq!(body["error"]["name"], "no_such_path", "{}", of());
            return self.check_schema("refusal".to_owned(), &refusal, body, &of());
        };
        let operation = &self.document["paths"][template][method.as_str().to_lowercase()];
        if operation.is_null() {
            assert_eq!(body["error"]["name"], "no_such_method", "{}", of());
            return self.check_schema("refusal".to_owned(), &refusal, body, &of());
        }
        let content = &operation["responses"][status.to_string()]["content"][kind];
        assert!(!content.is_null(), "not described as {kind}: {}", of());
        let key = format!("{method} {template} {status} {kind}");
        self.check_schema(key, &content["schema"], body, &of());
    }

    fn check_schema(&self, key: String, schema: &Value, body: &Value, of: &str) {
        let mistakes: Vec<String> = self
            .validator(key, schema)
            .iter_errors(body)
            .map(|mistake| format!("{}: {mistake}", mistake.instance_path()))
            .collect();
        assert!(mistakes.is_empty(), "{}\n{of}", mistakes.join("\n"));
    }

    /// The path's template: the one with the fewest parameters that fits.
    fn template(&self, path: &str) -> Option<&str> {
        let paths = self.document["paths"].as_object().unwrap().keys();
        let fits = |template: &&String| {
            let (ours, theirs) = (template.split('/'), path.split('/'));
            ours.clone().count() == theirs.clone().count()
                && ours.zip(theirs).all(|(ours, theirs)| {
                    ours == theirs || (ours.starts_with('{') && !theirs.is_empty())
                })
        };
        let parameters = |template: &&String| template.matches('{').count();
        paths
            .filter(fits)
            .min_by_key(parameters)
            .map(String::as_str)
    }

    fn validator(&self, key: String, schema: &Value) -> Arc<jsonschema::Validator> {
        let mut validators = self.validators.lock().unwrap();
        let made = validators.entry(key).or_insert_with(|| {
            let mut schema = schema.clone();
            schema["components"] = self.document["components"].clone();
            let options = jsonschema::options().should_validate_formats(true);
            Arc::new(options.build(&schema).unwrap())
        });
        Arc::clone(made)
    }
}
