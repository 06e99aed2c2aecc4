//! The configuration as people write it, in an empty home.

use std::path::Path;

use yore_tests::{Person, Yore, in_shell, needs_root};

#[test]
fn commands_configure_an_empty_home_and_then_need_no_options() {
    let person = Person::new();
    let documents = person.folder("Documents", "first");
    let refused = person.types(["backup"]).assert_code(2);
    assert!(refused.err.contains("source add"), "{}", refused.err);
    let refused = person.types(["snapshots"]).assert_code(2);
    assert!(refused.err.contains("destination add"), "{}", refused.err);
    person.types(["destination", "add", "backups"]).assert_code(0);
    person.types(["config", "set", "key-file", "~/yore.key"]).assert_code(0);
    person.types(["source", "add", "Documents"]).assert_code(0);
    person.types(["init"]).assert_code(0);
    let saved = person.types(["backup"]).assert_code(0);
    assert!(saved.out.contains("of documents"), "{}", saved.out);
    let listed = person.types(["snapshots", "--json"]).assert_code(0).objects();
    assert_eq!(listed[0]["sources"][0], documents.to_str().expect("text"));
    std::fs::remove_file(documents.join("file")).expect("removed");
    person.types_on("restore", &documents.join("file")).assert_code(0);
    assert_eq!(std::fs::read_to_string(documents.join("file")).expect("a file"), "first");
    for words in [&["status"][..], &["check", "--read-data"], &["stats"], &["ls"]] {
        person.types(words).assert_code(0);
    }
    let mode = in_shell("stat -c %a \"$1\"", &[&person.configuration()]);
    assert_eq!(mode.trim(), "600");
    // Another place is still named by an option, without the configuration.
    let other = person.types(["--repo", "elsewhere", "snapshots"]).assert_code(10);
    assert!(other.err.contains("elsewhere"), "{}", other.err);
}

#[test]
fn every_mistake_is_told_with_its_place_and_nothing_is_done() {
    let person = Person::with_destinations(&["one"]);
    person.folder("docs", "x");
    let right = person.configured();
    for (added, place, part) in [
        ("kye-file = \"/x\"\n", "line 1, column 1", "key-file"),
        ("cache.size = true\n", "line 1, column 14", "a size"),
        ("limit.upload = \"5 MB\"\n", "line 1, column 16", "5 MB/s"),
        ("key-file\n", "line 1, column 9", ""),
        ("source = \"/x\"\n", "line 1, column 1", "[[source]]"),
    ] {
        person.configure(&format!("{added}{right}"));
        for words in [&["backup", "docs"][..], &["snapshots"], &["source", "add", "docs"]] {
            let ended = person.types(words).assert_code(2);
            let path = person.configuration();
            assert!(ended.err.contains(place), "{added}: {}", ended.err);
            assert!(ended.err.contains(part) && ended.err.contains("config edit"), "{}", ended.err);
            assert!(ended.err.contains(path.to_str().expect("text")), "{}", ended.err);
        }
        assert_eq!(person.configured(), format!("{added}{right}"));
    }
    person.configure(&right);
    assert!(person.types(["snapshots"]).assert_code(0).out.contains("no snapshots yet"));
}

#[test]
fn setting_a_value_leaves_every_other_byte_as_it_is() {
    let person = Person::with_destinations(&["one", "two"]);
    let text =
        format!("# My own notes: äöü\n\n{}\n#   the end, without a line end", person.configured());
    person.configure(&text);
    let verify = "destination.two.verify-writes";
    person.types(["config", "set", verify, "true"]).assert_code(0);
    let after = person.configured();
    let added: Vec<&str> = after.lines().filter(|line| !text.lines().any(|l| l == *line)).collect();
    assert_eq!(added, ["verify-writes = true"]);
    person.types(["config", "set", verify, "--remove"]).assert_code(0);
    assert_eq!(person.configured(), text);
    let shown = person.types(["config", "get", "destination.two.url"]).assert_code(0);
    assert_eq!(shown.out.trim(), person.at("two").to_str().expect("text"));
    let shown = person.types(["config", "show", "--json"]).assert_code(0).objects();
    assert_eq!(shown[0]["settings"]["destination"][1]["name"], "two");
    assert_eq!(person.types(["config", "show"]).assert_code(0).out, format!("{text}\n"));
    let unset = person.types(["config", "get", "cache.size"]).assert_code(1);
    assert!(unset.err.contains("not set"), "{}", unset.err);
    for (words, part) in [
        (&["destination.two.removeable", "true"][..], "\"removable\""),
        (&["destination.two.removable", "perhaps"], "true or false"),
        (&["destination.three.url", "/x"], "one, two"),
        (&["destination.two.url", "me@nas:/x"], "sftp://me@nas/x"),
        (&["limit.upload", "fast"], "5 MB/s"),
    ] {
        let ended = person.types(["config", "set"].iter().chain(words)).assert_code(2);
        assert!(ended.err.contains(part), "{words:?}: {}", ended.err);
        assert_eq!(person.configured(), text);
    }
}

