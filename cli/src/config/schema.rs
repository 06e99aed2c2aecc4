//! The keys of the configuration, with the type of each value.

use super::containers::{CONTAINER_PROGRAMS, CONTAINERS};
use super::log::{FORMS, LEVELS, PLACES};
use crate::args::file_system_snapshot::SNAPSHOTS;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// The name, as it is written in the file.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Kind,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text without further form.
    Text,
    /// The name of an entry: letters, digits, `-` and `_`.
    Name,
    /// The place of a destination.
    Url,
    /// The absolute path of a file; `~/` is the home folder.
    Path,
    /// Absolute paths.
    Paths,
    /// Absolute paths, or places on one server.
    SourcePaths,
    /// A line for the shell.
    Command,
    /// `true` or `false`.
    Bool,
    /// A number of bytes.
    Size,
    /// A number of things.
    Count,
    /// A share in per cent.
    Percent,
    /// A length of time.
    Duration,
    /// Rates, of which some hold in a part of the day only.
    Rates,
    /// Patterns as in `.gitignore`.
    Patterns,
    /// Names of files.
    FileNames,
    /// Words.
    Words,
    /// The attributes by which a file is known to be unchanged.
    UnchangedBy,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A table with these keys.
    Table(&'static [Key]),
    /// Tables that have names, each with these keys.
    List(&'static [Key]),
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Key {}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind }
}

/// The name by which an entry of a list is addressed.
pub const NAME: &str = "name";

const LIMIT: &[Key] = &[key("download", Kind::Rates), key("upload", Kind::Rates)];

const BUSY: &[Key] =
    &[key("battery", Kind::Bool), key("load", Kind::Count), key("metered", Kind::Bool)];

const HOOKS: &[Key] = &[
    key("before", Kind::Command),
    key("after", Kind::Command),
    key("on-success", Kind::Command),
    key("on-failure", Kind::Command),
    key("timeout", Kind::Duration),
];

const SOURCE_HOOKS: &[Key] = &[
    key("before", Kind::Command),
    key("after", Kind::Command),
    key("on-success", Kind::Command),
    key("on-failure", Kind::Command),
    key("snapshot-before", Kind::Command),
    key("snapshot-after", Kind::Command),
    key("timeout", Kind::Duration),
];

const ALERT: &[Key] = &[
    key(NAME, Kind::Name),
    key("mail-to", Kind::Words),
    key("webhook", Kind::Text),
    key("preset", Kind::Choice(&PRESETS)),
    key("token-file", Kind::Path),
    key("token-command", Kind::Command),
    key("token-keyring", Kind::Name),
    key("command", Kind::Command),
    key("desktop", Kind::Bool),
];

/// The services whose messages a webhook can speak; `json` is Yore's own object.
pub const PRESETS: [&str; 6] = ["json", "ntfy", "slack", "discord", "gotify", "sms"];

const WATCH: &[Key] = &[
    key("quiet-after", Kind::Duration),
    key("at-latest", Kind::Duration),
    key("interval", Kind::Duration),
];

const LOG: &[Key] = &[
    key("to", Kind::Choice(&PLACES)),
    key("format", Kind::Choice(&FORMS)),
    key("level", Kind::Choice(&LEVELS)),
];

const MAIL: &[Key] = &[
    key("server", Kind::Text),
    key("from", Kind::Text),
    key("user", Kind::Text),
    key("password-file", Kind::Path),
    key("password-command", Kind::Command),
    key("password-keyring", Kind::Name),
    key("tls", Kind::Choice(&["starttls", "tls", "none"])),
    key("ca-file", Kind::Path),
];

const RETENTION: &[Key] = &[
    key("auto", Kind::Bool),
    key("prune", Kind::Bool),
    key("last", Kind::Count),
    key("hourly", Kind::Count),
    key("daily", Kind::Count),
    key("weekly", Kind::Count),
    key("monthly", Kind::Count),
    key("yearly", Kind::Count),
    key("within", Kind::Duration),
    key("days", Kind::Count),
    key("versions", Kind::Count),
    key("tags", Kind::Words),
];

