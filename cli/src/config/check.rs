//! All mistakes of a configuration, each with its line and column.

use std::collections::HashSet;
use std::ops::Range;

use toml_edit::{Document, Item, TableLike};

use super::schema::{self, Key, Kind, NAME, TOP};
use super::{server, value};

/// A mistake in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
    /// The message.
    pub what: String,
}

/// Finds the mistakes of a text, in their order; there are none in an empty one.
pub fn mistakes(text: &str) -> Vec<Mistake> {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            return vec![mistake(text, at, error.message().trim().replace('\n', ", "))];
        }
    };
    let mut check = Check { found: Vec::new() };
    check.table(document.as_table(), TOP, "");
    check.found.sort_by_key(|(at, _)| *at);
    check.found.into_iter().map(|(at, what)| mistake(text, at, what)).collect()
}

fn mistake(text: &str, at: usize, what: String) -> Mistake {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Mistake {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        what,
    }
}

/// The mistakes found so far, each with its offset.
struct Check {
    found: Vec<(usize, String)>,
}

impl Check {
    fn add(&mut self, span: Option<Range<usize>>, what: String) {
        self.found.push((span.map_or(0, |span| span.start), what));
    }

    /// Checks the keys of a table; `within` is its path with a dot at the end.
    fn table(&mut self, table: &dyn TableLike, keys: &'static [Key], within: &str) {
        for (name, item) in table.iter() {
            let path = format!("{within}{name}");
            let span = table.key(name).and_then(toml_edit::Key::span);
            match schema::find(keys, name) {
                Some(key) => self.item(item, key, &path, span),
                None => self.add(span, unknown(keys, name, &path)),
            }
        }
    }

    fn item(&mut self, item: &Item, key: &'static Key, path: &str, span: Option<Range<usize>>) {
        match (key.kind, item) {
            (Kind::Table(keys), item) if item.is_table_like() => {
                if let Some(table) = item.as_table_like() {
                    self.table(table, keys, &format!("{path}."));
                }
            }
            (Kind::List(keys), Item::ArrayOfTables(tables)) => {
                let mut names = HashSet::new();
                for table in tables {
                    self.entry(table, key, keys, &mut names);
                }
            }
            (Kind::List(_), _) => {
                self.add(span, format!("each {path} is written under a line [[{path}]]"));
            }
            (Kind::Table(_), _) => {
                self.add(span, format!("{path} is a table, as in {path}.{}", example(key.kind)));
            }
            (kind, Item::Value(value)) => {
                if let Err(what) = value::check(kind, value) {
                    self.add(value.span().or(span), format!("{path} {what}"));
                }
            }
            (kind, _) => self.add(span, format!("{path} must be {}", kind.expected())),
        }
    }

    /// Checks that a source has no key that has no meaning for its kind.
    fn keys_of_kind(&mut self, table: &toml_edit::Table, kind: &str) {
        for (key, kinds) in schema::OF_KINDS.iter().filter(|(_, kinds)| !kinds.contains(&kind)) {
            if let Some(key) = table.key(key) {
                let what = format!("source.{} is for kind {} only", key.get(), kinds.join(" or "));
                self.add(key.span(), what);
            }
        }
    }

    /// Checks an entry of a list.
    fn entry(
        &mut self,
        table: &toml_edit::Table,
        list: &'static Key,
        keys: &'static [Key],
        names: &mut HashSet<String>,
    ) {
        let list = list.name;
        self.table(table, keys, &format!("{list}."));
        let kind = table.get("kind").and_then(Item::as_str);
        for required in schema::required(list, kind) {
            if !table.contains_key(required) {
                self.add(table.span(), format!("this [[{list}]] has no {required}"));
            }
        }
        if list == "source" {
            self.keys_of_kind(table, kind.unwrap_or(schema::SOURCE_KINDS[0]));
            server::check(table).into_iter().for_each(|(span, what)| self.add(span, what));
        }
        if list == "alert" && !WAYS.iter().any(|way| table.contains_key(way)) {
            self.add(table.span(), format!("this [[alert]] has none of {}", WAYS.join(", ")));
        }
        let url = table.get("url").and_then(Item::as_str);
        if url.is_some_and(|url| !url.starts_with("s3:")) {
            for key in schema::OF_BUCKETS.into_iter().filter_map(|key| table.key(key)) {
                self.add(key.span(), format!("{list}.{} is for buckets (s3://…) only", key.get()));
            }
        }
        let name = table.get(NAME).and_then(Item::as_value);
        if let Some(text) = name.and_then(|name| name.as_str())
            && !names.insert(text.to_owned())
        {
            let span = name.and_then(toml_edit::Value::span);
            self.add(span, format!("another {list} is called {text:?} already"));
        }
    }
}

/// The keys of an alert of which each is a way to send it.
const WAYS: [&str; 4] = ["mail-to", "webhook", "command", "desktop"];

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Table(keys) => keys.first().map_or("", |key| key.name),
        _ => "",
    }
}

/// Describes a key that is not known.
pub fn unknown(keys: &'static [Key], name: &str, path: &str) -> String {
    match schema::nearest(keys, name) {
        Some(nearest) => format!("{path:?} is not a key; perhaps {nearest:?} is meant"),
        None => {
            let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
            format!("{path:?} is not a key; there are {}", known.join(", "))
        }
    }
}
