//! The log-in of a user with a key: of a file, or of the agent.

use std::io;
use std::sync::Arc;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key};
use yore_platform::LocalSocket;
use zeroize::Zeroizing;

use super::connection::{SshError, of_russh};
use super::host_keys::HostKeys;
use super::options::{AgentKeys, Identity, SshHost};
use crate::backend::sftp::failure::Refused;

/// The largest file that is read as a private key, in bytes.
const LARGEST_KEY: u64 = 64 << 10;

/// The keys that an agent has, and the agent itself.
struct Agent {
    client: AgentClient<LocalSocket>,
    keys: Vec<PublicKey>,
}

/// A private key as its file has it.
enum Loaded {
    /// It can be used.
    Plain(Box<PrivateKey>),
    /// It needs a passphrase; its public part is known, unless the format hides that, too.
    Encrypted(Option<PublicKey>),
}

/// An attempt to log in with several keys.
struct LogIn<'c> {
    connection: &'c mut Handle<HostKeys>,
    host: &'c SshHost,
    agent: Option<Agent>,
    /// The hash for RSA keys, once the server was asked.
    rsa_hash: Option<Option<HashAlg>>,
    tried: Vec<PublicKey>,
    /// The server refused a key, so that it is the keys and not the connection that fails.
    was_refused: bool,
    /// The reasons why keys were not accepted.
    reasons: Vec<String>,
}

/// Logs in with the first key that the server accepts.
pub(super) async fn log_in(connection: &mut Handle<HostKeys>, host: &SshHost) -> io::Result<()> {
    let mut reasons = Vec::new();
    let agent = match &host.agent {
        None => None,
        Some(socket) => match open_agent(socket).await {
            Ok(agent) => Some(agent),
            Err(error) => {
                reasons.push(format!("the agent at {}: {error}", socket.display()));
                None
            }
        },
    };
    let tried = Vec::new();
    let mut attempt =
        LogIn { connection, host, agent, rsa_hash: None, tried, was_refused: false, reasons };
    for identity in &host.identities {
        if attempt.with_identity(identity).await? {
            return Ok(());
        }
    }
    if host.agent_keys == AgentKeys::All && attempt.with_other_agent_keys().await? {
        return Ok(());
    }
    Err(attempt.refused())
}

async fn open_agent(socket: &std::path::Path) -> io::Result<Agent> {
    let stream = yore_platform::connect_local_socket(socket).await?;
    let mut client = AgentClient::connect(stream);
    let identities = client.request_identities().await.map_err(io::Error::other)?;
    let key = |identity| match identity {
        AgentIdentity::PublicKey { key, .. } => Some(key),
        AgentIdentity::Certificate { .. } => None,
    };
    Ok(Agent { client, keys: identities.into_iter().filter_map(key).collect() })
}

