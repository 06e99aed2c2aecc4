//! The secret that opens a repository, as it is given or asked for.
//!
//! The first that is given counts: key file, passphrase file, command, environment, those of the configuration,
//! prompt.

pub mod reference;

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use reference::Reference;

use yore_engine::Error;
use yore_engine::format::Secret;
use zeroize::Zeroizing;

use crate::access::recovery;
use crate::args::global::Global;
use crate::args::other_repository::OtherRepository;
use crate::failure::engine_error::reason;
use crate::failure::{Exit, Failure, Outcome};

/// The largest secret that is read, in bytes.
const LIMIT: u64 = 64 << 10;

/// A secret as it was given: text, which can be handed to a process in the background.
pub enum GivenSecret {
    /// The content of a key file.
    KeyFile {
        /// Its path.
        path: PathBuf,
        /// Its text.
        text: Zeroizing<String>,
    },
    /// A passphrase or a recovery key.
    Typed(Zeroizing<String>),
}

impl GivenSecret {
    /// Makes the engine's secret of it.
    pub fn secret(&self) -> Outcome<Secret> {
        match self {
            GivenSecret::KeyFile { path, text } => match Secret::recovery(text) {
                Ok(recovery) => Ok(recovery),
                Err(mistyped) if recovery::looks_like_one(text) => Err(mistyped.into()),
                Err(_) => Ok(Secret::key_file(&path.display().to_string(), text)?),
            },
            GivenSecret::Typed(text) => Ok(Secret::typed(text)),
        }
    }

    /// Explains the failure of a secret that is a recovery key with a mistake in it.
    pub fn explain(&self, failure: Failure) -> Failure {
        let GivenSecret::Typed(text) = self else { return failure };
        match Secret::recovery(text) {
            Err(mistyped)
                if failure.exit == Exit::WrongSecret && recovery::looks_like_one(text) =>
            {
                mistyped.into()
            }
            _ => failure,
        }
    }

    /// Encodes the secret for a process in the background.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let (mark, text) = match self {
            GivenSecret::KeyFile { text, .. } => (b'k', text),
            GivenSecret::Typed(text) => (b't', text),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + text.len()));
        bytes.push(mark);
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// Decodes what [`GivenSecret::to_bytes`] encoded.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (mark, text) = bytes.split_first()?;
        let text = Zeroizing::new(std::str::from_utf8(text).ok()?.to_owned());
        match mark {
            b'k' => Some(GivenSecret::KeyFile { path: "the key file".into(), text }),
            b't' => Some(GivenSecret::Typed(text)),
            _ => None,
        }
    }
}

/// The places of a secret that a configuration names, which never holds the secret itself.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// The key file.
    pub key_file: Option<PathBuf>,
    /// The place of the passphrase.
    pub password: Option<Reference>,
}

/// Takes the secret that options, environment or configuration give; `None` when they give none.
pub fn given(global: &Global, configured: &References) -> Outcome<Option<GivenSecret>> {
    let key_file = |path: &PathBuf| key_file(path).map(Some);
    if let Some(path) = global.key_file.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        return key_file(path);
    }
    if let Some(text) = given_passphrase(global)? {
        return Ok(Some(GivenSecret::Typed(text)));
    }
    match &configured.key_file {
        Some(path) => key_file(path),
        None => Ok(configured_passphrase(configured)?.map(GivenSecret::Typed)),
    }
}

/// Takes the secret that options give for a second repository; `None` when they give none.
pub fn of_other(other: &OtherRepository) -> Outcome<Option<GivenSecret>> {
    if let Some(path) = &other.from_key_file {
        return key_file(path).map(Some);
    }
    let passphrase = match (&other.from_password_file, &other.from_password_command) {
        (Some(path), _) => Some(read_file(path)?),
        (None, Some(command)) => Some(from_command(command)?),
        (None, None) => None,
    };
    Ok(passphrase.map(GivenSecret::Typed))
}

fn key_file(path: &Path) -> Outcome<GivenSecret> {
    Ok(GivenSecret::KeyFile { path: path.to_owned(), text: read_file(path)? })
}

/// Takes the passphrase that options, environment or configuration give; `None` when they give none.
pub fn passphrase(global: &Global, configured: &References) -> Outcome<Option<Zeroizing<String>>> {
    match given_passphrase(global)? {
        Some(text) => Ok(Some(text)),
        None => configured_passphrase(configured),
    }
}

fn configured_passphrase(configured: &References) -> Outcome<Option<Zeroizing<String>>> {
    configured.password.as_ref().map(Reference::read).transpose()
}

fn given_passphrase(global: &Global) -> Outcome<Option<Zeroizing<String>>> {
    if let Some(path) = global.password_file.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        return read_file(path).map(Some);
    }
    if let Some(command) = global.password_command.as_ref().filter(|command| !command.is_empty()) {
        return from_command(command).map(Some);
    }
    match std::env::var_os("YORE_PASSWORD").filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => match text.into_string() {
            Ok(text) => Ok(Some(text.into())),
            Err(_) => Err(not_text("YORE_PASSWORD")),
        },
    }
}

