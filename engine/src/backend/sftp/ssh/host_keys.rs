//! The check of the key that a server shows, against files of known hosts.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use russh::client::Handler;
use russh::keys::ssh_key::HashAlg;
use russh::keys::{Algorithm, PublicKey, PublicKeyOrCertificate};
use russh::{Preferred, cipher};

use super::connection::SshError;
use super::known_hosts::{KnownKeys, Verdict};
use super::options::{SshHost, UnknownHosts};
use crate::backend::sftp::failure::Refused;
use crate::error::HostKeyProblem;

/// The ciphers, the fastest of `ring` first.
const CIPHERS: [cipher::Name; 4] =
    [cipher::AES_256_GCM, cipher::CHACHA20_POLY1305, cipher::AES_256_CTR, cipher::AES_128_CTR];

/// The keys that a host may have, as the files tell now.
pub(super) struct HostKeys {
    host: String,
    name: String,
    files: Vec<PathBuf>,
    unknown: UnknownHosts,
}

impl HostKeys {
    /// Prepares the check of a host.
    pub fn of(host: &SshHost, unknown: UnknownHosts) -> Self {
        let files = host.known_hosts.clone();
        Self { host: host.address.clone(), name: host.key_name(), files, unknown }
    }

    fn known(&self) -> io::Result<KnownKeys> {
        let mut known = KnownKeys::default();
        for file in &self.files {
            match fs::read(file) {
                Ok(bytes) => known.add(&String::from_utf8_lossy(&bytes), &self.name),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let text = format!("{}: {error}", file.display());
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
        Ok(known)
    }

    /// Returns the algorithms to negotiate: keys of types that are known come first, as only they can be checked.
    pub fn preferred(&self) -> io::Result<Preferred> {
        let known = self.known()?;
        let is_known = |algorithm: &Algorithm| {
            let is_rsa = algorithm.clone().is_rsa();
            let mut types = known.keys.iter().map(PublicKey::algorithm);
            // One RSA key signs with several hashes.
            types.any(|known| known == *algorithm || (known.is_rsa() && is_rsa))
        };
        let mut algorithms = Preferred::DEFAULT.key.into_owned();
        algorithms.sort_by_key(|algorithm| !is_known(algorithm));
        let cipher = Cow::Borrowed(&CIPHERS[..]);
        Ok(Preferred { key: Cow::Owned(algorithms), cipher, ..Preferred::DEFAULT })
    }

    fn check(&self, key: &PublicKey) -> io::Result<()> {
        let problem = match self.known()?.judge(key) {
            Verdict::Known => return Ok(()),
            Verdict::Unknown if self.unknown == UnknownHosts::Accept => return self.store(key),
            Verdict::Unknown => HostKeyProblem::Unknown,
            Verdict::Changed => HostKeyProblem::Changed,
            Verdict::Revoked => HostKeyProblem::Revoked,
        };
        Err(self.refuse(key, problem))
    }

    fn refuse(&self, key: &PublicKey, problem: HostKeyProblem) -> io::Error {
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        let key_type = key.algorithm().to_string();
        Refused::HostKey { host: self.name.clone(), key_type, fingerprint, problem }.into()
    }

    /// Stores the key of a host that was unknown.
    fn store(&self, key: &PublicKey) -> io::Result<()> {
        /// Keeps two connections from storing the same key.
        static STORE: Mutex<()> = Mutex::new(());
        let _alone = STORE.lock().unwrap_or_else(PoisonError::into_inner);
        if self.known()?.judge(key) == Verdict::Known {
            return Ok(());
        }
        let Some(file) = self.files.first() else {
            return Err(self.refuse(key, HostKeyProblem::Unknown));
        };
        if let Some(folder) = file.parent() {
            yore_platform::create_private_dir(folder)?;
        }
        let mut key = key.clone();
        key.set_comment("");
        let text = key.to_openssh().map_err(io::Error::other)?;
        let old = fs::read(file).unwrap_or_default();
        let separator = if old.is_empty() || old.ends_with(b"\n") { "" } else { "\n" };
        let mut file = fs::File::options().append(true).create(true).open(file)?;
        file.write_all(format!("{separator}{} {}\n", self.name, text.trim_end()).as_bytes())
    }
}

impl Handler for HostKeys {
    type Error = SshError;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, SshError> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.check(key)?;
                Ok(true)
            }
            PublicKeyOrCertificate::Certificate(_) => {
                let text = format!("{} shows a certificate that was not asked for", self.host);
                Err(io::Error::new(io::ErrorKind::InvalidData, text).into())
            }
        }
    }
}