impl LogIn<'_> {
    async fn with_identity(&mut self, identity: &Identity) -> io::Result<bool> {
        let loaded = match load(identity) {
            Ok(loaded) => loaded,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => {
                self.reasons.push(format!("{}: {error}", identity.name()));
                return Ok(false);
            }
        };
        let public = match &loaded {
            Loaded::Plain(key) => Some(key.public_key().clone()),
            Loaded::Encrypted(public) => public.clone(),
        };
        if let Some(public) = public
            && self.agent_has(&public)
        {
            return self.with_agent_key(&public).await;
        }
        match loaded {
            Loaded::Plain(key) => self.with_key(*key, &identity.name()).await,
            Loaded::Encrypted(_) => {
                self.reasons.push(format!(
                    "{} is protected by a passphrase, and no agent has it (ssh-add makes one have it)",
                    identity.name()
                ));
                Ok(false)
            }
        }
    }

    fn agent_has(&self, public: &PublicKey) -> bool {
        let agent = self.agent.as_ref();
        agent.is_some_and(|agent| agent.keys.iter().any(|key| same(key, public)))
    }

    async fn with_other_agent_keys(&mut self) -> io::Result<bool> {
        let keys = self.agent.as_ref().map(|agent| agent.keys.clone()).unwrap_or_default();
        for key in keys {
            let is_new = !self.tried.iter().any(|tried| same(tried, &key));
            if is_new && self.with_agent_key(&key).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn with_agent_key(&mut self, key: &PublicKey) -> io::Result<bool> {
        let hash = self.hash_for(key).await?;
        let Some(agent) = self.agent.as_mut() else { return Ok(false) };
        self.tried.push(key.clone());
        let user = self.host.user.clone();
        let signer = &mut agent.client;
        let signed =
            self.connection.authenticate_publickey_with(user, key.clone(), hash, signer).await;
        match signed {
            Ok(result) => Ok(self.is_accepted(&result, "a key of the agent")),
            Err(error) => {
                self.reasons.push(format!("the agent did not sign: {error}"));
                Ok(false)
            }
        }
    }

    async fn with_key(&mut self, key: PrivateKey, name: &str) -> io::Result<bool> {
        let hash = self.hash_for(key.public_key()).await?;
        self.tried.push(key.public_key().clone());
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        let result = self.connection.authenticate_publickey(self.host.user.clone(), key).await;
        let result = result.map_err(of_russh)?;
        Ok(self.is_accepted(&result, name))
    }

    fn is_accepted(&mut self, result: &AuthResult, name: &str) -> bool {
        match result {
            AuthResult::Success => return true,
            // The library's answer for a connection that ended.
            AuthResult::Failure { remaining_methods, .. } if remaining_methods.is_empty() => {
                return false;
            }
            AuthResult::Failure { partial_success: true, .. } => {
                self.reasons.push(format!("{name} is not enough for the server"));
            }
            AuthResult::Failure { .. } => {
                self.reasons.push(format!("the server does not accept {name}"));
            }
        }
        self.was_refused = true;
        false
    }

    /// Returns the hash with which an RSA key signs: the best that the server knows.
    async fn hash_for(&mut self, key: &PublicKey) -> io::Result<Option<HashAlg>> {
        if !key.algorithm().is_rsa() {
            return Ok(None);
        }
        if self.rsa_hash.is_none() {
            let best = self.connection.best_supported_rsa_hash().await.map_err(of_russh)?;
            self.rsa_hash = Some(best.unwrap_or(Some(HashAlg::Sha256)));
        }
        Ok(self.rsa_hash.flatten())
    }

    fn refused(self) -> io::Error {
        if self.connection.is_closed() && !self.was_refused {
            let text = "the server closed the connection";
            return io::Error::new(io::ErrorKind::ConnectionReset, text);
        }
        let (host, user) = (self.host.address.clone(), self.host.user.clone());
        let reason = match self.reasons.is_empty() {
            true => "there is no key: neither a file nor an agent has one".to_owned(),
            false => self.reasons.join("; "),
        };
        Refused::LogIn { host, user, reason }.into()
    }
}

fn same(one: &PublicKey, other: &PublicKey) -> bool {
    one.key_data() == other.key_data()
}

fn load(identity: &Identity) -> io::Result<Loaded> {
    match identity {
        Identity::Text { text, .. } => parse(text),
        Identity::File(path) => {
            let file = std::fs::File::open(path)?;
            let mut text = Zeroizing::new(String::with_capacity(LARGEST_KEY as usize));
            io::Read::read_to_string(&mut io::Read::take(file, LARGEST_KEY), &mut text)?;
            let loaded = parse(&text)?;
            if let Loaded::Encrypted(None) = loaded {
                // The file beside it has the public part.
                let mut public = path.clone().into_os_string();
                public.push(".pub");
                let text = std::fs::read_to_string(public).unwrap_or_default();
                return Ok(Loaded::Encrypted(PublicKey::from_openssh(&text).ok()));
            }
            Ok(loaded)
        }
    }
}

fn parse(text: &str) -> io::Result<Loaded> {
    if let Ok(key) = PrivateKey::from_openssh(text) {
        return Ok(match key.is_encrypted() {
            true => Loaded::Encrypted(Some(key.public_key().clone())),
            false => Loaded::Plain(Box::new(key)),
        });
    }
    if text.contains("ENCRYPTED") {
        return Ok(Loaded::Encrypted(None));
    }
    match decode_secret_key(text, None) {
        Ok(key) => Ok(Loaded::Plain(Box::new(key))),
        Err(russh::keys::Error::KeyIsEncrypted) => Ok(Loaded::Encrypted(None)),
        // The cause may cite the key.
        Err(_) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is no private key that is known"))
        }
    }
}

impl From<SshError> for io::Error {
    fn from(error: SshError) -> Self {
        error.0
    }
}
