//! Servers on this machine's loopback address, which end with the test that starts them.

mod bucket;
mod databases;
mod faults;
#[cfg(feature = "garage")]
mod garage;
mod http_process;
mod killed_mirrors;
mod moto;
mod podman;
mod process;
mod proxy;
mod rclone;
mod s3s;
mod sinks;
mod sshd;

pub use bucket::{BucketAt, boto};
pub use databases::DatabaseServer;
pub use faults::{Action, Exchange, FaultyProxy};
#[cfg(feature = "garage")]
pub use garage::Garage;
pub use http_process::HttpProcess;
pub use killed_mirrors::{Kills, kill_at_random};
pub use moto::Moto;
pub use podman::Podman;
pub use process::{ServerProcess, free_port};
pub use proxy::{Direction, Link, LinkCounts, Proxy};
pub use rclone::{RcloneRemotes, serves as serves_remote};
pub use s3s::S3s;
pub use sinks::MessageSink;
pub use sshd::{Sshd, SshdSettings, make_key};
