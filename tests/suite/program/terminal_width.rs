//! Output on narrow terminals: whole words, lines no longer than the terminal, wide characters in columns.

use std::fs;

use yore_tests::{Yore, on_terminal};

/// Counts the columns of a text: Chinese characters take two.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if ('\u{2e80}'..'\u{ffff}').contains(&c) { 2 } else { 1 }).sum()
}

/// Backs up a folder of Chinese names at a short path, with a host and a tag.
fn with_chinese_names() -> (Yore, String) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("文件");
    fs::write(source.join("年度报告.odt"), "first").expect("a file");
    fs::write(source.join("plan.odt"), "plan").expect("a file");
    let text = source.to_str().expect("UTF-8").to_owned();
    for (day, content) in [("15", "first"), ("16", "second, and longer")] {
        fs::write(source.join("年度报告.odt"), content).expect("a file");
        let time = format!("2026-01-{day}T10:30:00Z");
        yore.run(["backup", "--time", &time, "--host", "书房", "--tag", "家", &text])
            .assert_code(0);
    }
    (yore, text)
}

/// Fails if a line is wider than the terminal, or a word of `words` is broken.
#[track_caller]
fn assert_readable(shown: &str, width: usize, words: &[&str]) {
    for line in shown.lines() {
        assert!(
            columns(line) <= width,
            "{} columns of {width}: {line:?} in\n{shown}",
            columns(line)
        );
    }
    for word in words {
        assert!(shown.lines().any(|line| line.contains(word)), "{word:?} is broken in\n{shown}");
    }
}

#[test]
fn tables_are_readable_on_40_and_80_columns_with_chinese_names() {
    let (yore, source) = with_chinese_names();
    let report = format!("{source}/年度报告.odt");
    let id = &yore.snapshot_ids()[0][..8];
    for width in [40, 80] {
        let on = |arguments: &[&str]| {
            let ended = yore.run_on_terminal(width, arguments).assert_code(0);
            (ended.out, usize::from(width))
        };
        let times = ["2026-01-15 10:30:00", "2026-01-16 10:30:00"];
        let (shown, most) = on(&["snapshots"]);
        assert_readable(&shown, most, &[id, "书房", "文件", "家", times[0], times[1]]);
        let (shown, most) = on(&["log", &report, "--all-hosts"]);
        assert_readable(&shown, most, &["18 B", "书房", times[0], times[1]]);
        let (shown, most) = on(&["find", "*.odt", "--all-hosts"]);
        assert_readable(&shown, most, &["年度报告.odt", "plan.odt", "18 B"]);
        let (shown, most) = on(&["status"]);
        assert_readable(&shown, most, &["书房", "文件"]);
        let (shown, most) = on(&["stats"]);
        assert_readable(&shown, most, &["repository", "snapshots", "names"]);
        let (shown, most) = on(&["ls", &format!("latest:{source}"), "--all-hosts"]);
        assert_readable(&shown, most, &["年度报告.odt", "-rw-r--r--"]);
        let (shown, most) = on(&["check"]);
        assert_readable(&shown, most, &["snapshots", "Everything"]);
        let (shown, most) = on(&[]);
        assert_readable(&shown, most, &["snapshots", "encrypted,"]);
    }
}

#[test]
fn columns_stay_aligned_with_chinese_names() {
    let (yore, source) = with_chinese_names();
    yore.run(["backup", "--host", "study", &source]).assert_code(0);
    let shown = yore.run_on_terminal(200, &["snapshots"]).assert_code(0).out;
    let starts: Vec<usize> = shown
        .lines()
        .skip(1)
        .filter_map(|line| Some(columns(&line[..line.find(&source)?])))
        .collect();
    assert_eq!(starts.len(), 3, "{shown}");
    assert!(starts.iter().all(|start| *start == starts[0]), "{starts:?} in\n{shown}");
}

#[test]
fn errors_and_hints_are_broken_between_words() {
    let yore = Yore::with_repository();
    for width in [40, 80] {
        let ended = yore.run_on_terminal(width, &["ls", "latest"]).assert_code(1);
        assert_readable(&ended.out, usize::from(width), &["snapshots", "backup", "PATH"]);
        let help = yore.run_on_terminal(width, &["--help"]).assert_code(0);
        assert_readable(&help.out, usize::from(width), &["repository", "snapshots"]);
    }
}

#[test]
fn the_recovery_key_is_broken_between_its_groups() {
    let yore = Yore::new();
    let shown = yore.run_on_terminal(40, &["init"]).assert_code(0).out;
    let key: String = shown.split("Recovery key:").nth(1).expect("it is shown").into();
    let key: Vec<&str> = key.lines().take_while(|line| !line.is_empty()).collect();
    assert_readable(&key.join("\n"), 40, &[]);
    let is_group = |word: &str| {
        word.len() == 5 && word.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase())
    };
    let groups = shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| is_group(word));
    assert_eq!(groups.count(), 9, "{shown}");
}

#[test]
fn the_variable_columns_sets_the_width_and_pipes_have_no_limit() {
    let (yore, _) = with_chinese_names();
    let mut command = yore.command(["--no-progress", "snapshots"]);
    command.env("COLUMNS", "40");
    let shown = on_terminal(120, &command, "").assert_code(0).out;
    assert_readable(&shown, 40, &["书房", "文件"]);
    let piped = Yore::finish(&mut command).assert_code(0);
    assert_eq!(piped.out.lines().count(), 3, "a line for each snapshot: {}", piped.out);
}
