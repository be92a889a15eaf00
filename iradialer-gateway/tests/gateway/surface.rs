//! Bad input over the whole surface, made from what the gateway says of itself: every path, parameter and field gets what
//! it is not made for. Each time the answer is a refusal with a name, and never a fault of ours; what it says is held
//! against the description like every other answer.

use crate::described::described;
use crate::gateway::{Answer, CONFIG, Gateway, Site, send};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// Paths whose answers are no JSON, or have no end.
const OTHERS: [&str; 5] = [
    "/api/stream",
    "/metrics",
    "/api/docs",
    "/api/docs/page.css",
    "/api/docs/page.js",
];

/// What no field is.
fn odd_values() -> Vec<Value> {
    let mut values = vec![
        json!(-1),
        json!(1.5),
        json!(i64::MIN),
        json!(u32::MAX),
        json!(u64::from(u32::MAX) + 1),
        json!(1_u64 << 53),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(true),
        json!([]),
        json!([[], {}, null]),
        json!({ "a": { "b": [1] } }),
        json!("\u{0}"),
        json!("\u{202e}\u{feff}\u{1f4de}"),
        json!("'; DROP TABLE calls; --"),
        json!("../../etc/passwd"),
    ];
    values.push(json!("x".repeat(10_000)));
    values
}

/// Bodies that are not what a body has to be, with how they are sent.
fn broken_bodies() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    let json = "application/json";
    let text = |text: &str| text.as_bytes().to_vec();
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    vec![
        (text(""), json, ""),
        (text("{"), json, ""),
        (text("[]"), json, ""),
        (text("null"), json, ""),
        (text("\"text\""), json, ""),
        (text("{} {}"), json, ""),
        (text("{\"a\":1,\"a\":2}"), json, ""),
        (text("{\"a\":NaN}"), json, ""),
        (text("{\"a\":1e999}"), json, ""),
        (text("{\"a\":\"\\ud800\"}"), json, ""),
        (b"{\"a\":\"\xff\xfe\"}".to_vec(), json, ""),
        (text(&deep), json, ""),
        (text("{}"), "text/plain", ""),
        (text("a=1"), "application/x-www-form-urlencoded", ""),
        (text("{}"), json, "gzip"),
        (vec![b' '; 700 * 1024], json, ""),
    ]
}

struct Surface {
    gateway: Gateway,
    token: String,
}

impl Surface {
    async fn start() -> Surface {
        let site = Site::new(CONFIG);
        let made = ["token", "create", "--tenant", "acme", "--role", "admin"];
        let made = site.run(&made).await;
        assert!(made.status.success(), "{made:?}");
        let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        Surface {
            gateway: site.start().await,
            token,
        }
    }

    fn request(&self, method: &Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.gateway.url);
        let request = self.gateway.client.request(method.clone(), url);
        request.bearer_auth(&self.token)
    }

    /// Every operation, by method, template and itself.
    async fn operations(&self) -> Vec<(Method, String, Value)> {
        let url = self.gateway.url.parse().unwrap();
        let described = described(&self.gateway.client, &url).await;
        let operations = described.operations().into_iter();
        let own = operations.filter(|(_, path, _)| !OTHERS.contains(path));
        own.map(|(method, path, operation)| (method, path.to_owned(), operation.clone()))
            .collect()
    }
}

