//! A bucket at a server on this machine, and the credentials for it.

use std::process::Command;

use serde_json::{Value, json};
use yore_engine::backend::Guarantee;
use yore_engine::backend::s3::{AddressingStyle, CredentialSource, S3, S3Options};

use super::http_process::tool;
use crate::program::Yore;
use crate::project::root;

/// A prefix of a bucket, with credentials.
#[derive(Debug, Clone)]
pub struct BucketAt {
    /// The URL of the server.
    pub endpoint: String,
    /// The region that the server expects.
    pub region: String,
    /// The name of the bucket.
    pub bucket: String,
    /// The prefix of the repository.
    pub prefix: String,
    /// The access key.
    pub access: String,
    /// The secret key.
    pub secret: String,
}

impl BucketAt {
    /// Returns the same bucket at another prefix.
    pub fn at(&self, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..self.clone() }
    }

    /// Returns the same bucket with other credentials.
    pub fn with_keys(&self, [access, secret]: [String; 2]) -> Self {
        Self { access, secret, ..self.clone() }
    }

    /// Returns the same bucket through another address.
    pub fn through(&self, endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), ..self.clone() }
    }

    /// Returns the usual options of a backend, with credentials from a command.
    pub fn options(&self, create_if_absent: Guarantee) -> S3Options {
        let credentials = json!({
            "Version": 1, "AccessKeyId": self.access, "SecretAccessKey": self.secret,
        });
        let command = format!("printf '%s' '{credentials}'");
        S3Options {
            endpoint: Some(self.endpoint.clone()),
            region: Some(self.region.clone()),
            style: AddressingStyle::Path,
            credentials: CredentialSource::Command(command.into()),
            create_if_absent,
            ..S3Options::new(&self.bucket, &self.prefix)
        }
    }

    /// Makes a backend for a server of which something is known.
    pub fn backend(&self, create_if_absent: Guarantee) -> S3 {
        S3::new(self.options(create_if_absent))
    }

    /// Returns the URL, as people write it.
    pub fn url(&self) -> String {
        format!(
            "s3://{}/{}?endpoint={}&region={}&style=path",
            self.bucket, self.prefix, self.endpoint, self.region
        )
    }

    /// Returns a command of the program for this repository.
    pub fn command(&self, yore: &Yore, arguments: &[&str]) -> Command {
        let mut command = yore.command(arguments);
        command.env("YORE_REPO", self.url());
        command.env("AWS_ACCESS_KEY_ID", &self.access).env("AWS_SECRET_ACCESS_KEY", &self.secret);
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// Calls a method of Amazon's own client (boto3) with arguments beside the bucket's name.
    pub fn s3(&self, method: &str, mut arguments: Value) -> Result<Value, String> {
        arguments["Bucket"] = json!(self.bucket);
        boto(&self.endpoint, [&self.access, &self.secret], "s3", method, &arguments)
    }
}

/// Calls a method of Amazon's own client; returns the answer, or the code of the error.
pub fn boto(
    endpoint: &str,
    keys: [&str; 2],
    service: &str,
    method: &str,
    arguments: &Value,
) -> Result<Value, String> {
    let output = Command::new(tool("YORE_MOTO", "moto").join("bin/python"))
        .arg("-B")
        .arg(root().join("tests/oracle/boto.py"))
        .args([endpoint, service, method, &arguments.to_string()])
        .env("AWS_ACCESS_KEY_ID", keys[0])
        .env("AWS_SECRET_ACCESS_KEY", keys[1])
        .output()
        .expect("Python runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{service} {method} {arguments}: {errors}");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("an object");
    match answer["error"].as_str() {
        Some(code) => Err(code.to_owned()),
        None => Ok(answer),
    }
}
