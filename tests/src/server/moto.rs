//! moto's server: Amazon's services in one process, with policies of users.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::{Value, json};

use super::bucket::{BucketAt, boto};
use super::http_process::{HttpProcess, tool};
use crate::machine::Scratch;

/// The keys that count while policies are not enforced.
const ANY_KEYS: [&str; 2] = ["access-of-anybody", "secret-of-anybody"];

/// A running server with a bucket.
pub struct Moto {
    process: HttpProcess,
    _scratch: Scratch,
}

impl Moto {
    /// Starts a server with a bucket named `bucket`.
    pub fn start() -> Self {
        let scratch = Scratch::new();
        let program = tool("YORE_MOTO", "moto").join("bin/moto_server");
        let process = HttpProcess::start(&scratch, move |port| {
            let mut command = Command::new(&program);
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            command
        });
        let moto = Moto { process, _scratch: scratch };
        moto.request("PUT", "/bucket", "");
        moto
    }

    /// Returns the server that tests share which run at the same time, each with a prefix of its own.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Moto>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.upgrade() {
            Some(moto) => moto,
            None => {
                let moto = Arc::new(Moto::start());
                *shared = Arc::downgrade(&moto);
                moto
            }
        }
    }

    /// Returns the bucket with a prefix.
    pub fn at(&self, prefix: &str) -> BucketAt {
        BucketAt {
            endpoint: format!("http://127.0.0.1:{}", self.process.port),
            region: "us-east-1".into(),
            bucket: "bucket".into(),
            prefix: prefix.into(),
            access: ANY_KEYS[0].into(),
            secret: ANY_KEYS[1].into(),
        }
    }

    /// Returns a new bucket in which objects can be locked.
    pub fn bucket_with_lock(&self, name: &str) -> BucketAt {
        let at = BucketAt { bucket: name.into(), ..self.at("") };
        at.s3("create_bucket", json!({"ObjectLockEnabledForBucket": true})).expect("a bucket");
        at
    }

    /// Makes a user with a policy; returns the access key and the secret key.
    pub fn add_user(&self, name: &str, policy: &str) -> [String; 2] {
        let iam = |method: &str, arguments: Value| {
            let at = self.at("");
            boto(&at.endpoint, ANY_KEYS, "iam", method, &arguments).expect("an answer")
        };
        iam("create_user", json!({"UserName": name}));
        let policy = json!({"UserName": name, "PolicyName": "backup", "PolicyDocument": policy});
        iam("put_user_policy", policy);
        let made = iam("create_access_key", json!({"UserName": name}));
        ["AccessKeyId", "SecretAccessKey"]
            .map(|part| made["AccessKey"][part].as_str().expect("a key").to_owned())
    }

    /// Checks signatures and policies from now on.
    pub fn enforce_policies(&self) {
        self.request("POST", "/moto-api/reset-auth", "0");
    }

    /// Makes a request without a signature; it must succeed.
    fn request(&self, method: &str, path: &str, body: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.process.port)).expect("it listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
    }
}
