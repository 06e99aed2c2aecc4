//! The file server of s3s: a small server that looks for an object before it writes one.

use std::path::Path;
use std::process::Command;

use super::bucket::BucketAt;
use super::http_process::{HttpProcess, tool};
use crate::machine::Scratch;

/// A running server with a bucket.
pub struct S3s {
    process: HttpProcess,
    _scratch: Scratch,
}

impl S3s {
    /// Starts a server with a bucket named `bucket`.
    pub fn start() -> Self {
        let scratch = Scratch::new();
        let root = scratch.folder("root");
        scratch.folder("root/bucket");
        let process = HttpProcess::start(&scratch, move |port| command(&root, port));
        S3s { process, _scratch: scratch }
    }

    /// Kills the server at once, and starts it again.
    pub fn kill_and_restart(&mut self) {
        self.process.kill_and_restart();
    }

    /// Returns the bucket with a prefix.
    pub fn at(&self, prefix: &str) -> BucketAt {
        BucketAt {
            endpoint: format!("http://127.0.0.1:{}", self.process.port),
            region: "us-east-1".into(),
            bucket: "bucket".into(),
            prefix: prefix.into(),
            access: "ACCESS".into(),
            secret: "SECRET".into(),
        }
    }
}

fn command(root: &Path, port: u16) -> Command {
    let mut command = Command::new(tool("YORE_S3S", "bin/s3s-fs"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--access-key", "ACCESS", "--secret-key", "SECRET"]).arg(root);
    command.env("RUST_LOG", "error");
    command
}
