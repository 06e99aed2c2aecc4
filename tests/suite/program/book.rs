//! The pages of `docs/` for people: what they tell people to type is typed, as it stands, in a new home folder.
//!
//! A page has blocks of `sh`, and comments that begin with `before` or `after`: what must be there, and what must have
//! come of it. They are one script, which ends with the first command that fails, on a machine of its own
//! (`book/machine.sh`). `/mnt/` is a folder of the home.

use std::fs;
use std::process::{Command, Stdio};

use yore_tests::{Moto, Person, Podman, binary, in_shell, needs_root, root};

/// What the hidden comments of a page can call.
const MACHINE: &str = include_str!("book/machine.sh");

/// The options of `unshare` for mounts and processes that end with the page.
const APART: [&str; 5] = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(format!("{name}.md"))).expect("a page")
}

/// Returns what a page has people type, with what is set up before and asserted after.
fn script(page: &str) -> String {
    let (mut script, mut is_inside) = (String::new(), false);
    for line in page.lines() {
        match (is_inside, line) {
            (false, "```sh" | "<!-- before" | "<!-- after") => is_inside = true,
            (true, "```" | "-->") => is_inside = false,
            (true, line) => script.extend([line, "\n"]),
            (false, _) => {}
        }
    }
    assert!(!is_inside, "a block is not closed");
    script
}

#[track_caller]
fn type_page(name: &str) {
    needs_root("give a page a machine of its own");
    let person = Person::new();
    let home = person.at("").canonicalize().expect("a home");
    let text = home.to_str().expect("UTF-8");
    for folder in ["mnt", "bin"] {
        fs::create_dir(home.join(folder)).expect("a folder");
    }
    in_shell("ln -s \"$1\" \"$2\"", &[binary(), &home.join("bin/yore")]);
    let script = script(&page(name));
    assert!(script.contains("yore "), "{name} has people type nothing");
    let mut command = Command::new("unshare");
    let typed = format!("{MACHINE}\n{}", script.replace("/mnt/", &format!("{text}/mnt/")));
    command.args(APART).args(["bash", "-euxo", "pipefail", "-c", &typed]);
    command.current_dir(&home).env_clear().stdin(Stdio::null());
    let path = std::env::var("PATH").expect("a path");
    command.env("HOME", &home).env("PATH", format!("{text}/bin:{path}"));
    // What takes a moment to be made is made for the pages that use it.
    let podman = script.contains("docker_engine").then(|| Podman::new(&person.at("podman")));
    command.envs(podman.iter().flat_map(|podman| podman.environment.clone()));
    let moto = script.contains("s3_account").then(Moto::start);
    command.envs(moto.iter().map(|moto| ("S3_ENDPOINT", moto.at("").endpoint)));
    let ended = command.output().expect("unshare runs");
    let (out, err) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{name}: {}\n{out}\n{err}", ended.status);
}

/// Makes a test of each page.
macro_rules! pages {
    ($($test:ident $page:literal),+ $(,)?) => {
        const PAGES: &[&str] = &[$($page),+];
        $(#[test] fn $test() { type_page($page); })+
    };
}

pages! {
    the_way_to_see_whether_it_works_works "installation",
    what_to_do_when_a_file_is_lost_works "lost-file",
    what_to_do_with_a_new_disk_works "new-disk",
    what_to_do_when_the_machine_is_gone_works "machine-gone",
    what_to_do_with_a_database_works "database",
    what_to_do_with_many_machines_works "many-machines",
    what_to_do_where_nothing_can_be_installed_works "nothing-installed",
    the_way_from_duplicity_works "from-duplicity",
    the_way_from_a_script_of_docker_works "from-docker",
    the_way_from_dumps_to_a_home_server_works "from-home-server",
    the_way_from_a_tool_with_three_destinations_works "from-three-destinations",
}

/// The pages of the project itself, which nobody types.
const PROJECT: &[&str] = &["CHANGELOG", "CONTRIBUTING", "SECURITY"];

#[test]
fn the_contents_of_the_book_are_the_pages_that_are_typed() {
    let contents = page("SUMMARY");
    let pages: Vec<&str> =
        contents.lines().filter_map(|line| line.split_once("](")?.1.strip_suffix(".md)")).collect();
    assert_eq!(pages, [PAGES, PROJECT].concat());
    let files = fs::read_dir(root().join("docs")).expect("a folder").count();
    assert_eq!(files, pages.len() + 2, "each page, the contents and the settings of the book");
}

/// Returns the commands that a page shows without having them typed in a block: lines that are set in, and spans of code
/// that begin with `yore`.
fn shown(page: &str) -> Vec<&str> {
    let (mut found, mut is_inside) = (Vec::new(), false);
    for line in page.lines() {
        match (is_inside, line) {
            (false, start) if start.starts_with("```") || start.starts_with("<!--") => {
                is_inside = true;
            }
            (true, "```" | "-->") => is_inside = false,
            (true, _) => {}
            (false, line) if line.starts_with("    ") => found.push(line.trim()),
            (false, line) => {
                let spans = line.split('`').skip(1).step_by(2);
                found.extend(spans.filter(|span| span.starts_with("yore ")));
            }
        }
    }
    found
}

/// Tells whether a line of a script has the words of a command; `NAME` is any word, and what has `…` in it any words.
fn is_typed(command: &str, script: &str) -> bool {
    let command = command.split("  #").next().expect("a part");
    let words: Vec<&str> = command.split_whitespace().collect();
    script.lines().any(|line| {
        let typed: Vec<&str> = line.split_whitespace().collect();
        (0..typed.len()).any(|at| begins_with(&typed[at..], &words))
    })
}

fn begins_with(typed: &[&str], words: &[&str]) -> bool {
    let Some((word, rest)) = words.split_first() else { return true };
    if word.contains('…') {
        return (0..=typed.len()).any(|at| begins_with(&typed[at..], rest));
    }
    let is_any = word.chars().all(|c| c.is_ascii_uppercase() || c == ':');
    // A command can be the argument of another one.
    let bare = |word: &str| word.trim_matches(['\'', '"']).to_owned();
    typed.first().is_some_and(|typed| is_any || bare(typed) == bare(word))
        && begins_with(&typed[1..], rest)
}

/// What Debian has no system for, which its page says.
const NOT_OF_DEBIAN: &str = "sudo dnf install ./yore-*.rpm ";

#[test]
fn every_command_of_a_page_is_typed() {
    let in_clean_system = root().join("tests/long/packages/build-and-install");
    let in_clean_system = fs::read_to_string(in_clean_system).expect("a script");
    let mut all = Vec::new();
    for name in PAGES {
        let page = page(name);
        let mut script = script(&page);
        // What changes the system is typed in one that is clean (tests/long/packages.rs).
        if *name == "installation" {
            script += &in_clean_system;
        }
        let mut left = shown(&page);
        left.retain(|command| !is_typed(command, &script) && !command.starts_with(NOT_OF_DEBIAN));
        all.extend(left.into_iter().map(|command| format!("{name}: {command}")));
    }
    assert!(all.is_empty(), "not typed: {all:#?}");
}
