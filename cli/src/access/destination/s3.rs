//! `s3://BUCKET/PREFIX?endpoint=https://…&region=…`: a repository in a bucket (engine/S3.md).
//!
//! A URL never holds credentials: they come from the usual chain of Amazon's tools, or from a command.

use yore_engine::backend::Guarantee;
use yore_engine::backend::s3::{
    AddressingStyle, CredentialSource, LockMode, ObjectLock, S3, S3Options, ServerEncryption,
};
use zeroize::Zeroizing;

use super::{Destination, joined, percent_decoded};
use crate::failure::{Failure, Outcome};
use crate::text::escape;

/// The variable with a command that prints the JSON of Amazon's `credential_process`.
const CREDENTIALS_COMMAND: &str = "YORE_S3_CREDENTIALS_COMMAND";

/// The form of a URL, for hints.
const FORM: &str = "write s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION";

/// The keys after the question mark.
const KEYS: [&str; 10] = [
    "endpoint",
    "region",
    "style",
    "profile",
    "class",
    "pack-class",
    "sse",
    "kms-key",
    "lock",
    "insecure",
];

/// The longest retention that is understood, in days: a hundred years.
const LONGEST_LOCK: u32 = 36_500;

/// A bucket with a prefix, and how to talk to its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    prefix: String,
    endpoint: Option<String>,
    region: Option<String>,
    style: AddressingStyle,
    profile: Option<String>,
    class: Option<String>,
    pack_class: Option<String>,
    encryption: ServerEncryption,
    lock: Option<ObjectLock>,
    /// The pairs after the question mark as they were given, for messages.
    query: String,
    settings: BucketSettings,
}

/// What the configuration has of a bucket beside its URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketSettings {
    /// The storage class of packs, unless the URL has one.
    pub pack_class: Option<String>,
    /// The command that prints credentials, unless the environment has one.
    pub credentials_command: Option<String>,
    /// Tells whether the store creates an object only if it is absent, as a probe found.
    pub create_if_absent: Option<bool>,
}

impl Bucket {
    /// Adds what the configuration has.
    pub fn configure(&mut self, settings: BucketSettings) {
        if self.pack_class.is_none() {
            self.pack_class.clone_from(&settings.pack_class);
        }
        self.settings = settings;
    }

    /// Returns the URL.
    pub fn location(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        let mark = if self.query.is_empty() { "" } else { "?" };
        let prefix = self.prefix.replace('%', "%25").replace('?', "%3F");
        format!("s3://{}{slash}{prefix}{mark}{}", self.name, self.query)
    }

    /// Returns a prefix inside of this one.
    pub(super) fn inside(&self, parts: &[&str]) -> Self {
        Self { prefix: joined(&self.prefix, parts), ..self.clone() }
    }

    /// Returns the last part of the prefix, or the name of the bucket.
    pub fn short_name(&self) -> String {
        let last = self.prefix.rsplit('/').next().filter(|part| !part.is_empty());
        last.unwrap_or(&self.name).to_owned()
    }

    /// Tells whether its server is this machine.
    pub fn is_on_this_machine(&self) -> bool {
        self.endpoint.as_deref().is_some_and(|endpoint| is_own_host(host_of(endpoint)))
    }

    /// Makes the engine's access to it.
    pub fn backend(&self) -> S3 {
        let command = std::env::var(CREDENTIALS_COMMAND).ok().filter(|line| !line.is_empty());
        let command = command.or_else(|| self.settings.credentials_command.clone());
        let credentials = match command {
            Some(line) => CredentialSource::Command(Zeroizing::new(line)),
            None => CredentialSource::Chain { profile: self.profile.clone() },
        };
        S3::new(S3Options {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            style: self.style,
            credentials,
            class: self.class.clone(),
            pack_class: self.pack_class.clone(),
            encryption: self.encryption.clone(),
            lock: self.lock,
            create_if_absent: match self.settings.create_if_absent {
                Some(true) => Guarantee::Kept,
                Some(false) => Guarantee::Broken,
                None => Guarantee::Unprobed,
            },
            ..S3Options::new(&self.name, &self.prefix)
        })
    }
}

