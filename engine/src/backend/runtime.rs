//! The threads that run the asynchronous code of remote destinations.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// The threads that encrypt and copy for all connections; waiting takes none.
const THREADS: usize = 2;

/// Runs a future to its end. The caller is a thread of its own, never one of the runtime's.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Returns the runtime of the process; starts it the first time.
pub(super) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("remote").enable_all();
        builder.build().expect("the system has threads and a poll")
    })
}