const DRILL: &[Key] = &[key("command", Kind::Command)];

const DESTINATION: &[Key] = &[
    key(NAME, Kind::Name),
    key("url", Kind::Url),
    key("removable", Kind::Bool),
    key("offsite", Kind::Bool),
    key("verify-writes", Kind::Bool),
    key("create-if-absent", Kind::Bool),
    key("storage-class", Kind::Text),
    key("credentials-command", Kind::Command),
    key("limit", Kind::Table(LIMIT)),
];

/// The keys of a destination that only a bucket has.
pub const OF_BUCKETS: [&str; 2] = ["storage-class", "credentials-command"];

const SOURCE: &[Key] = &[
    key(NAME, Kind::Name),
    key("kind", Kind::Choice(&SOURCE_KINDS)),
    key("paths", Kind::SourcePaths),
    key("command", Kind::Command),
    key("file", Kind::Text),
    key("databases", Kind::Words),
    key("options", Kind::Words),
    key("through", Kind::Command),
    key("password-file", Kind::Path),
    key("volumes", Kind::Words),
    key("containers", Kind::Choice(&CONTAINERS)),
    key("program", Kind::Choice(&CONTAINER_PROGRAMS)),
    key("snapshot", Kind::Choice(&SNAPSHOTS)),
    key("hooks", Kind::Table(SOURCE_HOOKS)),
    key("exclude", Kind::Patterns),
    key("exclude-file", Kind::Paths),
    key("exclude-caches", Kind::Bool),
    key("exclude-if-present", Kind::FileNames),
    key("exclude-larger-than", Kind::Size),
    key("one-file-system", Kind::Bool),
    key("unchanged-by", Kind::UnchangedBy),
    key("allow-empty-source", Kind::Bool),
    key("tags", Kind::Words),
    key("host", Kind::Text),
    key("retention", Kind::Table(RETENTION)),
    key("drill", Kind::Table(DRILL)),
];

/// The kinds of sources; the first is the usual one.
pub const SOURCE_KINDS: [&str; 6] =
    ["files", "command", "postgresql", "mariadb", "sqlite", "docker"];

/// The keys at the top of the file.
pub const TOP: &[Key] = &[
    key("key-file", Kind::Path),
    key("password-file", Kind::Path),
    key("password-command", Kind::Command),
    key("password-keyring", Kind::Name),
    key("limit", Kind::Table(LIMIT)),
    key("parity", Kind::Percent),
    key("cache", Kind::Table(&[key("size", Kind::Size)])),
    key("retention", Kind::Table(RETENTION)),
    key("hooks", Kind::Table(HOOKS)),
    key("limits", Kind::Table(BUSY)),
    key("max-age", Kind::Duration),
    key("max-behind", Kind::Duration),
    key("smart", Kind::Bool),
    key("priority", Kind::Patterns),
    key("healthcheck", Kind::Table(&[key("url", Kind::Text)])),
    key("metrics", Kind::Table(&[key("file", Kind::Path)])),
    key("log", Kind::Table(LOG)),
    key("watch", Kind::Table(WATCH)),
    key("mail", Kind::Table(MAIL)),
    key("alert", Kind::List(ALERT)),
    key("destination", Kind::List(DESTINATION)),
    key("source", Kind::List(SOURCE)),
];

/// The keys that an entry of a list must have, given the kind that a source says.
pub fn required(list: &str, kind: Option<&str>) -> &'static [&'static str] {
    match (list, kind) {
        ("destination", _) => &[NAME, "url"],
        ("source", Some("command")) => &[NAME, "command", "file"],
        ("source", Some("postgresql" | "mariadb")) => &[NAME],
        ("source", Some("docker")) => &[NAME, "volumes"],
        ("source", _) => &[NAME, "paths"],
        ("alert", _) => &[NAME],
        _ => &[],
    }
}

