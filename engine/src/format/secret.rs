//! Secrets that open a repository: a passphrase, a key file, a recovery key.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::format::id::{decode_hex, encode_hex};
use crate::format::keys::{MACHINE_SECRET, random};

/// The kind of a secret, with its number in key slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// A passphrase that a person types; argon2id stretches it.
    Passphrase = 1,
    /// A key in a file, for unattended machines.
    KeyFile = 2,
    /// A printed key, used when all other secrets are lost.
    Recovery = 3,
    /// The key of a write-only machine, in a file. It opens the machine's inbox and nothing else.
    WriteOnly = 4,
}

impl SecretKind {
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [Self::Passphrase, Self::KeyFile, Self::Recovery, Self::WriteOnly]
            .into_iter()
            .find(|kind| *kind as u64 == number)
    }
}

/// A secret; zeroed when dropped.
pub struct Secret {
    kind: SecretKind,
    bytes: Zeroizing<Vec<u8>>,
}

const KEY_FILE_HEAD: &str = "yore-key-1:";
const WRITE_ONLY_HEAD: &str = "yore-write-only-1:";
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RECOVERY_BYTES: usize = 25;
const RECOVERY_DIGITS: usize = 40;
const CHECK_DIGITS: usize = 5;

impl Secret {
    /// Creates the secret of a passphrase as typed, without its line end.
    pub fn passphrase(text: &str) -> Self {
        let bytes = text.trim_end_matches(['\r', '\n']).as_bytes().to_vec();
        Self { kind: SecretKind::Passphrase, bytes: bytes.into() }
    }

    /// Creates the secret that a person typed: a recovery key if it has that form, otherwise a passphrase.
    pub fn typed(text: &str) -> Self {
        Self::recovery(text).unwrap_or_else(|_| Self::passphrase(text))
    }

    /// Draws a new key for a key file.
    pub fn draw_key_file() -> Self {
        Self { kind: SecretKind::KeyFile, bytes: random::<32>().to_vec().into() }
    }

    /// Draws a new recovery key.
    pub fn draw_recovery() -> Self {
        Self { kind: SecretKind::Recovery, bytes: random::<RECOVERY_BYTES>().to_vec().into() }
    }

    /// Makes the secret of a write-only machine from its bytes.
    pub(crate) fn write_only(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { kind: SecretKind::WriteOnly, bytes }
    }

    /// Parses the text of a key file, or of that of a write-only machine; errors name it by `what`.
    pub fn key_file(what: &str, text: &str) -> Result<Self> {
        let malformed = |reason| Error::MalformedSecret { what: what.into(), reason };
        let kinds = [
            (KEY_FILE_HEAD, SecretKind::KeyFile, 32),
            (WRITE_ONLY_HEAD, SecretKind::WriteOnly, MACHINE_SECRET),
        ];
        let (rest, kind, length) = kinds
            .into_iter()
            .find_map(|(head, kind, length)| {
                Some((text.trim_end().strip_prefix(head)?, kind, length))
            })
            .ok_or_else(|| malformed("it is not a Yore key file"))?;
        let mut bytes = Zeroizing::new(vec![0; length]);
        let (hex, check) = rest.split_once(':').ok_or_else(|| malformed("it is truncated"))?;
        if !decode_hex(hex, &mut bytes) || check != key_file_check(&bytes) {
            return Err(malformed("it was altered or truncated"));
        }
        Ok(Self { kind, bytes })
    }

