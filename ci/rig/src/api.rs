//! A client of the gateway's HTTPS API that trusts the gateway's own certificate and nothing else.

use anyhow::{Context, Result, ensure};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

/// The API with a token.
#[derive(Clone)]
pub struct Api {
    http: Client,
    base: String,
    token: String,
    timeout: Duration,
}

/// What the gateway answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; a text where it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The string at a JSON pointer, or nothing.
    pub fn text(&self, pointer: &str) -> &str {
        self.body
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

impl Api {
    /// A client of the gateway at `base` (`https://127.0.0.1:PORT`), whose certificate is in the PEM file
    /// `cert`.
    pub fn new(base: &str, cert: &Path, token: &str) -> Result<Self> {
        use_ring();
        let pem = std::fs::read(cert).with_context(|| format!("reading {}", cert.display()))?;
        let http = Client::builder()
            .tls_certs_only([Certificate::from_pem(&pem)?])
            .no_proxy()
            .build()?;
        Ok(Api {
            http,
            base: base.to_owned(),
            token: token.to_owned(),
            timeout: Duration::from_secs(30),
        })
    }

    /// The same gateway with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Api {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same, with another patience for each request than 30 s.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Api {
            timeout,
            ..self.clone()
        }
    }

    /// The token it sends.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Posts JSON to `path`, such as `/api/makecall`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = self.http.post(format!("{}{path}", self.base)).json(body);
        self.send(request).await
    }

    /// Puts JSON to `path`.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = self.http.put(format!("{}{path}", self.base)).json(body);
        self.send(request).await
    }

    /// Gets `path`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.http.get(format!("{}{path}", self.base)))
            .await
    }

    /// Asks for a call and gives its UUID; a refusal is an error.
    pub async fn make_call(&self, request: &Value) -> Result<String> {
        let answer = self.post("/api/makecall", request).await?;
        ensure!(
            answer.status == 200 && answer.body["status_code"] == 0,
            "makecall {request} was refused: {answer:?}"
        );
        Ok(answer.text("/call_uuid").to_owned())
    }

    /// Asks for a call to be dropped.
    pub async fn drop_call(&self, call: &str) -> Result<Answer> {
        self.post("/api/dropcall", &json!({ "call_uuid": call }))
            .await
    }

    /// The record of a call.
    pub async fn call(&self, call: &str) -> Result<Answer> {
        self.get(&format!("/api/calls/{call}")).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer> {
        let request = request.bearer_auth(&self.token).timeout(self.timeout);
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, body })
    }
}

/// rustls wants to be told once which cryptography to use.
pub(crate) fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error only says that it was set before.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