/// The keys that only sources of some kinds have.
pub const OF_KINDS: [(&str, &[&str]); 11] = [
    ("command", &["command"]),
    ("file", &["command"]),
    ("databases", &["postgresql", "mariadb"]),
    ("options", &["postgresql", "mariadb"]),
    ("through", &["postgresql", "mariadb"]),
    ("password-file", &["postgresql", "mariadb"]),
    ("drill", &["command", "postgresql", "mariadb", "sqlite"]),
    ("volumes", &["docker"]),
    ("containers", &["docker"]),
    ("program", &["docker"]),
    ("snapshot", &["files", "docker"]),
];

/// The keys of a source that have no meaning for the files of a server: SFTP tells neither file systems nor attributes
/// beside size and time.
pub const NOT_OF_SERVERS: [&str; 3] = ["one-file-system", "snapshot", "unchanged-by"];

/// Finds a key of a table.
pub fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

/// Returns the known key that an unknown one most probably means.
pub fn nearest(keys: &'static [Key], name: &str) -> Option<&'static str> {
    let typed = name.to_lowercase().replace('_', "-");
    // The options of `forget` are called so.
    let option = typed.strip_prefix("keep-").filter(|rest| find(keys, rest).is_some());
    let typed = option.unwrap_or(&typed);
    let distance = |key: &Key| strsim::damerau_levenshtein(key.name, typed);
    let best = keys.iter().min_by_key(|key| distance(key))?;
    let plural = best.name.starts_with(typed) || typed.starts_with(best.name);
    // A third of the letters may be wrong; more is another word.
    (plural || distance(best) <= (best.name.len() / 3).max(1)).then_some(best.name)
}

/// Tells whether a text can be the name of an entry.
pub fn is_name(text: &str) -> bool {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.len() <= 64 && text.chars().all(is_sign)
}

impl Kind {
    /// Tells whether a value is an array of texts.
    pub fn is_array(self) -> bool {
        matches!(
            self,
            Kind::Paths | Kind::SourcePaths | Kind::Patterns | Kind::FileNames | Kind::Words
        )
    }

    /// Returns what to write for such a value.
    pub fn expected(self) -> &'static str {
        match self {
            Kind::Text => "a text in quotes",
            Kind::Name => "a name of letters, digits, - and _, in quotes",
            Kind::Url => "the place of a destination in quotes, as in \"/mnt/disk/backup\"",
            Kind::Path => "an absolute path in quotes, as in \"/etc/yore.key\" or \"~/yore.key\"",
            Kind::Paths => "absolute paths, as in [\"/home/me\", \"~/Documents\"]",
            Kind::SourcePaths => {
                "absolute paths, as in [\"/home/me\", \"~/Documents\"], or places on one server, as in \
                 [\"sftp://pi@nas/home/pi\"]"
            }
            Kind::Command => "a line for the shell in quotes",
            Kind::Bool => "true or false",
            Kind::Size => "a size, as in \"4G\"",
            Kind::Count => "a number, as in 7",
            Kind::Percent => "a percentage in quotes, as in \"5%\"",
            Kind::Duration => "a length of time, as in \"30d\" or \"1y\"",
            Kind::Rates => {
                "a rate, as in \"5 MB/s\", or several, as in [\"5 MB/s\", \"08:00-18:00 1 MB/s\"]"
            }
            Kind::Patterns => "patterns, as in [\"*.o\", \"~/.cache\"]",
            Kind::FileNames => "names of files, as in [\".nobackup\"]",
            Kind::Words => "words, as in [\"weekly\"]",
            Kind::UnchangedBy => "attributes, as in \"size,mtime,ctime\"",
            Kind::Choice(_) => "one of its words in quotes",
            Kind::Table(_) => "a table",
            Kind::List(_) => "tables, each under a line with its name in [[ ]]",
        }
    }
}
