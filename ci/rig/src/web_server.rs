//! A web server for flows to fetch prompts from and ask, with a path for each way that one can behave. There is one
//! for the whole process, which it ends with.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use futures::stream;
use serde_json::json;
use std::sync::OnceLock;
use std::time::Duration;

/// What stands for its address in the suite's flows and in the examples.
pub const STAND_FOR_IT: [&str; 3] = [
    "http://127.0.0.1:1",
    "https://billing.example.com",
    "https://duty.example.com",
];

/// `http://127.0.0.1:PORT` of the server, which is started where it does not run yet.
pub fn address() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
                let listener = listener.expect("a port of the loopback");
                let address = listener.local_addr().expect("its address");
                tell.send(format!("http://{address}"))
                    .expect("somebody asks");
                let served = axum::serve(listener, router()).await;
                served.expect("it serves for ever");
            });
        });
        told.recv().expect("the server has started")
    })
}

fn router() -> Router {
    Router::new()
        .route("/prompts/{name}", get(prompt))
        .route("/answers/{kind}", any(answer))
        .route("/accounts/{account}/due", post(due))
        .route("/accounts/{account}/payments", post(pay))
        .route("/acknowledge", post(acknowledge))
}

/// A prompt, or what is none.
async fn prompt(Path(name): Path<String>) -> Response {
    let wav = || crate::prompts::tones(600, &[523.0]);
    match name.as_str() {
        "good.wav" => wav().into_response(),
        "empty.wav" => Bytes::new().into_response(),
        "cut.wav" => wav()[..2_000].to_vec().into_response(),
        "huge.wav" => {
            let megabyte = Bytes::from(vec![0; 1 << 20]);
            let pieces = (0..100).map(move |_| Ok::<_, std::io::Error>(megabyte.clone()));
            Body::from_stream(stream::iter(pieces)).into_response()
        }
        "page.wav" => ([("content-type", "text/html")], "<p>Not here").into_response(),
        "moved.wav" => Redirect::temporary("/prompts/good.wav").into_response(),
        "slow.wav" | "slower.wav" => {
            tokio::time::sleep(Duration::from_secs(6)).await;
            wav().into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What is due of an account of the example `payment`.
async fn due() -> String {
    json!({"vars": {"due": 42.5}}).to_string()
}

/// Takes a payment of what is due, once it is sent with its key.
async fn pay(body: Bytes) -> Response {
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    match (&asked["data"]["amount"], &asked["data"]["key"]) {
        (amount, key) if amount == "42.5" && key.is_string() => json!({"vars": {"receipt": "77"}})
            .to_string()
            .into_response(),
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// Knows one code of the example `oncall`.
async fn acknowledge(body: Bytes) -> String {
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    match asked["data"]["code"] == "4711" {
        true => json!({"vars": {"name": "Ann"}}).to_string(),
        false => json!({"next": "wrong"}).to_string(),
    }
}

/// An application's answer, or what is none.
async fn answer(Path(kind): Path<String>, body: Bytes) -> Response {
    match kind.as_str() {
        "echo" => {
            let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let vars = json!({"heard": asked["data"]["code"], "from_node": asked["node"]});
            json!({"vars": vars, "next": "told"})
                .to_string()
                .into_response()
        }
        "slow" => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            "{}".into_response()
        }
        "hangs" => std::future::pending().await,
        "moved" => Redirect::temporary("/answers/echo").into_response(),
        "long" => vec![b' '; 5 << 20].into_response(),
        "no_json" => "{\"vars\": ".into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
