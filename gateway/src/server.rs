//! Accepting connections, and stopping without cutting anyone off.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::stack::{self, Gateway};

/// Bytes of a request's head at most.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
/// After an accept that failed (no file descriptors left, say), others may close meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long connections without a request get to close.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// Serves until `stop` resolves, then drains: `/readyz` says 503 and new requests are refused while open
/// streams finish, within the configured time.
pub async fn run(listener: TcpListener, gateway: Arc<Gateway>, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &gateway, &graceful, &mut connections) => {}
        () = drained(&gateway, stop) => {}
    }
    drop(listener);
    let _closed_in_time = tokio::time::timeout(CLOSE_TIME, graceful.shutdown()).await;
    // What is cut off now is cancelled and logged as such, before the log is closed.
    connections.shutdown().await;
    if let Some(model) = gateway.model.get() {
        model.engine.drain();
    }
    if let Some(conversations) = &gateway.conversations {
        conversations.flush().await;
    }
}

/// Resolves when the server was told to stop and nobody waits for an answer any more, or waited too long.
async fn drained(gateway: &Gateway, stop: impl Future<Output = ()>) {
    stop.await;
    gateway.drain.begin();
    let waiting = gateway.admission.in_flight();
    tracing::info!(in_flight = waiting, "draining: no new requests");
    if tokio::time::timeout(gateway.config.drain, gateway.admission.idle()).await.is_err() {
        tracing::warn!(cut_off = gateway.admission.in_flight(), "the time to drain is over");
    }
}

/// Accepts for ever. Beyond the most connections the system's own queue holds newcomers.
async fn accept(
    listener: &TcpListener,
    gateway: &Arc<Gateway>,
    graceful: &GracefulShutdown,
    connections: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(gateway.config.limits.max_connections));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(gateway), graceful.watcher(), place));
                // Those that have ended need no keeping.
                while connections.try_join_next().is_some() {}
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, to its end. Dropping it drops the bodies in it, which cancels their generations.
async fn serve(stream: TcpStream, gateway: Arc<Gateway>, watcher: Watcher, place: OwnedSemaphorePermit) {
    // Streamed tokens are tiny packets that must not wait for each other. A socket that refuses is only slower.
    let _only_slower = stream.set_nodelay(true);
    let header_timeout = gateway.config.limits.header_timeout;
    let service = service_fn(move |request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(stack::respond(gateway, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}
