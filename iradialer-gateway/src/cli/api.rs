//! The HTTPS API, as its commands reach it: `call`, `calls` and `tail` see what any other client sees.

use super::terminal::plain;
use super::{Common, Failure};
use crate::ready_file::ReadyFile;
use clap::Args;
use reqwest::{Certificate, Client, Method, RequestBuilder, Response};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// The variable that holds a token.
const TOKEN: &str = "IRADIALER_TOKEN";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a request that may be repeated is.
const TRIES: u32 = 3;
/// The pause before it is.
const PAUSE: Duration = Duration::from_millis(500);

/// How to reach the API.
#[derive(Args)]
pub(super) struct Reach {
    #[command(flatten)]
    common: Common,
    /// The API, https://HOST:PORT; that of the gateway that runs with the data directory by default.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The certificate to trust, in PEM; the authorities of this machine by default, where there is a --url.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A file that holds the token; the variable IRADIALER_TOKEN by default.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The tenant to act for, with the token of an admin or operator.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

/// The API, and who we are to it.
pub(super) struct Api {
    client: Client,
    url: String,
    token: String,
    tenant: Option<String>,
}

impl Reach {
    /// Finds the API and the token.
    pub fn api(self) -> Result<Api, Failure> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let token = match &self.token_file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| format!("--token-file: {}: {error}", file.display()))?,
            None => std::env::var(TOKEN).map_err(|_| {
                format!(
                    "a token is needed: put one into {TOKEN} or a file for --token-file; `iradialer-gateway \
                     token create --tenant NAME` makes one"
                )
            })?,
        };
        let (url, ca) = match self.url {
            Some(url) => (url, self.ca),
            None => {
                let data_dir = self.common.load()?.data_dir;
                let ready = ReadyFile::read(&data_dir).ok_or_else(|| {
                    format!(
                        "no gateway runs with the data directory {}: give its --url, or its --data-dir",
                        data_dir.display()
                    )
                })?;
                (ready.https, Some(self.ca.unwrap_or(ready.cert)))
            }
        };
        Ok(Api {
            client: client(ca)?,
            url: url.trim_end_matches('/').to_owned(),
            token: token.trim().to_owned(),
            tenant: self.tenant,
        })
    }
}

fn client(ca: Option<PathBuf>) -> Result<Client, Failure> {
    let builder = Client::builder()
        .user_agent(concat!("iradialer-gateway/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(5));
    let builder = match ca {
        Some(file) => {
            let in_file = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
            let pem = std::fs::read(&file).map_err(|error| in_file(&error))?;
            let chain = Certificate::from_pem_bundle(&pem).map_err(|error| in_file(&error))?;
            builder.tls_certs_only(chain)
        }
        None => builder,
    };
    Ok(builder.build()?)
}

impl Api {
    /// Reads something.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, None, &[]).await
    }

    /// Asks for something that may be asked for again without harm.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&'static str, &str)],
    ) -> Result<Value, Failure> {
        self.send(Method::POST, path, Some(body), headers).await
    }

    /// Begins to read an answer that does not end.
    pub async fn stream(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Response, Failure> {
        let mut request = self.request(Method::GET, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.unanswered(&error))?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(refusal(&answer.text().await.unwrap_or_default()).into()),
        }
    }

    /// Sends a request, and again where no answer came.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, &str)],
    ) -> Result<Value, Failure> {
        let mut tried = 1;
        loop {
            let mut request = self.request(method.clone(), path).timeout(PATIENCE);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            match request.send().await {
                Ok(answer) => return read(answer).await,
                Err(_) if tried < TRIES => tried += 1,
                Err(error) => return Err(self.unanswered(&error).into()),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.url);
        let request = self.client.request(method, url).bearer_auth(&self.token);
        match &self.tenant {
            Some(tenant) => request.header("x-tenant-id", tenant),
            None => request,
        }
    }

    fn unanswered(&self, error: &reqwest::Error) -> String {
        let mut why = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            why = cause.to_string();
            source = cause.source();
        }
        format!(
            "{} does not answer: {why}; `iradialer-gateway doctor` says more",
            self.url
        )
    }
}

/// The answer, or why it was refused.
async fn read(answer: Response) -> Result<Value, Failure> {
    let status = answer.status();
    let text = answer.text().await?;
    match status.is_success() {
        true => Ok(serde_json::from_str(&text)?),
        false => Err(refusal(&text).into()),
    }
}

/// What a refusal says, for a person.
fn refusal(text: &str) -> String {
    let Ok(body) = serde_json::from_str::<Map<String, Value>>(text) else {
        return format!("an answer that is not ours: {}", plain(text));
    };
    let said = body
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or("refused");
    let id = body.get("request_id").and_then(Value::as_str);
    match id {
        Some(id) => format!("{} (request {id})", plain(said)),
        None => plain(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_sentence() {
        let body =
            r#"{"status": "to_number: expected 3 to 15 digits, got \"x\"", "request_id": "7"}"#;
        let said = refusal(body);
        assert_eq!(
            said,
            "to_number: expected 3 to 15 digits, got \"x\" (request 7)"
        );
        assert_eq!(refusal("<html>\x1b"), "an answer that is not ours: <html> ");
    }
}
