//! The help of every command, and errors of usage.

use yore_tests::Yore;

/// Lists the commands that the help names.
fn commands(yore: &Yore) -> Vec<String> {
    let help = yore.run(["--help"]).assert_code(0).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = listed.take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| {
        let is_name = line.starts_with("  ") && !line.starts_with("   ");
        line.split_whitespace().next().filter(|_| is_name).map(str::to_owned)
    });
    names.filter(|name| name != "help").collect()
}

#[test]
fn every_help_has_its_own_options_first_and_examples_codes_and_variables_at_the_end() {
    let yore = Yore::new();
    let commands = commands(&yore);
    assert!(commands.len() > 15, "{commands:?}");
    for name in &commands {
        let help = yore.run([name, "--help"]).assert_code(0).out;
        let parts = ["Options:", "Global options:", "Examples:", "Exit codes:", "Environment:"];
        let places: Vec<usize> = parts
            .iter()
            .map(|part| {
                let place = help.find(&format!("\n{part}\n"));
                place.unwrap_or_else(|| panic!("{part} is missing in {help}"))
            })
            .collect();
        assert!(places.is_sorted(), "{help}");
        let global = help.find("--repo <").expect("the option");
        assert!(global > places[1], "--repo is a global option: {help}");
        let example = &help[places[2]..places[3]];
        assert!(example.contains(&format!("yore {name}")), "{example}");
        assert_eq!(yore.run(["help", name]).assert_code(0).out, help);
    }
    let nested = yore.run(["alert", "check", "--help"]).assert_code(0).out;
    assert!(
        nested.contains("\n  yore alert check\n") && !nested.contains("yore check"),
        "{nested}"
    );
    yore.run(["help"]).assert_code(0);
    yore.run(["help", "nonsense"]).assert_code(2);
}

/// Variables that programs get which this one starts.
const FOR_OTHERS: [&str; 12] = [
    "YORE_HOOK",
    "YORE_SOURCE",
    "YORE_RESULT",
    "YORE_SNAPSHOT",
    "YORE_ERROR",
    "YORE_SECONDS",
    "YORE_ALERT_TITLE",
    "YORE_ALERT_JSON",
    "YORE_DRILL_DIR",
    "YORE_DATABASE",
    "YORE_FILE",
    "YORE_BYTES",
];

fn sources_of_readme() -> String {
    std::fs::read_to_string(yore_tests::root().join("README.md")).expect("the README")
}

#[test]
fn the_help_names_every_variable_that_the_program_reads() {
    let yore = Yore::new();
    let help = yore.run(["help", "backup"]).assert_code(0).out;
    let sources = yore_tests::source_files();
    let code = sources.iter().filter(|file| file.path.starts_with("cli/src"));
    let readme = sources_of_readme();
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut named = 0;
    for file in code {
        for text in file.text.split('"').skip(1) {
            if text.starts_with("YORE_") && text.chars().all(is_part) {
                if FOR_OTHERS.contains(&text) {
                    assert!(readme.contains(text), "{text} of {} is not in the README", file.path);
                    continue;
                }
                named += 1;
                assert!(help.contains(text), "{text} of {} is not in {help}", file.path);
            }
        }
    }
    assert!(named >= 7, "only {named} variables were found");
}

#[test]
fn all_errors_have_one_style() {
    let yore = Yore::with_repository();
    for words in [
        &["nonsense"][..],
        &["bakup", "x"],
        &["find"],
        &["find", "x", "--type", "fil"],
        &["snapshots", "--limit", "x"],
        &["snapshots", "--nonsense"],
        &["restore", "latest", "--in-place", "--target", "x"],
        &["serve"],
        &["backup"],
        &["ls", "soon"],
        &["cat", "latest:/none"],
    ] {
        let ended = yore.run(words);
        let lines: Vec<&str> = ended.err.lines().collect();
        assert_eq!(lines.len(), 2, "{words:?}: {}", ended.err);
        assert!(lines[0].starts_with("yore: ") && lines[1].starts_with("  "), "{}", ended.err);
        let json = yore.run([&["--json"], words].concat());
        let error: serde_json::Value = serde_json::from_str(json.err.trim()).expect("an object");
        assert_eq!(error["message"].as_str(), lines[0].strip_prefix("yore: "));
        assert_eq!(error["hint"].as_str(), Some(lines[1].trim()));
    }
    let typo = yore.run(["bakup"]).assert_code(2);
    assert!(typo.err.contains("did you mean backup"), "{}", typo.err);
}
