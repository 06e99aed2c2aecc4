//! The content of a configuration, as the program works with it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use toml_edit::{DocumentMut, Item, TableLike, Value};
use yore_engine::backup::UnchangedBy;

use super::containers::{DockerVolumes, Stillness};
use super::rate;
use super::schema::NAME;
use super::{server, value};
use crate::access::destination::{self, BucketSettings, ServerFolder};
use crate::access::place::{Limits, Place};
use crate::access::secret::{Reference, References};
use crate::args::file_system_snapshot::{self, FileSystemSnapshot};
use crate::args::retention::Rules;
use crate::args::{exclude, percent, size, unchanged_by};

/// The content of a configuration; that of no file is empty.
#[derive(Debug, Default)]
pub struct Settings {
    /// The places of the secret.
    pub secret: References,
    /// The limits of all distant destinations together.
    pub limits: Limits,
    /// The bytes that fetched frames of distant destinations may take in the cache folder.
    pub cache_size: Option<u64>,
    /// The parity of new packs in per cent, where it is another than the repository says.
    pub parity: Option<u32>,
    /// The snapshots that are kept, of sources that say nothing else.
    pub retention: Retention,
    /// When a backup that makes itself is made later.
    pub busy: BusyLimits,
    /// Commands around each run.
    pub hooks: Hooks,
    /// The age of the last backup of a source from which on somebody is told, as it is written.
    pub max_age: Option<String>,
    /// The time that a destination may be behind until somebody is told, as it is written.
    pub max_behind: Option<String>,
    /// Backups save first what matters most.
    pub smart: bool,
    /// Patterns of what matters most.
    pub priority: Vec<String>,
    /// When `watch` makes a snapshot.
    pub watch: WatchSettings,
    /// The URL that is asked for at the start and the end of each run.
    pub healthcheck: Option<String>,
    /// The file with the figures for Prometheus.
    pub metrics_file: Option<PathBuf>,
    /// The server that takes mails.
    pub mail: Mail,
    /// Who is told when something is wrong.
    pub alerts: Vec<Alert>,
    /// The destinations, in the order of the file.
    pub destinations: Vec<Place>,
    /// The sources, in the order of the file.
    pub sources: Vec<SourceSettings>,
}

/// `[watch]`: durations as they are written.
#[derive(Debug, Clone, Default)]
pub struct WatchSettings {
    /// A snapshot is made when nothing changed for so long.
    pub quiet_after: Option<String>,
    /// And at the latest so long after the first change.
    pub at_latest: Option<String>,
    /// Everything is looked at after so long.
    pub interval: Option<String>,
}

/// A `[[source]]`: each run of a backup makes one snapshot of it.
#[derive(Debug, Clone, Default)]
pub struct SourceSettings {
    /// The name.
    pub name: String,
    /// What is read: files, or what a program prints.
    pub kind: SourceKind,
    /// The files and folders; databases of SQLite.
    pub paths: Vec<PathBuf>,
    /// The snapshot of its file system from which it is read.
    pub snapshot: FileSystemSnapshot,
    /// Commands around each backup of it.
    pub hooks: Hooks,
    /// Patterns of what is left out.
    pub exclude: Vec<String>,
    /// Files that list patterns.
    pub exclude_file: Vec<PathBuf>,
    /// Leaves out the content of folders that say that they are caches.
    pub exclude_caches: bool,
    /// Names of files that mark folders whose content is left out.
    pub exclude_if_present: Vec<OsString>,
    /// The size above which files are left out.
    pub exclude_larger_than: Option<u64>,
    /// Stays on the file system of each path.
    pub one_file_system: bool,
    /// The attributes by which a file is known to be unchanged.
    pub unchanged_by: Option<UnchangedBy>,
    /// Takes a path for empty that had files and has none.
    pub allow_empty_source: bool,
    /// The tags of the snapshots.
    pub tags: Vec<String>,
    /// The machine that the snapshots are of, unless it is this one.
    pub host: Option<String>,
    /// The snapshots of it that are kept, where something else holds than for others.
    pub retention: Retention,
    /// The command that tries its dumps in a drill, each on its standard input.
    pub drill: Option<String>,
}