#[test]
fn a_configuration_that_others_can_write_is_refused_until_they_can_not() {
    needs_root("give files to others");
    let person = Person::with_destinations(&["one"]);
    let path = person.configuration();
    for line in ["chmod 602 \"$1\"", "chmod 620 \"$1\"", "chmod 600 \"$1\" && chown 4242 \"$1\""] {
        in_shell(line, &[&path]);
        let ended = person.types(["snapshots"]).assert_code(1);
        assert!(ended.err.contains("written by others"), "{line}: {}", ended.err);
    }
    in_shell("chown 0 \"$1\" && chmod 644 \"$1\"", &[&path]);
    person.types(["snapshots"]).assert_code(0);
    person.types(["config", "set", "cache.size", "2G"]).assert_code(0);
    assert_eq!(in_shell("stat -c %a \"$1\"", &[&path]).trim(), "600");
}

#[test]
fn profiles_are_files_of_their_own_and_a_missing_one_is_named() {
    let person = Person::with_destinations(&["one"]);
    let missing = person.types(["--profile", "work", "snapshots"]).assert_code(2);
    assert!(missing.err.contains("work.toml"), "{}", missing.err);
    person.types(["--profile", "work", "destination", "add", "office"]).assert_code(0);
    person.types(["--profile", "work", "config", "set", "key-file", "~/work.key"]).assert_code(0);
    person.types(["--profile", "work", "init"]).assert_code(0);
    person.folder("docs", "x");
    person.types(["--profile", "work", "backup", "docs"]).assert_code(0);
    let count = |words: &[&str]| person.types(words).assert_code(0).objects().len();
    assert_eq!(count(&["--profile", "work", "snapshots", "--json"]), 1);
    assert_eq!(count(&["snapshots", "--json"]), 0);
    let named = person.at("other.toml");
    std::fs::copy(person.at(".config/yore/work.toml"), &named).expect("a copy");
    let mut command = person.command(["snapshots", "--json"]);
    let listed = Yore::finish(command.env("YORE_CONFIG", &named)).assert_code(0).objects();
    assert_eq!(listed.len(), 1);
    assert_eq!(person.types(["--profile", "../x", "snapshots"]).code, Some(2));
}

#[test]
fn what_an_editor_leaves_is_checked_before_it_is_saved() {
    let person = Person::with_destinations(&["one"]);
    let before = person.configured();
    let edit = |editor: &str| {
        let mut command = person.command(["config", "edit"]);
        Yore::finish(command.env("EDITOR", editor))
    };
    let refused = edit("sed -i s/url/ulr/").assert_code(2);
    assert!(refused.err.contains("perhaps \"url\""), "{}", refused.err);
    assert_eq!(person.configured(), before);
    let kept = refused.err.split_whitespace().last().expect("the path of the draft");
    assert!(std::fs::read_to_string(kept).expect("the draft").contains("ulr"), "{kept}");
    assert!(edit("true").assert_code(0).out.contains("Nothing was changed"));
    assert!(edit("false").assert_code(1).err.contains("EDITOR"));
    edit("sed -i '1i cache.size = \"1G\"'").assert_code(0);
    assert_eq!(person.configured(), format!("cache.size = \"1G\"\n{before}"));
    // Where nothing is configured yet, the editor shows what can be.
    let empty = Person::new();
    let mut command = empty.command(["config", "edit"]);
    Yore::finish(command.env("EDITOR", "sed -i 's/^# cache/cache/'")).assert_code(0);
    assert!(empty.configured().contains("\ncache.size = \"2G\"\n"), "{}", empty.configured());
}

#[test]
fn a_link_to_the_configuration_stays_a_link() {
    let person = Person::with_destinations(&["one"]);
    let (path, real) = (person.configuration(), person.at("dotfiles.toml"));
    in_shell("mv \"$1\" \"$2\" && ln -s \"$2\" \"$1\"", &[&path, &real]);
    person.types(["config", "set", "cache.size", "2G"]).assert_code(0);
    assert_eq!(std::fs::read_link(&path).expect("a link"), real);
    assert!(std::fs::read_to_string(&real).expect("a file").contains("2G"));
}

#[test]
fn the_configuration_names_where_the_secret_is_and_options_come_first() {
    let person = Person::with_destinations(&["one"]);
    let phrase = person.at("phrase");
    std::fs::write(&phrase, "correct horse battery staple\n").expect("a file");
    let other = Person::new();
    for (key, value) in [
        ("password-file", phrase.to_str().expect("text").to_owned()),
        ("password-command", format!("cat '{}'", phrase.display())),
    ] {
        let folder = format!("with-{key}");
        let profile = ["--profile", key];
        let types = |words: &[&str]| other.types(profile.iter().chain(words));
        types(&["config", "set", key, &value]).assert_code(0);
        types(&["destination", "add", &folder]).assert_code(0);
        types(&["init"]).assert_code(0);
        types(&["snapshots"]).assert_code(0);
        let mut command = other.command(profile.iter().chain(&["snapshots"]));
        Yore::finish(command.env("YORE_PASSWORD", "wrong")).assert_code(12);
    }
    let wrong = person.types_on("snapshots --password-file", Path::new(&phrase)).assert_code(12);
    assert!(!wrong.err.contains("horse"), "{}", wrong.err);
}
