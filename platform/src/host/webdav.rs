//! A volume by WebDAV (RFC 4918), for reading, behind a name and a password.
//!
//! WebDAV has files and directories only. A symbolic link is shown as what it leads to, as long as
//! that is a path within the volume; links that lead elsewhere, devices, pipes and sockets are not
//! listed.

mod encode;
mod filesystem;
mod walk;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dav_server::body::Body;
use dav_server::{DavHandler, DavMethodSet};
use headers::authorization::Basic;
use headers::{Authorization, HeaderMapExt};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, RANGE, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq;
use tokio::net::{TcpListener, TcpStream};

use super::server::{Server, runtime};
use crate::volume::Volume;
use encode::bounded_range;
use filesystem::VolumeFileSystem;

/// The bytes of a file that are read at once.
const READ_BYTES: usize = 1 << 20;

/// The time that a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The time after which a wrong password is answered.
const WRONG_PASSWORD_DELAY: Duration = Duration::from_millis(500);

/// The time to wait after a connection could not be accepted.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The name and password that clients must give.
#[derive(Clone)]
pub struct Login {
    /// The name to log in with; without `:`.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Login {
    /// Compares with what a client gave, in a time that does not depend on where they differ.
    fn admits(&self, given: &Authorization<Basic>) -> bool {
        let user = self.user.as_bytes().ct_eq(given.username().as_bytes());
        let password = self.password.as_bytes().ct_eq(given.password().as_bytes());
        (user & password).into()
    }
}

/// Serves `volume` by WebDAV at `address` (port 0: a free one) to clients that have the login.
pub fn serve_webdav(
    volume: Arc<dyn Volume>,
    address: SocketAddr,
    login: Login,
) -> io::Result<Server> {
    let runtime = runtime()?;
    let listener = runtime.block_on(TcpListener::bind(address))?;
    let address = listener.local_addr()?;
    let handler = DavHandler::builder()
        .filesystem(Box::new(VolumeFileSystem::new(volume)))
        .methods(DavMethodSet::WEBDAV_RO)
        .hide_symlinks(false)
        .read_buf_size(READ_BYTES)
        .build_handler();
    runtime.spawn(accept(listener, handler, Arc::new(login)));
    Ok(Server::new(runtime, address))
}

async fn accept(listener: TcpListener, handler: DavHandler, login: Arc<Login>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(stream, handler.clone(), Arc::clone(&login)));
            }
            // Out of descriptors, or a client that left: the next connection may succeed.
            Err(_) => tokio::time::sleep(ACCEPT_RETRY_DELAY).await,
        }
    }
}

/// Answers one connection's requests.
async fn serve_connection(stream: TcpStream, handler: DavHandler, login: Arc<Login>) {
    // Only delays; it works without.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let (handler, login) = (handler.clone(), Arc::clone(&login));
        async move { Ok::<_, Infallible>(answer(&handler, &login, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A client that left or sent no valid request: the connection is closed.
    drop(served);
}

async fn answer(
    handler: &DavHandler,
    login: &Login,
    mut request: Request<Incoming>,
) -> Response<Body> {
    if let Some(range) = request.headers_mut().remove(RANGE).as_ref().and_then(bounded_range) {
        request.headers_mut().insert(RANGE, range);
    }
    match request.headers().typed_get::<Authorization<Basic>>() {
        Some(given) if login.admits(&given) => return handler.handle(request).await,
        Some(_) => tokio::time::sleep(WRONG_PASSWORD_DELAY).await,
        None => {}
    }
    let mut refusal = Response::new(Body::from("a name and a password are needed\n"));
    *refusal.status_mut() = StatusCode::UNAUTHORIZED;
    let scheme = HeaderValue::from_static("Basic realm=\"yore\", charset=\"UTF-8\"");
    refusal.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    refusal
}