/// The path with its parameters filled in.
fn filled(template: &str, with: &str) -> String {
    let parts = template.split('/').map(|part| match part.starts_with('{') {
        true => with,
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A refusal that a program can act on.
fn is_refused(answer: &Answer, of: &str) {
    // What is published and not there yet says so.
    let is_refusal = answer.status.is_client_error() || answer.status == 501;
    assert!(is_refusal, "{of}: {answer:?}");
    let name = answer.body["error"]["name"].as_str().unwrap_or_default();
    assert!(!name.is_empty(), "{of}: {answer:?}");
    let said = answer.body["status"].as_str().unwrap_or_default();
    assert!(said.len() < 2_000, "{of}: it says all of it again");
    if answer.status == 422 {
        assert!(
            answer.body["error"]["field"].is_string(),
            "{of}: {answer:?}"
        );
    }
}

/// No fault of ours: taken, or refused with a name.
fn is_no_fault(answer: &Answer, of: &str) {
    match answer.status.is_success() {
        true => {}
        false => is_refused(answer, of),
    }
}

const A_UUID: &str = "01a1fc2f-bd5c-702b-b769-11f559dde487";

#[tokio::test(flavor = "multi_thread")]
async fn broken_bodies_are_refused_everywhere() {
    let surface = Surface::start().await;
    for (method, template, operation) in surface.operations().await {
        if operation.get("requestBody").is_none() {
            continue;
        }
        let is_required = operation["requestBody"]["required"] == true;
        let path = filled(&template, A_UUID);
        for (body, kind, encoding) in broken_bodies() {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let of = format!("{method} {path} {kind} {encoding} {shown}");
            if body.is_empty() && !is_required {
                continue;
            }
            let request = surface
                .request(&method, &path)
                .header(CONTENT_TYPE, kind)
                .body(body);
            let request = match encoding {
                "" => request,
                encoding => request.header(CONTENT_ENCODING, encoding),
            };
            is_refused(&send(request).await, &of);
        }
    }
    still_works(&surface).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_values_of_every_field_are_no_fault_of_ours() {
    let surface = Surface::start().await;
    let url = surface.gateway.url.parse().unwrap();
    let described = described(&surface.gateway.client, &url).await;
    for (method, template, operation) in surface.operations().await {
        let path = filled(&template, A_UUID);
        let Some(fields) = described.body_fields(&operation) else {
            continue;
        };
        let unknown = json!({ "nonesuch\u{0}": 1 });
        let request = surface.request(&method, &path).json(&unknown);
        is_refused(&send(request).await, &format!("{method} {path} {unknown}"));
        for field in fields {
            for value in odd_values() {
                let body = json!({ &field: value });
                let of = format!("{method} {path} {:.80}", body.to_string());
                is_no_fault(
                    &send(surface.request(&method, &path).json(&body)).await,
                    &of,
                );
            }
        }
    }
    still_works(&surface).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_paths_and_queries_are_no_fault_of_ours() {
    let surface = Surface::start().await;
    let long = "x".repeat(3_000);
    let odd = [
        "x",
        "-1",
        "0",
        "1",
        "4294967296",
        "18446744073709551616",
        "1e9",
        "%00",
        "%FF",
        "%C3%28",
        "..%2F..",
        "'%20OR%201=1",
        "%E2%80%AE",
        A_UUID,
        &long,
    ];
    for (method, template, operation) in surface.operations().await {
        if template.contains('{') {
            for with in odd {
                let path = filled(&template, with);
                let request = surface.request(&method, &path);
                let answer = send(request.json(&json!({}))).await;
                is_no_fault(&answer, &format!("{method} {path:.200}"));
            }
        }
        if method != Method::GET {
            continue;
        }
        let path = filled(&template, A_UUID);
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let of_query = parameters.filter(|parameter| parameter["in"] == "query");
        for name in of_query.map(|parameter| parameter["name"].as_str().unwrap()) {
            for with in odd {
                let path = format!("{path}?{name}={with}");
                is_no_fault(
                    &send(surface.request(&method, &path)).await,
                    &format!("{path:.200}"),
                );
            }
            let twice = format!("{path}?{name}=1&{name}=1");
            is_refused(&send(surface.request(&method, &twice)).await, &twice);
        }
    }
    still_works(&surface).await;
}

async fn still_works(surface: &Surface) {
    let ready = send(surface.request(&Method::GET, "/readyz")).await;
    assert_eq!(ready.status, 200, "{ready:?}");
    let log = surface.gateway.site().log_text();
    for not in ["panicked", "a request failed"] {
        assert!(!log.contains(not), "{log}");
    }
}
