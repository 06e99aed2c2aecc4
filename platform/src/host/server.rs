//! Hosts that need no driver: servers of a volume on a local port.

use std::io;
use std::net::SocketAddr;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// How many threads take requests; the answers are made on threads of their own.
const THREADS: usize = 2;

/// How many requests are answered at once; more wait.
const ANSWERED_AT_ONCE: usize = 32;

/// A volume that is being served, from the start to the end.
pub struct Server {
    runtime: Runtime,
    address: SocketAddr,
    stop: watch::Sender<Running>,
}

/// Ends the serving; for any thread.
#[derive(Clone)]
pub struct ServerHandle {
    stop: watch::Sender<Running>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Yes,
    No,
}

/// The threads that serve.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(ANSWERED_AT_ONCE)
        .thread_name("serve")
        .enable_io()
        .enable_time()
        .build()
}

impl Server {
    pub(super) fn new(runtime: Runtime, address: SocketAddr) -> Server {
        let (stop, _) = watch::channel(Running::Yes);
        Server { runtime, address, stop }
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle that ends the serving.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { stop: self.stop.clone() }
    }

    /// Serves until a handle ends it. Requests that are being answered then are broken off.
    pub fn wait(self) {
        let mut stopped = self.stop.subscribe();
        // The sender lives as long as `self`.
        let _ = self.runtime.block_on(stopped.wait_for(|running| *running == Running::No));
        self.runtime.shutdown_background();
    }
}

impl ServerHandle {
    /// Ends the serving.
    pub fn stop(&self) {
        self.stop.send_replace(Running::No);
    }
}
