//! A suspicious change: it is told, and nothing old is forgotten until somebody has looked.

use std::fs;
use std::path::Path;

use yore_tests::{Person, noise};

const FILES: usize = 60;

/// Writes texts that can be compressed.
fn write_texts(folder: &Path) {
    for number in 0..FILES {
        let text: String =
            (0..400).map(|line| format!("{number}: line {line} of a letter\n")).collect();
        fs::write(folder.join(format!("{number}.txt")), text).expect("a file");
    }
}

/// Encrypts files, as far as a backup can see it: their content is as random.
fn encrypt(folder: &Path, files: usize) {
    for number in 0..files {
        let path = folder.join(format!("{number}.txt"));
        let length = fs::metadata(&path).expect("a file").len() as usize;
        fs::write(path, noise(length, number as u64)).expect("a file");
    }
}

/// A person whose documents are backed up, and who keeps three snapshots.
fn person() -> (Person, std::path::PathBuf) {
    let person = Person::with_destinations(&["one"]);
    let documents = person.folder("Documents", "a note");
    write_texts(&documents);
    person.types(["source", "add", "Documents"]).assert_code(0);
    person.types(["config", "set", "retention.last", "2"]).assert_code(0);
    person.types(["config", "set", "retention.auto", "true"]).assert_code(0);
    for day in 0..2 {
        fs::write(documents.join("0.txt"), format!("day {day}")).expect("a file");
        let backup = person.types(["backup"]).assert_code(0);
        assert!(!backup.out.contains("SUSPICIOUS"), "{backup:?}");
    }
    (person, documents)
}

fn count(person: &Person) -> usize {
    let listed = person.types(["snapshots", "--json"]).assert_code(0).objects();
    listed.iter().filter(|line| line["type"] == "snapshot").count()
}

#[test]
fn encryption_is_told_and_stops_forgetting_until_it_is_acknowledged() {
    let (person, documents) = person();
    person.types(["status", "--check"]).assert_code(0);
    // Too few files for a half, but what they hold can't be compressed any more.
    encrypt(&documents, 25);
    let told = person.types(["backup"]).assert_code(0);
    assert!(told.out.contains("SUSPICIOUS") && told.out.contains("25 changed"), "{told:?}");
    assert!(told.out.contains("encrypted") && told.out.contains("yore acknowledge"), "{told:?}");
    assert!(told.out.contains("Retention of documents pauses"), "{told:?}");
    let status = person.types(["status", "--check"]).assert_code(1);
    assert!(status.out.contains("SUSPICIOUS CHANGE"), "{status:?}");
    assert!(status.err.contains("1 suspicious change"), "{status:?}");
    assert!(person.types(["snapshots"]).assert_code(0).out.contains("(suspicious change)"));
    for day in 0..3 {
        fs::write(documents.join("0.txt"), format!("later {day}")).expect("a file");
        person.types(["backup"]).assert_code(0);
    }
    assert_eq!(count(&person), 6, "nothing was forgotten");
    let refused = person.types(["forget", "--keep-last", "5"]).assert_code(1);
    assert!(refused.err.contains("suspicious change"), "{refused:?}");
    person.types(["forget", "--keep-last", "5", "--dry-run"]).assert_code(0);
    person.types(["acknowledge"]).assert_code(0);
    assert!(person.types(["acknowledge"]).assert_code(0).out.contains("nothing to acknowledge"));
    person.types(["status", "--check"]).assert_code(0);
    let listed = person.types(["snapshots", "--json"]).assert_code(0).objects();
    let flags: Vec<_> =
        listed.iter().map(|one| (&one["suspicious"], &one["acknowledged"])).collect();
    assert_eq!(flags.iter().filter(|flag| **flag == (&true.into(), &true.into())).count(), 1);
    person.types(["forget", "--keep-last", "4"]).assert_code(0);
    assert_eq!(count(&person), 4);
}

#[test]
fn removal_of_most_files_is_suspicious_and_of_a_few_is_not() {
    let (person, documents) = person();
    for number in 0..20 {
        fs::remove_file(documents.join(format!("{number}.txt"))).expect("removed");
    }
    let backup = person.types(["backup", "--json"]).assert_code(0).objects();
    let made = backup.iter().find(|line| line["type"] == "backup").expect("a report");
    assert!(made["suspicious"].is_null(), "{made}");
    assert_eq!(made["head"], made["snapshot"]);
    for number in 20..50 {
        fs::remove_file(documents.join(format!("{number}.txt"))).expect("removed");
    }
    let backup = person.types(["backup", "--json"]).assert_code(0).objects();
    let made = backup.iter().find(|line| line["type"] == "backup").expect("a report");
    assert_eq!(made["suspicious"]["removed"], 30, "{made}");
    let id = made["snapshot"].as_str().expect("an id").to_owned();
    person.types(["acknowledge", &id[..8]]).assert_code(0);
    person.types(["status", "--check"]).assert_code(0);
}
