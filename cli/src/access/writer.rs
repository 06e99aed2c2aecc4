//! The installation, user and process that write a snapshot.

use yore_engine::format::ClientId;
use yore_engine::repository::Writer;
use yore_platform::{hostname, process_identity, user_name};

/// Describes this process as the writer of a snapshot, of this machine unless `host` names another.
pub fn writer(client: ClientId, host: Option<String>) -> Writer {
    Writer {
        host: host.unwrap_or_else(hostname),
        user: user_name(),
        client,
        process: process_identity(),
        program: concat!("yore ", env!("CARGO_PKG_VERSION")).into(),
    }
}
