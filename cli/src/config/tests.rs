//! The configuration: mistakes with their places, and edits that leave everything else alone.

use proptest::prelude::*;

use super::check::mistakes;
use super::edit::{self, Field};
use super::feed::feed;
use super::{Settings, get, to_json};

const SAMPLE: &str = r#"# Mine.
key-file = "/etc/yore.key"   # opens everything
limit.upload = ["5 MB/s", "08:00-18:00 1 MB/s"]

# At home.
[[destination]]
name = "nas"
url = "/mnt/nas/yore"       # the share
verify-writes = true

[[destination]]
name = "disk"
url = "volume:My Disk/yore"
offsite = true

# What matters.
[[source]]
name = "documents"
paths = [
    "/home/me/Documents",   # all of it
    "/home/me/Pictures",
]
exclude = ["*.o", "~/.cache"]
exclude-larger-than = "4G"
# The end.
"#;

#[test]
fn a_configuration_is_read_as_it_is_meant() {
    assert_eq!(mistakes(SAMPLE), []);
    let settings = Settings::read(SAMPLE);
    assert_eq!(settings.secret.key_file.as_deref(), Some("/etc/yore.key".as_ref()));
    assert_eq!(settings.limits.upload.rate_at(9 * 60), Some(1_000_000));
    assert_eq!(settings.limits.upload.rate_at(19 * 60), Some(5_000_000));
    assert_eq!(settings.limits.download.rate_at(0), None);
    let [nas, disk] = settings.destinations.as_slice() else { panic!("two destinations") };
    assert!(nas.verify_writes && !nas.is_removable);
    assert_eq!(nas.title(), "nas (/mnt/nas/yore)");
    assert!(disk.is_removable && disk.off_site == Some(true));
    let [source] = settings.sources.as_slice() else { panic!("a source") };
    assert_eq!((source.paths.len(), source.exclude.len()), (2, 2));
    assert_eq!(source.exclude_larger_than, Some(4 << 30));
}

#[test]
fn every_mistake_is_named_with_its_place_and_what_is_expected() {
    let first = |text: &str| {
        let found = mistakes(text);
        let mistake = found.first().unwrap_or_else(|| panic!("no mistake in {text}"));
        (mistake.line, mistake.column, mistake.what.clone())
    };
    for (text, line, column, part) in [
        ("kye-file = \"/x\"", 1, 1, "perhaps \"key-file\""),
        ("keep-file = \"/x\"", 1, 1, "perhaps \"key-file\""),
        ("retention.keep-last = 3", 1, 11, "perhaps \"last\""),
        ("\n\n[[destnation]]\nname = \"a\"", 3, 3, "perhaps \"destination\""),
        ("[[destination]]\nname = \"a\"\nurl = \"/x\"\nremoveable = true", 4, 1, "\"removable\""),
        ("[[destination]]\nname = \"a\"\nurl = \"/x\"\nverify_writes = 1", 4, 1, "verify-writes"),
        (
            "[[destination]]\nname = \"a\"\nurl = \"/x\"\nremovable = \"yes\"",
            4,
            13,
            "true or false",
        ),
        ("[[destination]]\nname = \"a b\"\nurl = \"/x\"", 2, 8, "letters"),
        ("[[destination]]\nname = \"a\"\nurl = \"disk\"", 3, 7, "absolute"),
        ("[[destination]]\nname = \"a\"\nurl = \"me@nas:/x\"", 3, 7, "sftp://me@nas/x"),
        ("[[destination]]\nname = \"a\"", 1, 1, "no url"),
        ("[[source]]\nname = \"a\"\npaths = \"/x\"", 3, 9, "absolute paths"),
        ("[[source]]\nname = \"a\"\npaths = [\"x\"]", 3, 9, "absolute path"),
        ("[source]\nname = \"a\"", 1, 2, "[[source]]"),
        ("key-file = 7", 1, 12, "not the number 7"),
        ("key-file = \"/a\"\nlimit.upload = \"fast\"", 2, 16, "5 MB/s"),
        ("limit = 5", 1, 1, "limit.download"),
        ("cache.size = \"much\"", 1, 14, "256M"),
        ("parity = \"110%\"", 1, 10, "such as 5%"),
        ("parity = 5", 1, 10, "\"5%\""),
        ("a = ", 1, 5, ""),
        ("# ä\nkey-file = \"ä\" x", 2, 16, ""),
    ] {
        let (at_line, at_column, what) = first(text);
        assert_eq!((at_line, at_column), (line, column), "{text}: {what}");
        assert!(what.contains(part), "{text}: {what}");
    }
    let twice = "[[source]]\nname='a'\npaths=['/x']\n[[source]]\nname='a'\npaths=['/y']";
    assert_eq!(mistakes(twice).len(), 1);
    assert_eq!(mistakes("a = 1\nb = 2\n[c]\nd = 3").len(), 3, "all are found");
}