/// The kind of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SourceKind {
    /// Files and folders.
    #[default]
    Files,
    /// What a command prints.
    Command {
        /// The command, for a shell.
        command: String,
        /// The path of its output in the snapshot.
        file: String,
    },
    /// Databases of a server, each a dump.
    Server(DatabaseServer),
    /// Databases of SQLite, each read at one moment although it is in use.
    Sqlite,
    /// Volumes of Docker or Podman.
    Docker(DockerVolumes),
    /// Files and folders of a server, at least one.
    Remote(Vec<ServerFolder>),
}

/// A server whose databases are dumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseServer {
    /// The program.
    pub program: DatabaseProgram,
    /// The databases; all where none is named.
    pub databases: Vec<String>,
    /// Options of the program that dumps, as in `--host=db`.
    pub options: Vec<String>,
    /// The words before each command, as in `docker exec -i db`.
    pub through: Option<String>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
}

/// A program of databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseProgram {
    /// PostgreSQL.
    Postgresql,
    /// MariaDB, or MySQL.
    Mariadb,
}

/// A `[limits]`: what a backup that makes itself is not made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BusyLimits {
    /// Whether it is made on battery.
    pub battery: Option<bool>,
    /// Whether it is made over a network that costs.
    pub metered: Option<bool>,
    /// The most processes that want to run at the same time.
    pub load: Option<u32>,
}

/// A `[hooks]`: commands that are run around backups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Before it; if it fails, nothing is backed up.
    pub before: Option<String>,
    /// After it, whatever came of it.
    pub after: Option<String>,
    /// After it succeeded.
    pub on_success: Option<String>,
    /// After it failed, or was not whole.
    pub on_failure: Option<String>,
    /// Before snapshots of its file systems are made; if it fails, nothing is backed up.
    pub snapshot_before: Option<String>,
    /// After they were made, or could not be.
    pub snapshot_after: Option<String>,
    /// The time that each of them has, as it is written.
    pub timeout: Option<String>,
}

/// A `[[alert]]`: somebody who is told when something is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alert {
    /// The name.
    pub name: String,
    /// The addresses that get a mail.
    pub mail_to: Vec<String>,
    /// The URL that gets a request, and the service whose form it has.
    pub webhook: Option<(String, String)>,
    /// The place of the token of the webhook.
    pub token: Option<Reference>,
    /// The command, which gets the message on its standard input.
    pub command: Option<String>,
    /// Shows a notification on the desktop.
    pub desktop: bool,
}

/// A `[mail]`: the server that takes mails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// Host, or host:port.
    pub server: Option<String>,
    /// The sender.
    pub from: Option<String>,
    /// The name to log in with.
    pub user: Option<String>,
    /// The place of the password.
    pub password: Option<Reference>,
    /// `starttls`, `tls` or `none`.
    pub tls: Option<String>,
    /// The certificate of an authority that is trusted besides the usual ones.
    pub ca_file: Option<PathBuf>,
}

/// A `[retention]` or `[source.retention]`: which snapshots are kept, and when the others are forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retention {
    /// The rules.
    pub rules: Rules,
    /// Applies them after each backup.
    pub auto: Option<bool>,
    /// Then frees the space.
    pub prune: Option<bool>,
}

impl Settings {
    /// Returns what is kept of a source: its own rules if it has some, otherwise those of all.
    pub fn retention_of(&self, source: &SourceSettings) -> Retention {
        let (own, all) = (&source.retention, &self.retention);
        let rules = if own.rules.is_empty() { &all.rules } else { &own.rules };
        Retention {
            rules: rules.clone(),
            auto: own.auto.or(all.auto),
            prune: own.prune.or(all.prune),
        }
    }
}

impl Settings {
    /// Reads a text in which [`mistakes`](super::check::mistakes) finds none.
    pub fn read(text: &str) -> Self {
        let document: DocumentMut = text.parse().unwrap_or_default();
        let top = Table(document.as_table());
        Self {
            secret: References {
                key_file: top.path("key-file"),
                password: top.reference("password"),
            },
            limits: top.limits(),
            cache_size: top.below("cache").and_then(|cache| cache.size("size")),
            parity: top.text("parity").and_then(|text| percent::parse(&text).ok()),
            retention: top.retention(),
            busy: top.busy(),
            hooks: top.hooks(),
            max_age: top.text("max-age"),
            max_behind: top.text("max-behind"),
            smart: top.bool("smart"),
            priority: top.texts("priority"),
            watch: top.below("watch").map(watch_of).unwrap_or_default(),
            healthcheck: top.below("healthcheck").and_then(|table| table.text("url")),
            metrics_file: top.below("metrics").and_then(|table| table.path("file")),
            mail: top.mail(),
            alerts: top.list("alert").into_iter().map(alert_of).collect(),
            destinations: top.list("destination").into_iter().filter_map(destination_of).collect(),
            sources: top.list("source").into_iter().map(source_of).collect(),
        }
    }
}

