//! Bounds how many connections the server holds: each costs a file descriptor and memory, and whoever
//! can reach the port can open them, token or not.

use super::bounded_writes::BoundedWrites;
use axum_server::accept::Accept;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

/// How long a client may take nothing of what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Takes connections while there are places, and closes those that come when there are none.
#[derive(Clone)]
pub(super) struct ConnectionLimit {
    places: Arc<Semaphore>,
}

impl ConnectionLimit {
    /// A limit of `most` connections at once.
    pub fn new(most: usize) -> Self {
        ConnectionLimit {
            places: Arc::new(Semaphore::new(most)),
        }
    }
}

impl<S> Accept<TcpStream, S> for ConnectionLimit {
    type Stream = BoundedWrites<TcpStream>;
    type Service = Placed<S>;
    type Future = Ready<io::Result<(BoundedWrites<TcpStream>, Placed<S>)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return ready(Err(io::Error::other("too many connections")));
        };
        let placed = Placed {
            service,
            _place: Arc::new(place),
        };
        let prepared = stream.set_nodelay(true);
        ready(prepared.map(|()| (BoundedWrites::new(stream, WRITE_TIMEOUT), placed)))
    }
}

/// The service of one connection, which has its place for as long as it lives.
#[derive(Clone)]
pub(super) struct Placed<S> {
    service: S,
    _place: Arc<OwnedSemaphorePermit>,
}

impl<S: Service<R>, R> Service<R> for Placed<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.service.call(request)
    }
}