fn set(text: &str, key: &str, values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    edit::set(text, key, &values).expect("it can be set")
}

/// Fails unless the second text is the first one with one line changed or added; returns that line.
fn changed_line<'t>(before: &str, after: &'t str) -> &'t str {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let rest = old.len() + usize::from(new.len() == old.len() + 1) - same;
    let old_rest = &old[same + usize::from(new.len() == old.len())..];
    assert_eq!(&new[same + 1..], old_rest, "{before}\n---\n{after}");
    assert!(rest > 0);
    new[same]
}

#[test]
fn setting_a_value_changes_one_line_and_keeps_its_comment() {
    let after = set(SAMPLE, "destination.nas.url", &["/mnt/other"]);
    assert_eq!(changed_line(SAMPLE, &after), "url = \"/mnt/other\"       # the share");
    let after = set(SAMPLE, "destination.disk.verify-writes", &["yes"]);
    assert_eq!(changed_line(SAMPLE, &after), "verify-writes = true");
    let after = set(SAMPLE, "limit.download", &["2 MB/s"]);
    assert_eq!(changed_line(SAMPLE, &after), "limit.download = \"2 MB/s\"");
    let after = set(SAMPLE, "destination.nas.limit.upload", &["1 MB/s"]);
    assert_eq!(changed_line(SAMPLE, &after), "limit.upload = \"1 MB/s\"");
    assert_eq!(mistakes(&after), []);
    let again = set(SAMPLE, "key-file", &["/etc/yore.key"]);
    assert_eq!(again, SAMPLE);
    let dos = SAMPLE.replace('\n', "\r\n");
    let after = set(&format!("\u{feff}{dos}"), "destination.nas.verify-writes", &["false"]);
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
    assert!(after.starts_with("\u{feff}# Mine.\r\n"));
}

#[test]
fn entries_are_added_and_removed_without_touching_others() {
    let fields = [
        ("name", Field::Text("usb".into())),
        ("url", Field::Text("volume:USB/yore".into())),
        ("removable", Field::Bool(true)),
    ];
    let added = edit::add_entry(SAMPLE, "destination", &fields).expect("it is added");
    assert_eq!(mistakes(&added), []);
    assert!(SAMPLE.lines().all(|line| added.lines().any(|other| other == line)));
    assert_eq!(edit::names(&added, "destination"), ["nas", "disk", "usb"]);
    let removed = edit::remove_entry(&added, "destination", "usb").expect("it is removed");
    assert_eq!(removed, SAMPLE);
    let removed = edit::remove_entry(SAMPLE, "source", "documents").expect("it is removed");
    assert_eq!(mistakes(&removed), []);
    assert_eq!(edit::names(&removed, "source"), [""; 0]);
    let first = edit::add_entry("", "destination", &fields).expect("it is added");
    assert!(first.starts_with("[[destination]]\nname = \"usb\"\n"), "{first}");
    let refused = edit::remove_entry(SAMPLE, "destination", "no").expect_err("it is not there");
    assert!(refused.hint.contains("nas, disk"), "{refused:?}");
}

#[test]
fn keys_that_are_no_single_value_are_refused_with_what_there_is() {
    for (key, part) in [
        ("destination", "NAME"),
        ("destination.nas", "destination.nas.url"),
        ("destination.nas.ulr", "\"url\""),
        ("destination.none.url", "nas, disk"),
        ("limit", "limit.upload"),
        ("key-file.x", "config show"),
        ("drill.monthly", "config show"),
    ] {
        let refused = edit::set(SAMPLE, key, &["1".to_owned()]).expect_err(key);
        let said = format!("{} {}", refused.what, refused.hint);
        assert!(said.contains(part), "{key}: {said}");
    }
    let counted = edit::set(SAMPLE, "retention.daily", &["7".to_owned()]).expect("a number");
    assert!(
        counted.contains("retention.daily = 7\n") && mistakes(&counted).is_empty(),
        "{counted}"
    );
    let refused = edit::set(SAMPLE, "destination.nas.removable", &["maybe".to_owned()]);
    assert!(refused.expect_err("it is no bool").what.contains("true or false"));
}

