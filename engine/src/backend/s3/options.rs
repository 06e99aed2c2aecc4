//! The options of a destination in a bucket.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::backend::Guarantee;

/// The options of a destination in a bucket; [`S3Options::new`] has the usual ones.
pub struct S3Options {
    /// The bucket, which must exist.
    pub bucket: String,
    /// The beginning of every key, without a slash at either end; empty for the whole bucket.
    pub prefix: String,
    /// The URL of the server; `None` for Amazon's.
    pub endpoint: Option<String>,
    /// The region; `None` for the one of the environment or the profile, or `us-east-1`.
    pub region: Option<String>,
    /// The place of the bucket's name in a URL.
    pub style: AddressingStyle,
    /// The source of the credentials.
    pub credentials: CredentialSource,
    /// The storage class of packs; `None` for the bucket's own.
    pub pack_class: Option<String>,
    /// The storage class of all other objects, which are small and read often.
    pub class: Option<String>,
    /// The encryption that the server is asked for, beside the repository's own.
    pub encryption: ServerEncryption,
    /// The time for which no object may be deleted or replaced.
    pub lock: Option<ObjectLock>,
    /// The knowledge about [`Capabilities::create_if_absent`](crate::backend::Capabilities::create_if_absent).
    ///
    /// Unless it is kept, the backend looks for an object before it creates one.
    pub create_if_absent: Guarantee,
    /// The most requests at once.
    pub requests: usize,
    /// The limits of time and of attempts.
    pub patience: Patience,
}

/// The place of the bucket's name in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressingStyle {
    /// The first part of the path.
    Path,
    /// The first part of the host name.
    VirtualHost,
}

/// The source of the credentials.
pub enum CredentialSource {
    /// The usual chain of Amazon's tools: environment, profile, SSO, web identity, container, instance.
    Chain {
        /// The profile; `None` for the default one.
        profile: Option<String>,
    },
    /// A command line that prints the JSON of Amazon's `credential_process`.
    Command(Zeroizing<String>),
}

/// The encryption that a server is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerEncryption {
    /// The bucket's own setting.
    Default,
    /// Keys that the store manages (`AES256`).
    Store,
    /// A key of the key management service (`aws:kms`); `None` for the account's default key.
    Kms(Option<String>),
}

/// Object Lock: the retention of every object that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectLock {
    /// The mode of the retention.
    pub mode: LockMode,
    /// The days from the writing of an object until it may be deleted.
    pub days: u32,
}

/// The mode of a retention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// An account with a special permission can end the retention.
    Governance,
    /// Nobody can end or shorten the retention.
    Compliance,
}

/// The limits of time and of attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The time to connect.
    pub connect: Duration,
    /// The time until the answer to a request without a large body begins.
    pub answer: Duration,
    /// The time of one attempt to upload an object or a part of one.
    pub upload: Duration,
    /// The attempts of a request that the caller can make again, with delays that double up to 10 s.
    pub attempts: u32,
    /// The attempts to upload an object or a part of one, whose bytes the caller may not have any more.
    pub upload_attempts: u32,
}

impl Default for Patience {
    /// Returns the usual limits: requests are repeated for some 15 seconds, uploads for some 75.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            upload: Duration::from_secs(600),
            attempts: 8,
            upload_attempts: 20,
        }
    }
}

impl S3Options {
    /// Makes the usual options for a bucket, with the usual chain of credentials.
    pub fn new(bucket: impl Into<String>, prefix: &str) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint: None,
            region: None,
            style: AddressingStyle::VirtualHost,
            credentials: CredentialSource::Chain { profile: None },
            pack_class: None,
            class: None,
            encryption: ServerEncryption::Default,
            lock: None,
            create_if_absent: Guarantee::Unprobed,
            requests: 16,
            patience: Patience::default(),
        }
    }
}