/// Reads what follows `s3://`.
pub fn parse(rest: &[u8], _whole: &[u8]) -> Outcome<Destination> {
    let text = std::str::from_utf8(rest)
        .map_err(|_| Failure::usage("the URL of a bucket is not text in UTF-8", FORM))?;
    let (place, query) = text.split_once('?').unwrap_or((text, ""));
    let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
    if name.contains('@') {
        return Err(credentials_in_url());
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if name.is_empty() || !name.chars().all(is_name) {
        let shown = escape::name(name.as_bytes());
        return Err(Failure::usage(format!("{shown:?} is no name of a bucket"), FORM));
    }
    let mut bucket = Bucket {
        name: name.to_owned(),
        prefix: decoded(prefix)?.trim_matches('/').to_owned(),
        endpoint: None,
        region: None,
        style: AddressingStyle::VirtualHost,
        profile: None,
        class: None,
        pack_class: None,
        encryption: ServerEncryption::Default,
        lock: None,
        query: query.to_owned(),
        settings: BucketSettings::default(),
    };
    read_query(&mut bucket, query)?;
    Ok(Destination::S3(Box::new(bucket)))
}

/// Reads the pairs after the question mark.
fn read_query(bucket: &mut Bucket, query: &str) -> Outcome<()> {
    let (mut style, mut kms_key, mut insecure) = (None, None, false);
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(key) = KEYS.into_iter().find(|known| *known == key) else {
            return Err(unknown_key(key));
        };
        if seen.contains(&key) {
            return Err(Failure::usage(format!("{key} is given twice in the URL"), FORM));
        }
        seen.push(key);
        let value = decoded(value)?;
        if value.is_empty() {
            return Err(Failure::usage(format!("{key} has no value in the URL"), FORM));
        }
        match key {
            "endpoint" => bucket.endpoint = Some(value),
            "region" => bucket.region = Some(value),
            "style" => style = Some(one_of(key, &value, &STYLES)?),
            "profile" => bucket.profile = Some(value),
            "class" => bucket.class = Some(value),
            "pack-class" => bucket.pack_class = Some(value),
            "sse" => bucket.encryption = one_of(key, &value, &encryptions())?,
            "kms-key" => kms_key = Some(value),
            "lock" => bucket.lock = Some(parse_lock(&value)?),
            _ => insecure = one_of(key, &value, &[("true", true), ("false", false)])?,
        }
    }
    // Most servers of one's own have no name for each bucket.
    bucket.style = style.unwrap_or(match bucket.endpoint {
        Some(_) => AddressingStyle::Path,
        None => AddressingStyle::VirtualHost,
    });
    if let Some(key) = kms_key {
        if bucket.encryption != ServerEncryption::Kms(None) {
            let hint = "write sse=aws:kms&kms-key=ID";
            return Err(Failure::usage("kms-key is for the encryption aws:kms alone", hint));
        }
        bucket.encryption = ServerEncryption::Kms(Some(key));
    }
    bucket.endpoint.as_deref().map_or(Ok(()), |endpoint| check_endpoint(endpoint, insecure))
}

/// The values of `style`.
const STYLES: [(&str, AddressingStyle); 2] =
    [("path", AddressingStyle::Path), ("virtual", AddressingStyle::VirtualHost)];

/// The values of `sse`.
fn encryptions() -> [(&'static str, ServerEncryption); 2] {
    [("AES256", ServerEncryption::Store), ("aws:kms", ServerEncryption::Kms(None))]
}

/// Finds a value in a table.
fn one_of<T: Clone>(key: &str, value: &str, known: &[(&str, T)]) -> Outcome<T> {
    if let Some((_, found)) = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(value)) {
        return Ok(found.clone());
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let shown = escape::name(value.as_bytes());
    Err(Failure::usage(
        format!("{key}={shown} is not understood"),
        format!("write {key}={}", names.join(&format!(" or {key}="))),
    ))
}

/// Reads `compliance:30d` or `governance:30d`.
fn parse_lock(value: &str) -> Outcome<ObjectLock> {
    let modes = [("compliance", LockMode::Compliance), ("governance", LockMode::Governance)];
    let lock = value.split_once(':').and_then(|(mode, days)| {
        let (_, mode) = modes.into_iter().find(|(name, _)| *name == mode)?;
        let days = days.strip_suffix('d')?.parse().ok()?;
        (1..=LONGEST_LOCK).contains(&days).then_some(ObjectLock { mode, days })
    });
    lock.ok_or_else(|| {
        let shown = escape::name(value.as_bytes());
        Failure::usage(
            format!("lock={shown} is not understood"),
            "write the mode and the days, as in lock=compliance:30d or lock=governance:30d",
        )
    })
}

/// Refuses an endpoint that is no URL, that holds credentials, or over which anybody could listen.
fn check_endpoint(endpoint: &str, insecure: bool) -> Outcome<()> {
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    let Some(rest) = rest else {
        let hint = "write endpoint=https://HOST or endpoint=https://HOST:PORT";
        return Err(Failure::usage("the endpoint is no URL of HTTPS", hint));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(credentials_in_url());
    }
    let host = host_of(endpoint);
    let is_own = is_own_host(host);
    if host.is_empty() || (endpoint.starts_with("http://") && !is_own && !insecure) {
        return Err(Failure::usage(
            "the endpoint has no TLS: whoever is on the way sees which objects are read and written",
            "write endpoint=https://…, or add insecure=true on a network that is yours alone",
        ));
    }
    Ok(())
}

/// Returns the host in a URL.
fn host_of(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => authority.split(':').next(),
    };
    host.unwrap_or_default()
}