fn watch_of(table: Table<'_>) -> WatchSettings {
    WatchSettings {
        quiet_after: table.text("quiet-after"),
        at_latest: table.text("at-latest"),
        interval: table.text("interval"),
    }
}

fn destination_of(table: Table<'_>) -> Option<Place> {
    let url = value::url(&table.text("url")?)?;
    let create_if_absent = table.optional_bool("create-if-absent");
    let destination =
        destination::parse(OsStr::new(&url)).ok()?.with_bucket_settings(BucketSettings {
            pack_class: table.text("storage-class"),
            credentials_command: table.text("credentials-command"),
            create_if_absent,
        });
    Some(Place {
        name: Some(table.text(NAME)?),
        is_removable: table.optional_bool("removable").unwrap_or(destination.is_removable()),
        destination,
        off_site: table.optional_bool("offsite"),
        verify_writes: table.bool("verify-writes"),
        create_if_absent,
        limits: table.limits(),
    })
}

fn source_of(table: Table<'_>) -> SourceSettings {
    let patterns = table.texts("exclude").into_iter();
    SourceSettings {
        name: table.text(NAME).unwrap_or_default(),
        kind: table.source_kind(),
        paths: table.paths("paths"),
        snapshot: table
            .text("snapshot")
            .and_then(|text| file_system_snapshot::parse(&text).ok())
            .unwrap_or_default(),
        hooks: table.hooks(),
        exclude: patterns.filter_map(|pattern| exclude::parse(&pattern).ok()).collect(),
        exclude_file: table.paths("exclude-file"),
        exclude_caches: table.bool("exclude-caches"),
        exclude_if_present: table
            .texts("exclude-if-present")
            .into_iter()
            .map(OsString::from)
            .collect(),
        exclude_larger_than: table.size("exclude-larger-than"),
        one_file_system: table.bool("one-file-system"),
        unchanged_by: table.text("unchanged-by").and_then(|text| unchanged_by::parse(&text).ok()),
        allow_empty_source: table.bool("allow-empty-source"),
        tags: table.texts("tags"),
        host: table.text("host"),
        retention: table.retention(),
        drill: table.below("drill").and_then(|drill| drill.text("command")),
    }
}

fn alert_of(table: Table<'_>) -> Alert {
    let preset = table.text("preset").unwrap_or_else(|| "json".into());
    Alert {
        name: table.text(NAME).unwrap_or_default(),
        mail_to: table.texts("mail-to"),
        webhook: table.text("webhook").map(|url| (url, preset)),
        token: table.reference("token"),
        command: table.text("command"),
        desktop: table.bool("desktop"),
    }
}

/// A table whose values are of the types that the schema says.
#[derive(Clone, Copy)]
struct Table<'d>(&'d dyn TableLike);