    /// Parses a recovery key in any spelling that FORMAT.md §4 allows.
    pub fn recovery(text: &str) -> Result<Self> {
        let malformed = |reason| Error::MalformedSecret { what: "the recovery key".into(), reason };
        let mut digits = Zeroizing::new(Vec::with_capacity(RECOVERY_DIGITS + CHECK_DIGITS));
        for character in text.trim().chars().filter(|c| !matches!(c, '-' | ' ')) {
            digits
                .push(digit(character).ok_or_else(|| malformed("it has a letter that none has"))?);
        }
        if digits.len() != RECOVERY_DIGITS + CHECK_DIGITS {
            return Err(malformed("it must have nine groups of five"));
        }
        let mut bytes = Zeroizing::new(vec![0; RECOVERY_BYTES]);
        for (at, digit) in digits[..RECOVERY_DIGITS].iter().enumerate() {
            for bit in 0..5 {
                let position = at * 5 + bit;
                bytes[position / 8] |= (digit >> (4 - bit) & 1) << (7 - position % 8);
            }
        }
        if digits[RECOVERY_DIGITS..] != recovery_check(&bytes) {
            return Err(malformed("a letter is wrong; compare it with what was printed"));
        }
        Ok(Self { kind: SecretKind::Recovery, bytes })
    }

    /// Returns the kind of the secret.
    pub fn kind(&self) -> SecretKind {
        self.kind
    }

    /// Returns the bytes from which the slot's key derives.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the text of a key file or recovery key; `None` for a passphrase, which is never printed.
    pub fn to_text(&self) -> Option<Zeroizing<String>> {
        match self.kind {
            SecretKind::Passphrase => None,
            SecretKind::KeyFile | SecretKind::WriteOnly => {
                let (hex, check) = (encode_hex(&self.bytes), key_file_check(&self.bytes));
                let is_key_file = self.kind == SecretKind::KeyFile;
                let head = if is_key_file { KEY_FILE_HEAD } else { WRITE_ONLY_HEAD };
                Some(format!("{head}{hex}:{check}\n").into())
            }
            SecretKind::Recovery => {
                let digits = five_bit_digits(&self.bytes, RECOVERY_DIGITS);
                let mut text = Zeroizing::new(String::new());
                for (at, digit) in digits.iter().chain(&recovery_check(&self.bytes)).enumerate() {
                    if at % 5 == 0 && at > 0 {
                        text.push('-');
                    }
                    text.push(ALPHABET[usize::from(*digit)] as char);
                }
                Some(text)
            }
        }
    }
}

fn key_file_check(bytes: &[u8]) -> String {
    encode_hex(&Sha256::digest(bytes)[..4])
}

fn recovery_check(bytes: &[u8]) -> [u8; CHECK_DIGITS] {
    let mut hash = Sha256::new();
    hash.update(b"yore recovery");
    hash.update(bytes);
    let digits = five_bit_digits(&hash.finalize(), CHECK_DIGITS);
    digits.as_slice().try_into().expect("so many digits were asked for")
}

fn five_bit_digits(bytes: &[u8], digits: usize) -> Vec<u8> {
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    (0..digits).map(|at| (0..5).fold(0, |digit, n| digit << 1 | bit(at * 5 + n))).collect()
}

fn digit(character: char) -> Option<u8> {
    let upper = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|&known| known as char == upper).map(|at| at as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_key_is_read_in_any_spelling() {
        let secret = Secret::draw_recovery();
        let text = secret.to_text().expect("it is printed");
        assert_eq!(text.len(), 53);
        let sloppy = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        assert_eq!(Secret::recovery(&sloppy).expect("reads").bytes(), secret.bytes());
    }

    #[test]
    fn a_wrong_letter_of_a_recovery_key_is_detected() {
        let text = Secret::draw_recovery().to_text().expect("it is printed");
        for at in (0..53).filter(|at| at % 6 != 5) {
            let mut wrong: Vec<u8> = text.bytes().collect();
            wrong[at] = if wrong[at] == b'7' { b'8' } else { b'7' };
            assert!(Secret::recovery(std::str::from_utf8(&wrong).expect("ASCII")).is_err());
        }
    }

    #[test]
    fn a_key_file_round_trips() {
        let secret = Secret::draw_key_file();
        let text = secret.to_text().expect("it is written");
        assert_eq!(Secret::key_file("key", &text).expect("reads").bytes(), secret.bytes());
        assert!(Secret::key_file("key", &text[..60]).is_err());
        assert!(Secret::key_file("key", "ssh-rsa AAAA").is_err());
    }
}
