//! Garage: a store that ignores conditions and forgets retentions.

use std::process::Command;

use super::bucket::BucketAt;
use super::http_process::{HttpProcess, tool};
use crate::machine::Scratch;

/// The key of the default bucket; Garage wants them in its own form.
const ACCESS: &str = "GK0123456789abcdef01234567";
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A running server with a bucket.
pub struct Garage {
    process: HttpProcess,
    _scratch: Scratch,
}

impl Garage {
    /// Starts a server with a bucket named `bucket`.
    pub fn start() -> Self {
        let scratch = Scratch::new();
        let program = tool("YORE_GARAGE", "bin/garage");
        let folder = scratch.path().to_owned();
        let process = HttpProcess::start(&scratch, move |port| {
            // Others talk to it on a second port, which nobody does here.
            let rpc = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            let rpc_port = rpc.local_addr().expect("an address").port();
            let text = format!(
                "metadata_dir = {meta:?}\ndata_dir = {data:?}\ndb_engine = \"sqlite\"\n\
                 replication_factor = 1\nrpc_bind_addr = \"127.0.0.1:{rpc_port}\"\n\
                 rpc_public_addr = \"127.0.0.1:{rpc_port}\"\nrpc_secret = \"{SECRET}\"\n\
                 [s3_api]\ns3_region = \"garage\"\napi_bind_addr = \"127.0.0.1:{port}\"\n\
                 root_domain = \".s3.test\"\n",
                meta = folder.join(format!("{port}/meta")),
                data = folder.join(format!("{port}/data")),
            );
            let config = folder.join("garage.toml");
            std::fs::write(&config, text).expect("a file");
            let mut command = Command::new(&program);
            command.arg("--config").arg(config).args(["server", "--single-node"]);
            command.arg("--default-bucket").env("RUST_LOG", "garage=warn");
            command.env("GARAGE_DEFAULT_BUCKET", "bucket");
            command.env("GARAGE_DEFAULT_ACCESS_KEY", ACCESS);
            command.env("GARAGE_DEFAULT_SECRET_KEY", SECRET);
            command
        });
        Garage { process, _scratch: scratch }
    }

    /// Kills the server at once, and starts it again.
    pub fn kill_and_restart(&mut self) {
        self.process.kill_and_restart();
    }

    /// Returns the bucket with a prefix.
    pub fn at(&self, prefix: &str) -> BucketAt {
        BucketAt {
            endpoint: format!("http://127.0.0.1:{}", self.process.port),
            region: "garage".into(),
            bucket: "bucket".into(),
            prefix: prefix.into(),
            access: ACCESS.into(),
            secret: SECRET.into(),
        }
    }
}
