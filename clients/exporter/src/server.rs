//! Serves the metrics over HTTP/1.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio::time;

use crate::listener::{Connection, Listener};
use crate::negotiation::format_for;
use crate::readings::Readings;

/// How many connections are served at once. Further ones wait in the queue of the socket.
const MAX_CONNECTIONS: usize = 8;
/// How long a connection may last, from its start to the last byte of the response. The time-out of
/// a scrape is 10 s by default.
const MAX_DURATION: Duration = Duration::from_secs(5);
/// How long the head of a request may be, bytes.
const MAX_HEAD_BYTES: usize = 8_192;
/// How many headers a request may have.
const MAX_HEADERS: usize = 64;
/// The pause after a connection could not be accepted, for example because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves connections without an end.
pub async fn serve(listener: &Listener, readings: Arc<Readings>) -> Infallible {
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed, so there is a permit.
        let permit = Arc::clone(&free).acquire_owned().await;
        let connection = match listener.accept().await {
            Ok(connection) => connection,
            Err(err) => {
                eprintln!("clockbound-exporter: failed to accept a connection: {err}");
                time::sleep(PAUSE).await;
                continue;
            }
        };
        let readings = Arc::clone(&readings);
        tokio::spawn(async move {
            let served = async {
                match connection {
                    Connection::Tcp(stream) => exchange(TokioIo::new(stream), &readings).await,
                    Connection::Unix(stream) => exchange(TokioIo::new(stream), &readings).await,
                }
            };
            // A connection that takes longer is closed.
            let _ = time::timeout(MAX_DURATION, served).await;
            drop(permit);
        });
    }
}

/// One request and its response. Without keep-alive, idle scrapers hold no connection.
async fn exchange(stream: impl Read + Write + Unpin, readings: &Readings) {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(response(&request, readings))
    });
    // An error is one of the scraper: it was sent a status, or has closed the connection.
    let _ = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(stream, service)
        .await;
}

fn response<B>(request: &Request<B>, readings: &Readings) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "the metrics are at /metrics\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "use GET or HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    let accepted = request.headers().get_all(ACCEPT);
    let format = format_for(accepted.iter().filter_map(|value| value.to_str().ok()));
    let mut response = Response::new(Full::from(readings.text(format)));
    let content_type = HeaderValue::from_static(format.content_type());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