impl<'d> Table<'d> {
    fn value(self, key: &str) -> Option<&'d Value> {
        self.0.get(key)?.as_value()
    }

    fn text(self, key: &str) -> Option<String> {
        self.value(key)?.as_str().map(str::to_owned)
    }

    fn texts(self, key: &str) -> Vec<String> {
        let texts = self.value(key).and_then(value::texts).unwrap_or_default();
        texts.into_iter().map(str::to_owned).collect()
    }

    fn path(self, key: &str) -> Option<PathBuf> {
        value::path(&self.text(key)?)
    }

    /// Returns the place of a secret: the first of `WHAT-file`, `WHAT-command` and `WHAT-keyring`.
    fn reference(self, what: &str) -> Option<Reference> {
        let command = || Some(Reference::Command(self.text(&format!("{what}-command"))?.into()));
        let keyring = || Some(Reference::Keyring(self.text(&format!("{what}-keyring"))?));
        let file = self.path(&format!("{what}-file")).map(Reference::File);
        file.or_else(command).or_else(keyring)
    }

    fn paths(self, key: &str) -> Vec<PathBuf> {
        self.texts(key).iter().filter_map(|text| value::path(text)).collect()
    }

    fn bool(self, key: &str) -> bool {
        self.optional_bool(key).unwrap_or(false)
    }

    fn optional_bool(self, key: &str) -> Option<bool> {
        self.value(key)?.as_bool()
    }

    fn size(self, key: &str) -> Option<u64> {
        let value = self.value(key)?;
        match value.as_integer() {
            Some(bytes) => u64::try_from(bytes).ok(),
            None => size::parse(value.as_str()?).ok(),
        }
    }

    fn count(self, key: &str) -> Option<u32> {
        u32::try_from(self.value(key)?.as_integer()?).ok()
    }

    fn source_kind(self) -> SourceKind {
        let server = |program| {
            SourceKind::Server(DatabaseServer {
                program,
                databases: self.texts("databases"),
                options: self.texts("options"),
                through: self.text("through"),
                password_file: self.path("password-file"),
            })
        };
        match self.text("kind").as_deref() {
            Some("command") => SourceKind::Command {
                command: self.text("command").unwrap_or_default(),
                file: self.text("file").unwrap_or_default(),
            },
            Some("postgresql") => server(DatabaseProgram::Postgresql),
            Some("mariadb") => server(DatabaseProgram::Mariadb),
            Some("sqlite") => SourceKind::Sqlite,
            Some("docker") => SourceKind::Docker(DockerVolumes {
                volumes: self.texts("volumes"),
                containers: Stillness::of(self.text("containers").as_deref()),
                program: self.text("program"),
            }),
            _ => match server::of_table(self.0) {
                folders if folders.is_empty() => SourceKind::Files,
                folders => SourceKind::Remote(folders),
            },
        }
    }

    fn busy(self) -> BusyLimits {
        let Some(table) = self.below("limits") else { return BusyLimits::default() };
        BusyLimits {
            battery: table.optional_bool("battery"),
            metered: table.optional_bool("metered"),
            load: table.count("load"),
        }
    }

    fn hooks(self) -> Hooks {
        let Some(table) = self.below("hooks") else { return Hooks::default() };
        Hooks {
            before: table.text("before"),
            after: table.text("after"),
            on_success: table.text("on-success"),
            on_failure: table.text("on-failure"),
            snapshot_before: table.text("snapshot-before"),
            snapshot_after: table.text("snapshot-after"),
            timeout: table.text("timeout"),
        }
    }

    fn mail(self) -> Mail {
        let Some(table) = self.below("mail") else { return Mail::default() };
        Mail {
            server: table.text("server"),
            from: table.text("from"),
            user: table.text("user"),
            password: table.reference("password"),
            tls: table.text("tls"),
            ca_file: table.path("ca-file"),
        }
    }

    fn retention(self) -> Retention {
        let Some(table) = self.below("retention") else { return Retention::default() };
        let rules = Rules {
            last: table.count("last"),
            hourly: table.count("hourly"),
            daily: table.count("daily"),
            weekly: table.count("weekly"),
            monthly: table.count("monthly"),
            yearly: table.count("yearly"),
            within: table.text("within"),
            days: table.count("days"),
            versions: table.count("versions"),
            tags: table.texts("tags"),
        };
        let (auto, prune) = (table.optional_bool("auto"), table.optional_bool("prune"));
        Retention { rules, auto, prune }
    }

    fn below(self, key: &str) -> Option<Table<'d>> {
        self.0.get(key)?.as_table_like().map(Table)
    }

    fn list(self, key: &str) -> Vec<Table<'d>> {
        let tables = self.0.get(key).and_then(Item::as_array_of_tables);
        tables.into_iter().flatten().map(|table| Table(table)).collect()
    }

    fn limits(self) -> Limits {
        let rates = |direction: &str| {
            let texts = self.below("limit").map(|limit| limit.texts(direction));
            let texts = texts.unwrap_or_default();
            rate::parse(texts.iter().map(String::as_str)).unwrap_or_default()
        };
        Limits { upload: rates("upload"), download: rates("download") }
    }
}
