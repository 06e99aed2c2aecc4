//! The rules of the design, checked against the sources.

use yore_tests::{
    SourceFile, circles_between_rooms, count_citations, crowded_folders, free_relatives,
    imports_of_room, more_than_contents, root, source_files, wrong_citations,
};

/// Words that only the package `platform` may use.
const SYSTEM_WORDS: [&str; 14] = [
    "cfg(unix",
    "cfg(windows",
    "cfg(target_os",
    "cfg(target_family",
    "cfg(not(unix",
    "cfg(not(windows",
    "cfg_attr(unix",
    "cfg_attr(windows",
    "std::os::",
    "libc::",
    "rustix::",
    "fuser::",
    "winfsp::",
    "unsafe ",
];

/// This file, which names the forbidden words.
const THIS: &str = "tests/suite/design/layers.rs";

fn rust_files(folder: &str) -> Vec<SourceFile> {
    let prefix = format!("{folder}/");
    let files = source_files().into_iter().filter(|file| {
        file.path.starts_with(&prefix) && file.path.ends_with(".rs") && file.path != THIS
    });
    files.collect()
}

/// Fails with everything that breaks a rule.
#[track_caller]
fn assert_kept(found: Vec<String>) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Finds the lines of code with a word, without comments.
fn lines_with(file: &SourceFile, word: &str) -> Vec<String> {
    let code = file.text.lines().enumerate().filter(|(_, line)| {
        let line = line.trim_start();
        let code = line.split("//").next().unwrap_or_default();
        code.contains(word)
    });
    code.map(|(n, line)| format!("{}:{}: {}", file.path, n + 1, line.trim())).collect()
}

#[test]
fn only_the_platform_calls_the_operating_system() {
    let mut found = Vec::new();
    for file in ["engine", "fs", "cli", "tests"].into_iter().flat_map(rust_files) {
        for word in SYSTEM_WORDS {
            found.extend(lines_with(&file, word));
        }
    }
    assert!(found.is_empty(), "code of the operating system:\n{}", found.join("\n"));
}

#[test]
fn printing_is_done_in_one_file_of_the_program() {
    let mut found = Vec::new();
    for file in ["platform", "engine", "fs", "cli", "tests"].into_iter().flat_map(rust_files) {
        let is_screen = file.path == "cli/src/screen.rs";
        for word in ["println!", "print!(", "eprint!(", "dbg!(", "io::stdout()", "io::stderr()"] {
            let asks =
                |line: &String| line.contains("is_terminal()") || line.contains("rustix::stdio::");
            found.extend(lines_with(&file, word).into_iter().filter(|l| !is_screen && !asks(l)));
        }
    }
    let allowed = |line: &String| line.starts_with("tests/") || line.starts_with("platform/tests/");
    found.retain(|line| !allowed(line));
    assert!(found.is_empty(), "printing outside cli/src/screen.rs:\n{}", found.join("\n"));
}

#[test]
fn the_engine_the_drive_and_the_platform_know_no_terminal_and_no_environment() {
    let mut found = Vec::new();
    for file in ["engine", "fs"].into_iter().flat_map(rust_files) {
        for word in ["std::env", "env::var", "clap::", "indicatif", "is_terminal", "process::exit"]
        {
            found.extend(lines_with(&file, word));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Lists the packages that a manifest names under a heading.
fn dependencies(manifest: &str, heading: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']').ends_with(heading);
        } else if inside
            && let Some(name) = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty())
        {
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn packages_depend_downwards_only() {
    let allowed: [(&str, &[&str]); 5] = [
        ("platform", &[]),
        ("engine", &["yore-platform"]),
        ("fs", &["yore-engine", "yore-platform"]),
        ("cli", &["yore-engine", "yore-fs", "yore-platform"]),
        ("tests", &["yore-engine", "yore-fs", "yore-platform"]),
    ];
    for (folder, below) in allowed {
        let path = root().join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&path).expect("a manifest");
        let names = dependencies(&manifest, "dependencies");
        let own = names.iter().filter(|name| name.starts_with("yore"));
        let wrong: Vec<_> = own.filter(|name| !below.contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "{folder} depends on {wrong:?}");
        let system_packages = ["libc", "rustix", "fuser", "winfsp", "nix", "windows", "xattr"];
        let wrong: Vec<_> =
            names.iter().filter(|name| system_packages.contains(&name.as_str())).collect();
        assert!(folder == "platform" || wrong.is_empty(), "{folder} depends on {wrong:?}");
        let terminal_packages = ["clap", "indicatif", "rpassword", "directories"];
        let wrong: Vec<_> =
            names.iter().filter(|name| terminal_packages.contains(&name.as_str())).collect();
        assert!(folder == "cli" || wrong.is_empty(), "{folder} depends on {wrong:?}");
    }
}

#[test]
fn the_root_holds_what_belongs_there() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "docs",
        "README.md",
        "engine",
        "fs",
        "platform",
        "cli",
        "tests",
    ];
    for file in source_files() {
        let top = file.path.split('/').next().unwrap_or_default();
        assert!(top.starts_with('.') || allowed.contains(&top), "{} is not expected", file.path);
    }
    for name in allowed {
        assert!(root().join(name).exists(), "{name} is missing at the root");
    }
}

#[test]
fn each_package_has_the_documents_that_bind_it() {
    for path in [
        "engine/FORMAT.md",
        "engine/SECURITY.md",
        "engine/DESIGN.md",
        "fs/SEMANTICS.md",
        "platform/DECISIONS.md",
        "engine/DECISIONS.md",
        "fs/DECISIONS.md",
        "cli/DECISIONS.md",
        "cli/JSON.md",
        "tests/DECISIONS.md",
    ] {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_default();
        assert!(text.lines().count() >= 5, "{path} is missing or empty");
    }
}

#[test]
fn no_file_has_a_todo_or_names_a_machine() {
    let mut found = Vec::new();
    for file in source_files() {
        if file.path == THIS || file.path == "Cargo.lock" || file.path == "LICENSE" {
            continue;
        }
        for (n, line) in file.text.lines().enumerate() {
            let later = ["TODO", "FIXME", "XXX:", "HACK:"].iter().any(|word| line.contains(word));
            let machine = ["/work/", "/tmp/wt", "/root/."].iter().any(|path| line.contains(path));
            if later || machine {
                found.push(format!("{}:{}: {}", file.path, n + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn rooms_do_not_import_each_other_in_a_circle() {
    assert_kept(circles_between_rooms(&source_files()));
}

#[test]
fn the_folders_of_the_drive_do_not_import_the_volume() {
    assert_kept(imports_of_room(&source_files(), "fs/src/virtual_dir", "volume"));
}

#[test]
fn the_format_makes_no_calls_of_a_backend() {
    assert_kept(imports_of_room(&source_files(), "engine/src/format", "backend"));
}

#[test]
fn the_root_of_a_library_is_a_table_of_contents() {
    assert_kept(more_than_contents(&source_files()));
}

#[test]
fn no_folder_has_too_many_sources_side_by_side() {
    assert_kept(crowded_folders(&source_files()));
}

#[test]
fn doc_comments_begin_with_a_verb_or_a_noun() {
    assert_kept(free_relatives(&source_files()));
}

#[test]
fn documents_name_tests_that_exist() {
    let files = source_files();
    assert_kept(wrong_citations(&files));
    let semantics = files.iter().find(|file| file.path == "fs/SEMANTICS.md").expect("it is there");
    let named = count_citations(semantics);
    assert!(named > 10, "only {named} tests are named in fs/SEMANTICS.md");
}