#[test]
fn values_are_read_back_as_they_were_set() {
    let value = |text: &str, key: &str| get(text, key).expect("a key").map(|v| v.to_string());
    assert_eq!(value(SAMPLE, "key-file").as_deref(), Some("\"/etc/yore.key\""));
    assert_eq!(value(SAMPLE, "destination.nas.verify-writes").as_deref(), Some("true"));
    assert_eq!(value(SAMPLE, "destination.nas.limit.upload"), None);
    let unset = edit::unset(SAMPLE, "destination.nas.verify-writes").expect("it was set");
    assert_eq!(value(&unset, "destination.nas.verify-writes"), None);
    assert!(edit::unset(SAMPLE, "cache.size").is_err());
    let shown = to_json(SAMPLE);
    assert_eq!(shown["destination"][1]["url"], "volume:My Disk/yore");
    assert_eq!(shown["limit"]["upload"][0], "5 MB/s");
}

#[test]
fn whatever_a_fuzzer_found_is_read_or_refused() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/corpus/configuration");
    let entries = std::fs::read_dir(corpus).expect("a folder");
    let mut count = 0;
    for entry in entries {
        feed(&std::fs::read(entry.expect("an entry").path()).expect("a file"));
        count += 1;
    }
    assert!(count > 0);
    feed(SAMPLE.as_bytes());
}

/// Comments, blank lines and keys in any order, as people write them.
fn configuration() -> impl Strategy<Value = String> {
    let comment = "# [ -~äöü]{0,30}";
    let top = prop_oneof![
        Just(String::new()),
        comment.prop_map(String::from),
        Just("  # indented".to_owned()),
    ];
    let path = "/[a-z0-9 äß./]{0,12}";
    let destination =
        (path, comment, any::<bool>(), 0..3usize).prop_map(|(path, note, bool, blank)| {
            let end = format!("removable = {bool} {note}\n{}", "\n".repeat(blank));
            format!("url   =  \"{path}\"  {note}\n{note}\n{end}")
        });
    let parts = proptest::collection::vec(destination, 1..4);
    (proptest::collection::vec(top, 0..4), parts).prop_map(|(top, parts)| {
        let lists = parts
            .iter()
            .enumerate()
            .map(|(n, part)| format!("[[destination]] # number {n}\nname='d{n}'\n{part}"));
        format!("{}\n{}# end\n", top.join("\n"), lists.collect::<String>())
    })
}

proptest! {
    #[test]
    fn what_is_set_is_read_back_and_every_other_line_stays(
        text in configuration(),
        path in "/[a-zA-Z0-9 äöü\"'\\\\#=\t]{0,20}",
        rate in 1..500u32,
        on in any::<bool>(),
    ) {
        prop_assert_eq!(mistakes(&text), []);
        for (key, value) in [
            ("destination.d0.url", path.clone()),
            ("key-file", path),
            ("destination.d0.verify-writes", on.to_string()),
            ("destination.d0.removable", on.to_string()),
            ("destination.d0.limit.upload", format!("{rate} MB/s")),
            ("cache.size", format!("{rate}G")),
        ] {
            let after = edit::set(&text, key, std::slice::from_ref(&value)).expect("it can be set");
            prop_assert_eq!(mistakes(&after), []);
            let found = get(&after, key).expect("a key").expect("it is set");
            prop_assert_eq!(found.as_str().map_or(found.to_string(), str::to_owned), value);
            let missing = text.lines().filter(|line| !after.lines().any(|other| other == *line));
            prop_assert!(missing.count() <= 1, "{}\n---\n{}", text, after);
            prop_assert!(after.lines().count() <= text.lines().count() + 1);
            let unset = edit::unset(&after, key);
            if get(&text, key).expect("a key").is_none() {
                prop_assert_eq!(unset.expect("it was set"), text.clone());
            }
        }
    }
}