/// Tells whether a host is this machine.
fn is_own_host(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn unknown_key(key: &str) -> Failure {
    let lower = key.to_ascii_lowercase();
    if ["access", "secret", "token", "password"].iter().any(|word| lower.contains(word)) {
        return credentials_in_url();
    }
    let near = KEYS.into_iter().map(|known| (strsim::damerau_levenshtein(known, &lower), known));
    let shown = escape::name(key.as_bytes());
    let hint = match near.min().filter(|(distance, _)| *distance <= 3) {
        Some((_, known)) => format!("perhaps {known} was meant; known are: {}", KEYS.join(", ")),
        None => format!("known are: {}", KEYS.join(", ")),
    };
    Failure::usage(format!("{shown} is not understood in the URL of a bucket"), hint)
}

/// Makes the failure of a URL with credentials, without repeating them.
fn credentials_in_url() -> Failure {
    Failure::usage(
        "the URL holds credentials, which show in lists of processes and in logs",
        format!(
            "put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, into a profile \
             (profile=NAME), or into a command that prints them ({CREDENTIALS_COMMAND})"
        ),
    )
}

fn decoded(text: &str) -> Outcome<String> {
    String::from_utf8(percent_decoded(text.as_bytes()))
        .map_err(|_| Failure::usage("the URL of a bucket is not text in UTF-8", FORM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(rest: &str) -> Bucket {
        match parse(rest.as_bytes(), b"") {
            Ok(Destination::S3(bucket)) => *bucket,
            Ok(other) => panic!("{rest}: {other:?}"),
            Err(failure) => panic!("{rest}: {failure:?}"),
        }
    }

    fn refusal(rest: &str) -> String {
        let failure = parse(rest.as_bytes(), b"").expect_err(rest);
        format!("{} / {}", failure.what, failure.hint.unwrap_or_default())
    }

    #[test]
    fn a_url_names_the_bucket_and_how_to_talk_to_its_server() {
        let plain = bucket("backups");
        assert_eq!(plain.location(), "s3://backups");
        assert_eq!(
            (plain.style, plain.short_name().as_str()),
            (AddressingStyle::VirtualHost, "backups")
        );
        let text = "b/a/my%20laptop/?endpoint=https://s3.example.org:9000&region=eu&class=STANDARD_IA\
                    &pack-class=GLACIER_IR&sse=aws:kms&kms-key=k1&lock=compliance:30d";
        let full = bucket(text);
        assert_eq!(full.prefix, "a/my laptop");
        assert_eq!(full.short_name(), "my laptop");
        assert_eq!(full.endpoint.as_deref(), Some("https://s3.example.org:9000"));
        assert_eq!(full.style, AddressingStyle::Path, "of a server of one's own");
        assert_eq!(full.class.as_deref(), Some("STANDARD_IA"));
        assert_eq!(full.pack_class.as_deref(), Some("GLACIER_IR"));
        assert_eq!(full.encryption, ServerEncryption::Kms(Some("k1".into())));
        assert_eq!(full.lock, Some(ObjectLock { mode: LockMode::Compliance, days: 30 }));
        assert!(full.location().starts_with("s3://b/a/my laptop?endpoint="));
        let odd = bucket("b/100%25?region=eu").location();
        assert_eq!(odd, "s3://b/100%25?region=eu", "it is read back as the same");
        let chosen = bucket("b?endpoint=https://h&style=virtual");
        assert_eq!(chosen.style, AddressingStyle::VirtualHost);
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_known_one() {
        assert!(refusal("b?endpiont=https://h").contains("perhaps endpoint was meant"));
        assert!(refusal("b?packclass=X").contains("perhaps pack-class was meant"));
        assert!(refusal("b?zzzzzzzz=1").contains("known are: endpoint"));
        for wrong in [
            "",
            "/x",
            "b ucket",
            "b?region=",
            "b?region=a&region=b",
            "b?style=odd",
            "b?lock=30d",
            "b?lock=compliance:0d",
            "b?kms-key=k",
            "b?endpoint=h:9000",
            "b?endpoint=https://",
        ] {
            assert!(parse(wrong.as_bytes(), b"").is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        for rest in [
            "AKIAHIDDEN:hidden@bucket/x",
            "b?access-key=AKIAHIDDEN&secret-key=hidden",
            "b?aws_secret_access_key=hidden",
            "b?endpoint=https://AKIAHIDDEN:hidden@h",
        ] {
            let text = refusal(rest).to_lowercase();
            assert!(text.contains("the url holds credentials"), "{text}");
            assert!(!text.contains("hidden"), "{text}");
        }
    }

    #[test]
    fn a_server_without_tls_is_refused_unless_it_is_this_machine() {
        for own in ["http://127.0.0.1:9000", "http://localhost:1", "http://[::1]:9000"] {
            bucket(&format!("b?endpoint={own}"));
        }
        assert!(refusal("b?endpoint=http://nas:9000").contains("no TLS"));
        assert!(refusal("b?endpoint=http://127.0.0.1.example.org").contains("no TLS"));
        bucket("b?endpoint=http://nas:9000&insecure=true");
    }
}
