//! What a package installs besides the program: manual pages, completions, units, menus.

use std::fs;

use yore_tests::{Person, binary, in_shell};

#[test]
fn the_files_of_a_package_are_read_by_those_who_look_for_them() {
    let person = Person::new();
    let (folder, program) = (person.at("local"), binary());
    let words = ["package-files", "local", "--program", program.to_str().expect("text")];
    person.types(words).assert_code(0);
    let page =
        "LC_ALL=C.UTF-8 man --warnings --local-file \"$1\"/share/man/man1/yore-backup.1 2>&1";
    let page = in_shell(page, &[&folder]);
    assert!(page.contains("NAME") && !page.contains("warning"), "{page}");
    assert!(!folder.join("share/man/man1/yore-help.1").exists());
    in_shell("bash -n \"$1\"/share/bash-completion/completions/yore", &[&folder]);
    let completed = "source \"$1\"/share/bash-completion/completions/yore
        COMP_WORDS=(yore sna) COMP_CWORD=1; _yore yore sna yore; echo \"${COMPREPLY[@]}\"";
    assert_eq!(in_shell(completed, &[&folder]), "snapshots\n");
    for (file, word) in [
        ("share/zsh/site-functions/_yore", "#compdef yore"),
        ("share/fish/vendor_completions.d/yore.fish", "snapshots"),
        ("share/kio/servicemenus/yore-previous-versions.desktop", " desktop open -- %f"),
        ("share/nautilus-python/extensions/yore_previous_versions.py", "YORE = \"/"),
        ("lib/systemd/system/yore-backup.timer", "OnCalendar=*-*-* 03:30:00"),
        ("lib/systemd/system/yore-backup.service", " --config /etc/yore/config.toml "),
    ] {
        let text = fs::read_to_string(folder.join(file)).expect(file);
        assert!(text.contains(word) && !text.contains("@YORE@"), "{file}: {text}");
    }
    let verified = "systemd-analyze verify --man=no \"$1\"/lib/systemd/system/yore-* 2>&1";
    let verified = in_shell(verified, &[&folder]);
    assert!(!verified.contains("yore-"), "{verified}");
}

#[test]
fn a_program_that_no_unit_could_start_is_refused() {
    let person = Person::new();
    for program in ["yore", "/usr/bin/a\nb", ""] {
        person.types(["package-files", "local", "--program", program]).assert_code(2);
        assert!(!person.at("local").exists());
    }
    fs::write(person.at("file"), "").expect("a file");
    let ended =
        person.types(["package-files", "file", "--program", "/usr/bin/yore"]).assert_code(1);
    assert!(ended.err.contains("file"), "{}", ended.err);
}

#[test]
fn a_unit_of_a_package_is_listed_when_it_is_enabled_and_can_be_disabled() {
    let person = Person::new();
    person.types(["package-files", "local", "--program", "/usr/bin/yore"]).assert_code(0);
    let listed = || person.types(["schedule", "list", "--json"]).assert_code(0).objects();
    assert_eq!(listed().len(), 0);
    let enable = "mkdir -p \"$1\"/.config/systemd/user/{timers,default}.target.wants
        cd \"$1\"/.config/systemd/user
        ln -s \"$1\"/local/lib/systemd/system/yore-drill.timer timers.target.wants/
        ln -s \"$1\"/local/lib/systemd/system/yore-watch.service default.target.wants/
        ln -s /nowhere/yore-check.timer timers.target.wants/";
    in_shell(enable, &[&person.at("")]);
    let found = listed();
    let found: Vec<_> = found.iter().map(|timer| (&timer["name"], &timer["when"])).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|(name, when)| *name == "drill" && *when == "*-*-01 04:00:00"));
    assert!(found.iter().any(|(name, when)| *name == "watch" && *when == "all the time"));
    for name in ["drill", "watch", "check"] {
        person.types(["schedule", "remove", name]).assert_code(0);
        person.types(["schedule", "remove", name]).assert_code(2);
    }
    assert_eq!(listed().len(), 0);
    // The units themselves are the package's.
    assert!(person.at("local/lib/systemd/system/yore-drill.timer").exists());
}
