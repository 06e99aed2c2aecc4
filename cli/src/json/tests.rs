//! JSON.md names every type and every field that is printed.

use serde::Serialize;
use serde_json::{Map, Value};

use super::backup::{Emptied, LeftOut, LeftOutFolder};
use super::*;

const DOCUMENT: &str = include_str!("../../JSON.md");

fn fields(object: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(object).expect("the objects have fields of text names") {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

/// Returns one object of each type, with every optional field.
fn objects() -> Vec<Map<String, Value>> {
    let path = || PathText::new(b"\xff");
    let node = || Node {
        path: path(),
        target: Some(String::new()),
        notes: vec!["a note"],
        ..Node::default()
    };
    let desktop = [
        DesktopPath::Installed(String::new()),
        DesktopPath::Removed(String::new()),
        DesktopPath::Opened(String::new()),
    ];
    let mut objects = vec![
        fields(&Failed::default()),
        fields(&Problem::default()),
        fields(&Remark::default()),
        fields(&Repository::default()),
        fields(&ConfiguredDestination::default()),
        fields(&AddedDestination::default()),
        fields(&ConfiguredSource::default()),
        fields(&Removed::default()),
        fields(&Config::default()),
        fields(&ConfigValue { key: "", value: &Value::Null }),
        fields(&ConfigPath::default()),
        fields(&StoredSecret::default()),
        fields(&Backup::default()),
        fields(&ProcessedFile { path: path(), what: "new" }),
        fields(&Snapshot::default()),
        fields(&node()),
        fields(&Version::default()),
        fields(&Hit { path: path(), ..Hit::default() }),
        fields(&Change::default()),
        fields(&ChangeCounts::default()),
        fields(&Restore::default()),
        fields(&Finding::default()),
        fields(&Note::default()),
        fields(&Check::default()),
        fields(&Filled::default()),
        fields(&Locks::default()),
        fields(&Stats::default()),
        fields(&DroppedSource::default()),
        fields(&Source::default()),
        fields(&Drive::default()),
        fields(&DestinationStatus::default()),
        fields(&CopiesRule::default()),
        fields(&Mount::default()),
        fields(&Umount::default()),
        fields(&WebdavServer::default()),
        fields(&NfsServer::default()),
        fields(&Try::default()),
    ];
    objects.extend(objects_of_maintenance());
    objects.extend(desktop.map(|path| fields(&Desktop { path })));
    objects
}

/// Returns an object of each type that a command prints which maintains a repository.
fn objects_of_maintenance() -> Vec<Map<String, Value>> {
    vec![
        fields(&Forget::default()),
        fields(&Retained::default()),
        fields(&Pruned::default()),
        fields(&Annotated::default()),
        fields(&Usage::default()),
        fields(&UsageTotals::default()),
        fields(&Acknowledged::default()),
        fields(&AcceptedLoss::default()),
        fields(&Suspicious::default()),
        fields(&Repaired::default()),
        fields(&Lost::default()),
        fields(&Salvaged::default()),
        fields(&Rewritten::default()),
        fields(&Copied::default()),
        fields(&Collected::default()),
        fields(&Automatic::default()),
        fields(&Condition::default()),
        fields(&Drilled::default()),
        fields(&HistoryRun::default()),
        fields(&SentAlert::default()),
        fields(&Timer::default()),
        fields(&Copy::default()),
        fields(&Imported::default()),
        fields(&Import::default()),
        fields(&Key::default()),
        fields(&KeyAdded::default()),
        fields(&KeyRemoved::default()),
    ]
}

/// Returns the cells of the rows of the document that describe a type.
fn rows(kind: &str) -> Vec<&'static str> {
    let is_of = |row: &&str| {
        row.split('|').any(|cell| cell.split([' ', ',']).any(|word| word == format!("`{kind}`")))
    };
    DOCUMENT.lines().filter(|line| line.starts_with('|')).filter(is_of).collect()
}

#[test]
fn every_field_of_every_type_is_documented_in_its_row() {
    for object in objects() {
        let kind = object["type"].as_str().expect("a type").to_owned();
        let rows = rows(&kind);
        assert!(!rows.is_empty(), "JSON.md has no row for `{kind}`");
        for field in object.keys().filter(|field| *field != "type") {
            let is_named = rows.iter().any(|row| row.contains(&format!("`{field}`")));
            assert!(is_named, "JSON.md does not name `{field}` of `{kind}`");
        }
    }
}

#[test]
fn every_field_of_an_inner_object_is_documented() {
    let inner = [
        fields(&Totals::default()),
        fields(&LeftOut::default()),
        fields(&LeftOutFolder::default()),
        fields(&Emptied::default()),
        fields(&SnapshotTime::default()),
        fields(&SuspiciousChange::default()),
    ];
    for field in inner.iter().flat_map(Map::keys) {
        assert!(DOCUMENT.contains(&format!("`{field}`")), "JSON.md does not name `{field}`");
    }
}

#[test]
fn fields_are_written_as_they_always_were() {
    let line = serde_json::to_value(ProcessedFile { path: PathText::new(b"a\xff"), what: "new" });
    let expected = r#"{"path":"/a�","path_hex":"2f61ff","type":"file","what":"new"}"#;
    assert_eq!(line.expect("an object").to_string(), expected);
}
