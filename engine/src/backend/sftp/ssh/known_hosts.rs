//! Files of known hosts, in OpenSSH's format (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

use ring::hmac;
use russh::keys::PublicKey;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};

use super::config::matches;

/// The keys that files of known hosts have for one host.
#[derive(Debug, Default)]
pub(super) struct KnownKeys {
    /// The keys that it may have.
    pub keys: Vec<PublicKey>,
    /// The keys that no host may have any more.
    pub revoked: Vec<PublicKey>,
}

/// The verdict on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The host is known to have it.
    Known,
    /// Nothing is known of the host.
    Unknown,
    /// The host is known to have another.
    Changed,
    /// It must not be used any more.
    Revoked,
}

impl KnownKeys {
    /// Adds what a file has for a host: `name`, or `[name]:port`. Lines that are not understood have no effect.
    pub fn add(&mut self, text: &str, host: &str) {
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Ok(entry) = line.parse::<Entry>() else { continue };
            if !fits(entry.host_patterns(), host) {
                continue;
            }
            match entry.marker() {
                None => self.keys.push(entry.public_key().clone()),
                Some(Marker::Revoked) => self.revoked.push(entry.public_key().clone()),
                // Certificates of hosts are not asked for.
                Some(Marker::CertAuthority) => {}
            }
        }
    }

    /// Judges a key that the host showed.
    ///
    /// A host that is known by keys of other types alone has changed: it is asked for those first, and has none.
    pub fn judge(&self, shown: &PublicKey) -> Verdict {
        let has = |keys: &[PublicKey]| keys.iter().any(|key| key.key_data() == shown.key_data());
        if has(&self.revoked) {
            Verdict::Revoked
        } else if has(&self.keys) {
            Verdict::Known
        } else if self.keys.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Changed
        }
    }
}

fn fits(patterns: &HostPatterns, host: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            // The format has SHA-1, to hide names and not to protect them.
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, host.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let is = |pattern: &str| matches(&pattern.to_lowercase(), host);
            let excluded = patterns.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(is);
            !excluded && patterns.iter().any(|pattern| is(pattern))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const SECOND: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIILIguLeVqHMUgRR1Y2dbIeRPtDVXP0KtzeLZKAaCPSL";
    /// `host.example` and `[host.example]:2222`, as `ssh-keygen -H` hashed them.
    const HASHED: &str = "|1|MDAwMDAwMDAwMDAwMDAwMDAwMDA=|";

    fn judge(text: &str, host: &str) -> Verdict {
        let mut known = KnownKeys::default();
        known.add(text, host);
        known.judge(&PublicKey::from_openssh(FIRST).expect("a key"))
    }

    #[test]
    fn hosts_are_known_by_name_pattern_and_port() {
        for (patterns, host, expected) in [
            ("host", "host", Verdict::Known),
            ("HOST", "host", Verdict::Known),
            ("other,host", "host", Verdict::Known),
            ("*.example", "host.example", Verdict::Known),
            ("*.example,!host.example", "host.example", Verdict::Unknown),
            ("host", "[host]:2222", Verdict::Unknown),
            ("[host]:2222", "[host]:2222", Verdict::Known),
            ("[host]:*", "[host]:2222", Verdict::Known),
            ("hos?", "host", Verdict::Known),
        ] {
            assert_eq!(judge(&format!("{patterns} {FIRST}\n"), host), expected, "{patterns}");
        }
    }

    #[test]
    fn another_key_is_a_change_and_a_revoked_one_is_refused() {
        assert_eq!(judge("", "host"), Verdict::Unknown);
        assert_eq!(judge(&format!("host {SECOND}\n"), "host"), Verdict::Changed);
        let both = format!("# comment\n\nhost {SECOND}\nhost {FIRST} a comment\n");
        assert_eq!(judge(&both, "host"), Verdict::Known);
        let revoked = format!("host {FIRST}\n@revoked * {FIRST}\n");
        assert_eq!(judge(&revoked, "host"), Verdict::Revoked);
        let authority = format!("@cert-authority host {FIRST}\n");
        assert_eq!(judge(&authority, "host"), Verdict::Unknown);
        assert_eq!(judge("host nonsense\nhost\n@ host x\n", "host"), Verdict::Unknown);
    }

    #[test]
    fn hashed_names_are_recognised() {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"00000000000000000000");
        for host in ["host.example", "[host.example]:2222"] {
            let hash = base64(hmac::sign(&key, host.as_bytes()).as_ref());
            let line = format!("{HASHED}{hash} {FIRST}\n");
            assert_eq!(judge(&line, host), Verdict::Known, "{host}");
            assert_eq!(judge(&line, "other"), Verdict::Unknown);
        }
    }

    fn base64(bytes: &[u8]) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            let bits = bits << (8 * (3 - group.len()));
            for place in 0..4 {
                let digit = alphabet[(bits >> (18 - 6 * place) & 63) as usize];
                text.push(if place <= group.len() { char::from(digit) } else { '=' });
            }
        }
        text
    }
}
