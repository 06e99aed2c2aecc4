//! The content of a configuration, as the program works with it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use toml_edit::{DocumentMut, Item, TableLike, Value};
use yore_engine::backup::UnchangedBy;

use super::rate;
use super::schema::NAME;
use super::value;
use crate::access::destination::{self, BucketSettings};
use crate::access::place::{Limits, Place};
use crate::access::secret::References;
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
    /// The destinations, in the order of the file.
    pub destinations: Vec<Place>,
    /// The sources, in the order of the file.
    pub sources: Vec<SourceSettings>,
}

/// A `[[source]]`: each run of a backup makes one snapshot of it.
#[derive(Debug, Clone, Default)]
pub struct SourceSettings {
    /// The name.
    pub name: String,
    /// The files and folders.
    pub paths: Vec<PathBuf>,
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
                password_file: top.path("password-file"),
                password_command: top.text("password-command").map(OsString::from),
            },
            limits: top.limits(),
            cache_size: top.below("cache").and_then(|cache| cache.size("size")),
            parity: top.text("parity").and_then(|text| percent::parse(&text).ok()),
            retention: top.retention(),
            destinations: top.list("destination").into_iter().filter_map(destination_of).collect(),
            sources: top.list("source").into_iter().map(source_of).collect(),
        }
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
        paths: table.paths("paths"),
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