/// Reads a file that holds a secret.
pub fn read_file(path: &Path) -> Outcome<Zeroizing<String>> {
    let file = std::fs::File::open(path).map_err(|error| Failure::local(path, error))?;
    let bytes = read_all(file).map_err(|error| Failure::local(path, error))?;
    text(&path.display().to_string(), bytes)
}

/// Reads without leaving copies behind, as a growing buffer would.
fn read_all(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LIMIT as usize + 1));
    source.take(LIMIT + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LIMIT {
        true => Err(io::Error::other("it is far too long for a secret")),
        false => Ok(bytes),
    }
}

fn text(what: &str, bytes: Zeroizing<Vec<u8>>) -> Outcome<Zeroizing<String>> {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(_) => Err(not_text(what)),
    }
}

fn not_text(what: &str) -> Failure {
    Error::MalformedSecret { what: what.into(), reason: "it is not text (UTF-8)" }.into()
}

fn from_command(command: &OsStr) -> Outcome<Zeroizing<String>> {
    let failed = |why: String| {
        Failure::new(
            Exit::Failed,
            format!("the command that should print the secret failed: {why}"),
            "run it by itself to see what it says (--password-command, YORE_PASSWORD_COMMAND, the configuration)",
        )
    };
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(reason(&error)))?;
    let output = child.stdout.take().map(read_all).transpose();
    let status = child.wait().map_err(|error| failed(reason(&error)))?;
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    let bytes = output.map_err(|error| failed(reason(&error)))?;
    text("what the command printed", bytes.unwrap_or_default())
}

/// Takes a secret that is to be stored: typed twice on a terminal, the first line of standard input elsewhere.
pub fn to_be_stored(name: &str) -> Outcome<Zeroizing<String>> {
    let secret = match io::stdin().is_terminal() {
        true => {
            let first = ask(&format!("Secret {name}: "))?;
            if *ask("The same again: ")? != *first {
                let what = "the two secrets differ";
                return Err(Failure::new(Exit::Failed, what, "nothing was stored; try again"));
            }
            first
        }
        false => {
            let input = read_all(io::stdin()).map_err(|error| {
                let what = format!("standard input can't be read: {}", reason(&error));
                Failure::new(Exit::Failed, what, "nothing was stored")
            })?;
            text("standard input", input)?
        }
    };
    match secret.is_empty() {
        false => Ok(secret),
        true => {
            Err(Failure::usage("the secret is empty", "nothing was stored; type it, or pipe it"))
        }
    }
}

/// Fails with the ways to give a secret where there is no terminal.
pub fn must_have_terminal() -> Outcome<()> {
    if io::stdin().is_terminal() || io::stderr().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(
        "a secret is needed, and there is no terminal on which to ask for it",
        "give one of: --key-file FILE (YORE_KEY_FILE), --password-file FILE (YORE_PASSWORD_FILE), \
         --password-command CMD (YORE_PASSWORD_COMMAND), or the variable YORE_PASSWORD",
    ))
}

/// Fails where there is no terminal, with the option that does without.
pub fn must_have_terminal_or(option: &str) -> Outcome<()> {
    match must_have_terminal() {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::usage(
            "a new passphrase is needed, and there is no terminal on which to ask for it",
            format!("say {option}"),
        )),
    }
}

/// Tells whether something other than a person gives the passphrase here.
pub fn is_stored(global: &Global, configured: &References) -> bool {
    let of_options = global.password_file.is_some() || global.password_command.is_some();
    let of_configuration = configured.password.is_some();
    let of_variable = std::env::var_os("YORE_PASSWORD").is_some_and(|text| !text.is_empty());
    of_options || of_configuration || of_variable
}

/// Asks for a passphrase or recovery key.
pub fn prompt(question: &str) -> Outcome<GivenSecret> {
    ask(question).map(GivenSecret::Typed)
}

/// Asks for a new passphrase, twice.
pub fn prompt_new() -> Outcome<Zeroizing<String>> {
    must_have_terminal()?;
    let first = ask("New passphrase: ")?;
    must_be_usable(&first)?;
    match *ask("The same again: ")? == *first {
        true => Ok(first),
        false => Err(Failure::new(
            Exit::Failed,
            "the two passphrases differ",
            "nothing was made; run the command again",
        )),
    }
}

/// Refuses an empty passphrase, and one of the form of a recovery key.
pub fn must_be_usable(text: &str) -> Outcome<()> {
    if text.trim_end_matches(['\r', '\n']).is_empty() {
        return Err(Failure::usage(
            "the passphrase is empty",
            "choose one that you will remember and nobody guesses: several words, for instance",
        ));
    }
    match Secret::recovery(text) {
        Err(_) => Ok(()),
        Ok(_) => Err(Failure::usage(
            "the passphrase has the form of a recovery key, and would be taken for one later",
            "choose another",
        )),
    }
}

fn ask(question: &str) -> Outcome<Zeroizing<String>> {
    match rpassword::prompt_password(crate::text::escape::text(question)) {
        Ok(text) => Ok(text.into()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Error::Interrupted.into()),
        Err(error) => Err(Failure::new(
            Exit::WrongSecret,
            format!("no passphrase was given: {}", reason(&error)),
            "type it, or use --key-file or --password-file",
        )),
    }
}
