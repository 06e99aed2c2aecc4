//! A server of a volume on a local port, which needs no driver.

use std::io;
use std::net::SocketAddr;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// The number of threads that accept requests; the answers are made on threads of their own.
const THREADS: usize = 2;

/// The number of requests that are answered at once; more wait.
const MAX_BLOCKING_THREADS: usize = 32;

/// A running server of a volume.
pub struct Server {
    runtime: Runtime,
    address: SocketAddr,
    stop: watch::Sender<Running>,
}

/// A handle that ends the serving, for any thread.
#[derive(Clone)]
pub struct ServerHandle {
    stop: watch::Sender<Running>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    Yes,
    No,
}

/// Starts the threads that serve.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(MAX_BLOCKING_THREADS)
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

    /// Returns the address at which it is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle that ends the serving.
    pub fn handle(&self) -> ServerHandle {
        ServerHandle { stop: self.stop.clone() }
    }

    /// Serves until a handle ends it. Requests that are not answered then are dropped.
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
