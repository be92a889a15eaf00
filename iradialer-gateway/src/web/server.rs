//! The HTTPS server.

use super::certificate::{self, CertificateError};
use super::connection_limit::ConnectionLimit;
use super::{WebState, routes};
use crate::app::App;
use crate::config::TlsFiles;
use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long requests under way may take after a stop was asked for.
const GRACE: Duration = Duration::from_secs(5);
/// How many connections are held at once: each may have a request of some size in memory.
const MAX_CONNECTIONS: usize = 512;
/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How long a client may take to send the head of a request, and be idle between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the API can't be served.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// The address is taken, or not ours.
    #[error("web.listen: {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// There is no usable certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// A server that has its port and its certificate, and takes no requests yet.
pub struct BoundWeb {
    listener: TcpListener,
    address: SocketAddr,
    tls: RustlsConfig,
    files: TlsFiles,
    routes: Router,
}

/// Takes the port and reads the certificate.
pub fn bind(app: App) -> Result<BoundWeb, WebError> {
    let config = Arc::clone(&app.config);
    let files = certificate::files(&config.web, &config.data_dir)?;
    let tls = certificate::server_config(&files)?;
    let address = config.web.listen;
    let unusable = |error| WebError::Listen { address, error };
    let listener = TcpListener::bind(address).map_err(unusable)?;
    listener.set_nonblocking(true).map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    let state = WebState::new(app);
    Ok(BoundWeb {
        listener,
        address,
        tls: RustlsConfig::from_config(Arc::new(tls)),
        files,
        routes: routes::served(state),
    })
}

impl BoundWeb {
    /// `https://ADDRESS:PORT`, with the port that was taken.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate it shows.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// Serves until `stop`, then lets requests under way finish.
    pub async fn run(self, stop: CancellationToken) {
        let handle = Handle::new();
        let stopper = handle.clone();
        tokio::spawn(async move {
            stop.cancelled().await;
            stopper.graceful_shutdown(Some(GRACE));
        });
        let acceptor = RustlsAcceptor::new(self.tls)
            .handshake_timeout(HANDSHAKE_TIMEOUT)
            .acceptor(ConnectionLimit::new(MAX_CONNECTIONS));
        let mut server = match axum_server::from_tcp(self.listener) {
            // HTTP/1.1 alone: every wait for a client has its limit there, also the one for a first
            // byte. Telling the versions apart has none.
            Ok(server) => server.acceptor(acceptor).http1_only().handle(handle),
            Err(error) => return tracing::error!(%error, "the HTTPS server could not start"),
        };
        server
            .http_builder()
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD_BYTES);
        if let Err(error) = server.serve(self.routes.into_make_service()).await {
            tracing::error!(%error, "the HTTPS server ended");
        }
    }
}
