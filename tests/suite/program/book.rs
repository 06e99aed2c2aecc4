//! The pages of `docs/` for people: what they tell people to type is typed, as it stands, in a new home folder.
//!
//! A page has blocks of `sh`, and comments that begin with `before` or `after`: what must be there, and what must have
//! come of it. They are one script, which ends with the first command that fails. `/mnt/` is a folder of the home.

use std::fs;
use std::process::{Command, Stdio};

use yore_tests::{Person, binary, in_shell, root};

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
    let person = Person::new();
    let home = person.at("").canonicalize().expect("a home");
    let text = home.to_str().expect("UTF-8");
    for folder in ["mnt", "bin"] {
        fs::create_dir(home.join(folder)).expect("a folder");
    }
    in_shell("ln -s \"$1\" \"$2\"", &[binary(), &home.join("bin/yore")]);
    let page = fs::read_to_string(root().join("docs").join(format!("{name}.md"))).expect("a page");
    let script = script(&page).replace("/mnt/", &format!("{text}/mnt/"));
    assert!(script.contains("yore "), "{name} has people type nothing");
    let mut command = Command::new("bash");
    command.args(["-euxo", "pipefail", "-c", &script]).current_dir(&home).env_clear();
    let path = std::env::var("PATH").expect("a path");
    command.env("HOME", &home).env("PATH", format!("{text}/bin:{path}")).stdin(Stdio::null());
    let ended = command.output().expect("bash runs");
    // What a page leaves mounted would outlive its folder.
    let _ = Command::new("fusermount3").arg("-uzq").arg(home.join("past")).output();
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
    let contents = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the contents");
    let pages: Vec<&str> =
        contents.lines().filter_map(|line| line.split_once("](")?.1.strip_suffix(".md)")).collect();
    assert_eq!(pages, [PAGES, PROJECT].concat());
    let files = fs::read_dir(root().join("docs")).expect("a folder").count();
    assert_eq!(files, pages.len() + 2, "each page, the contents and the settings of the book");
}
