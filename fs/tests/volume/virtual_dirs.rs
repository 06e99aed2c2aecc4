//! Single promises about `at`, `versions`, `deleted`, `changes`, `search`, `hosts` and `tags`.

use std::fs;

use yore_platform::{Kind, Volume, VolumeError, snapshot_path};

use crate::harness::{HOUR, MORNING, World, at, list_from, names, read_all, resolve};

fn text(volume: &dyn Volume, path: &[u8]) -> String {
    let ino = resolve(volume, path).expect("it is there").attr.ino;
    String::from_utf8(read_all(volume, ino).expect("it reads")).expect("a text")
}

fn missing(volume: &dyn Volume, path: &str) -> Option<VolumeError> {
    resolve(volume, path.as_bytes()).err()
}

/// A folder in which a file changes every hour.
fn changing(world: &World, hours: i64) -> std::path::PathBuf {
    let source = world.source("source");
    for hour in 0..hours {
        fs::write(source.join("report.odt"), format!("report {hour}")).expect("a file");
        world.back_up(&[&source], MORNING + hour * HOUR);
    }
    source
}

#[test]
fn at_shows_the_state_of_any_time_and_nothing_for_nonsense() {
    let world = World::new();
    let source = changing(&world, 3);
    let volume = world.volume();
    for (time, content) in [
        ("2026-01-15T10:30", "report 0"),
        ("2026-01-15T11:29:59", "report 0"),
        ("2026-01-15T113000", "report 1"),
        ("2026-01-15", "report 2"),
        ("yesterday", "report 2"),
        ("1 minute ago", "report 2"),
    ] {
        let path = at(&format!("at/{time}"), &source.join("report.odt"));
        assert_eq!(text(&volume, &path), content, "{time}");
    }
    for time in ["2026-01-15T10:29", "1990-01-01", "soon", "2026-13-01", "..", "\u{fffd}"] {
        assert_eq!(missing(&volume, &format!("at/{time}")), Some(VolumeError::NotFound), "{time}");
    }
}

/// A repository with a file that was backed up so many days ago.
fn backed_up_days_ago(days: &[i64]) -> (World, Vec<u8>) {
    let world = World::new();
    let source = world.source("source");
    let now = jiff::Timestamp::now().as_second();
    for days in days {
        fs::write(source.join("file"), days.to_string()).expect("a file");
        world.back_up(&[&source], now - days * 24 * HOUR);
    }
    let file = snapshot_path(&source.join("file"));
    (world, file)
}

#[test]
fn at_lists_examples_that_have_a_state() {
    let examples = ["yesterday", "a week ago", "a month ago", "a year ago"];
    let days = [400, 40, 10, 3];
    for listed in 0..=examples.len() {
        let (world, file) = backed_up_days_ago(&days[days.len() - listed..]);
        let volume = world.volume();
        for scope in ["", "hosts/host/"].into_iter().filter(|scope| scope.is_empty() || listed > 0)
        {
            let at = resolve(&volume, format!("{scope}at").as_bytes()).expect("there").attr.ino;
            let (found, answer) = list_from(&volume, at, 0);
            answer.expect("it lists");
            let names: Vec<&[u8]> = found.iter().map(|(name, ..)| name.as_slice()).collect();
            assert_eq!(names, examples[..listed].iter().map(|n| n.as_bytes()).collect::<Vec<_>>());
            for (name, attr, _) in &found {
                assert_eq!(volume.lookup(at, name).expect("what is listed is found").attr, *attr);
            }
            // An example that is not listed has no state.
            for name in &examples[listed..] {
                let entry = volume.lookup(at, name.as_bytes()).map(|_| ());
                assert_eq!(entry, Err(VolumeError::NotFound), "{name}");
            }
        }
        for (name, days) in examples[..listed].iter().zip(days.iter().rev()) {
            let path = [b"at/", name.as_bytes(), b"/", &file].concat();
            assert_eq!(text(&volume, &path), days.to_string(), "{name}");
        }
    }
}

#[test]
fn a_file_is_a_directory_of_its_versions_with_their_numbers_in_snapshots() {
    let world = World::new();
    let source = changing(&world, 3);
    let volume = world.volume();
    let file = at("versions", &source.join("report.odt"));
    let times = ["2026-01-15T103000", "2026-01-15T113000", "2026-01-15T123000"];
    assert_eq!(names(&volume, &file), times.map(|time| format!("report.{time}.odt")));
    for (hour, time) in times.iter().enumerate() {
        let version = [file.as_slice(), b"/report.", time.as_bytes(), b".odt"].concat();
        assert_eq!(text(&volume, &version), format!("report {hour}"));
        // By this name it is found and not listed.
        let bare = [file.as_slice(), b"/", time.as_bytes(), b".odt"].concat();
        assert_eq!(
            resolve(&volume, &bare).expect("there").attr,
            resolve(&volume, &version).expect("there").attr
        );
        let state = format!("snapshots/{time}");
        let there = resolve(&volume, &at(&state, &source.join("report.odt"))).expect("there");
        assert_eq!(resolve(&volume, &version).expect("there").attr, there.attr);
    }
}

#[test]
fn the_states_of_a_directory_are_looked_up_and_names_of_at_signs_are_escaped() {
    let world = World::new();
    let source = changing(&world, 2);
    fs::write(source.join("@"), "at").expect("a file");
    fs::write(source.join("@@"), "at at").expect("a file");
    world.back_up(&[&source], MORNING + 5 * HOUR);
    let volume = world.volume();
    let folder = String::from_utf8(at("versions", &source)).expect("a path");
    assert_eq!(names(&volume, folder.as_bytes()), ["@@", "@@@", "report.odt"]);
    let states = format!("{folder}/@");
    let times = ["2026-01-15T103000", "2026-01-15T113000", "2026-01-15T153000"];
    assert_eq!(names(&volume, states.as_bytes()), times);
    assert_eq!(text(&volume, format!("{states}/{}/report.odt", times[0]).as_bytes()), "report 0");
    assert_eq!(text(&volume, format!("{folder}/@@/@.{}", times[2]).as_bytes()), "at");
    assert_eq!(text(&volume, format!("{folder}/@@@/@@.{}", times[2]).as_bytes()), "at at");
    assert_eq!(names(&volume, b"versions/@"), times);
}

#[test]
fn a_name_that_was_a_file_and_a_directory_is_reachable_as_both() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("both.x"), "file").expect("a file");
    world.back_up(&[&source], MORNING);
    fs::remove_file(source.join("both.x")).expect("it goes");
    fs::create_dir(source.join("both.x")).expect("a folder");
    fs::write(source.join("both.x/in"), "inside").expect("a file");
    world.back_up(&[&source], MORNING + HOUR);
    let volume = world.volume();
    let both = String::from_utf8(at("versions", &source.join("both.x"))).expect("a path");
    assert_eq!(names(&volume, both.as_bytes()), ["in"]);
    let states = format!("{both}/@");
    assert_eq!(
        names(&volume, states.as_bytes()),
        ["both.2026-01-15T103000.x", "2026-01-15T113000"]
    );
    for name in ["both.2026-01-15T103000.x", "2026-01-15T103000.x"] {
        assert_eq!(text(&volume, format!("{states}/{name}").as_bytes()), "file");
    }
    assert_eq!(text(&volume, format!("{states}/2026-01-15T113000/in").as_bytes()), "inside");
}

#[test]
fn changes_between_any_two_times_are_looked_up() {
    let world = World::new();
    let source = changing(&world, 3);
    let volume = world.volume();
    assert_eq!(names(&volume, b"changes").len(), 2);
    let file = source.join("report.odt");
    let path = at("changes/2026-01-15T10:30..2026-01-15T12:30/modified", &file);
    assert_eq!(text(&volume, &path), "report 2");
    assert_eq!(names(&volume, b"changes/2026-01-15..2026-01-15/modified"), Vec::<String>::new());
    for nonsense in ["changes/x..y", "changes/2026-01-15", "changes/1990-01-01..2026-01-15"] {
        assert_eq!(missing(&volume, nonsense), Some(VolumeError::NotFound));
    }
}

#[test]
fn a_search_gives_links_to_the_newest_versions() {
    let world = World::new();
    let source = changing(&world, 2);
    fs::create_dir(source.join("folder.odt")).expect("a folder");
    fs::write(source.join("gone.odt"), "gone").expect("a file");
    world.back_up(&[&source], MORNING + 3 * HOUR);
    fs::remove_file(source.join("gone.odt")).expect("it goes");
    world.back_up(&[&source], MORNING + 4 * HOUR);
    let volume = world.volume();
    assert_eq!(names(&volume, b"search"), Vec::<String>::new());
    let (links, answer) = list_from(
        &volume,
        resolve(&volume, b"search/*.ODT").map(|e| e.attr.ino).expect("there"),
        0,
    );
    answer.expect("it lists");
    assert!(links.is_empty(), "an upper-case letter makes case count");
    let results = resolve(&volume, b"search/*.odt").expect("there").attr.ino;
    let before = volume.table_sizes();
    let (links, answer) = list_from(&volume, results, 0);
    answer.expect("it lists");
    assert_eq!(volume.table_sizes(), before, "links take no room");
    let mut targets = Vec::new();
    for (name, attr, _) in &links {
        assert_eq!(attr.kind, Kind::Symlink);
        let shown = String::from_utf8(name.clone()).expect("UTF-8").replace('\u{2215}', "/");
        let target = volume.read_link(attr.ino).expect("a link");
        let told = volume.lookup(results, name).expect("there").attr;
        assert_eq!((told.ino, told.size), (attr.ino, target.len() as u64));
        assert_eq!(volume.attr(attr.ino).expect("there").attr, told);
        let target = target.strip_prefix(b"../../").expect("a relative link").to_vec();
        let found = resolve(&volume, &target).expect("it leads somewhere");
        targets.push((shown, found.attr.kind));
        if found.attr.kind == Kind::File && target.ends_with(b"gone.odt/gone.2026-01-15T133000.odt")
        {
            assert_eq!(read_all(&volume, found.attr.ino).expect("it reads"), b"gone");
        }
    }
    let path = |name: &str| String::from_utf8(snapshot_path(&source.join(name))).expect("UTF-8");
    let expected = [
        (path("folder.odt"), Kind::Directory),
        (path("gone.odt"), Kind::File),
        (path("report.odt"), Kind::File),
    ];
    assert_eq!(targets, expected);
    assert_eq!(missing(&volume, "search/[z"), Some(VolumeError::NotFound));
    // A new snapshot is found.
    fs::write(source.join("new.odt"), "new").expect("a file");
    world.back_up(&[&source], MORNING + 5 * HOUR);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(list_from(&volume, results, 0).0.len(), 4);
    // A link whose search is not remembered any more is stale, and is found anew.
    for number in 0..20 {
        let search = resolve(&volume, format!("search/*{number}*").as_bytes()).expect("there");
        list_from(&volume, search.attr.ino, 0).1.expect("it lists");
    }
    let (name, attr, _) = &links[0];
    assert_eq!(volume.read_link(attr.ino), Err(VolumeError::Stale));
    let again = volume.lookup(results, name).expect("there").attr.ino;
    assert!(again != attr.ino && volume.read_link(again).is_ok());
}

#[test]
fn a_search_link_follows_a_file_that_became_a_folder() {
    let world = World::new();
    let source = world.source("source");
    fs::write(source.join("both.odt"), "file").expect("a file");
    world.back_up(&[&source], MORNING);
    let volume = world.volume();
    let results = resolve(&volume, b"search/both*").expect("there").attr.ino;
    let follow = || {
        let (links, answer) = list_from(&volume, results, 0);
        answer.expect("it lists");
        assert_eq!(links.len(), 1);
        let target = volume.read_link(links[0].1.ino).expect("a link");
        let target = target.strip_prefix(b"../../").expect("a relative link").to_vec();
        resolve(&volume, &target).expect("it leads somewhere").attr.kind
    };
    assert_eq!(follow(), Kind::File);
    fs::remove_file(source.join("both.odt")).expect("it goes");
    fs::create_dir(source.join("both.odt")).expect("a folder");
    world.back_up(&[&source], MORNING + HOUR);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(follow(), Kind::Directory);
    fs::remove_dir(source.join("both.odt")).expect("it goes");
    fs::write(source.join("both.odt"), "again").expect("a file");
    world.back_up(&[&source], MORNING + 2 * HOUR);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(follow(), Kind::File);
}

#[test]
fn machines_and_tags_have_the_whole_tree_each() {
    let world = World::new();
    let source = world.source("source");
    for (n, (host, tag)) in [("one", "a/b"), ("two", "c")].into_iter().enumerate() {
        fs::write(source.join("file"), host).expect("a file");
        world.back_up_as(host, &[tag], &[&source], MORNING + n as i64 * HOUR);
    }
    let volume = world.volume();
    assert_eq!(names(&volume, b"hosts"), ["one", "two"]);
    assert_eq!(names(&volume, b"tags"), ["a\u{2215}b", "c"]);
    let whole = ["latest", "snapshots", "at", "versions", "deleted", "changes", "search"];
    for scope in ["hosts/one", "tags/a\u{2215}b"] {
        assert_eq!(names(&volume, scope.as_bytes()), whole);
        assert_eq!(text(&volume, &at(&format!("{scope}/latest"), &source.join("file"))), "one");
        let snapshots = names(&volume, format!("{scope}/snapshots").as_bytes());
        assert_eq!(snapshots, ["2026-01-15", "2026-01-15T103000"]);
    }
    // One that would show alike has another name.
    world.back_up_as("two", &["a\u{2215}b"], &[&source], MORNING + 2 * HOUR);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(names(&volume, b"tags"), ["a\u{2215}b", "a\u{29f5}\u{2215}b", "c"]);
    let only = names(&volume, "tags/a\u{29f5}\u{2215}b/snapshots".as_bytes());
    assert_eq!(only, ["2026-01-15", "2026-01-15T123000"]);
    assert_eq!(missing(&volume, "hosts/three"), Some(VolumeError::NotFound));
    assert_eq!(missing(&volume, "hosts/one/hosts"), Some(VolumeError::NotFound));
    // A snapshot that comes later shows in the scope that is open.
    fs::write(source.join("file"), "again").expect("a file");
    world.back_up_as("one", &[], &[&source], MORNING + 9 * HOUR);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(text(&volume, &at("hosts/one/latest", &source.join("file"))), "again");
}

#[test]
fn the_top_shows_one_machine_and_a_notice_where_none_is_wanted() {
    let world = World::new();
    let source = world.source("source");
    for (n, host) in ["one", "two"].into_iter().enumerate() {
        fs::write(source.join("file"), host).expect("a file");
        fs::write(source.join(format!("of-{host}")), host).expect("a file");
        world.back_up_as(host, &["red"], &[&source], MORNING + n as i64 * HOUR);
        fs::remove_file(source.join(format!("of-{host}"))).expect("removed");
    }
    let volume = world.volume();
    assert_eq!(text(&volume, &at("latest", &source.join("file"))), "one");
    assert_eq!(text(&volume, &at("tags/red/latest", &source.join("file"))), "one");
    assert_eq!(names(&volume, b"snapshots"), ["2026-01-15", "2026-01-15T103000"]);
    assert_eq!(names(&volume, b"deleted"), Vec::<String>::new());
    assert_eq!(names(&volume, b"changes"), Vec::<String>::new());

    let volume = world.volume_with(|options| options.machine = Some("three".into()));
    let top = ["latest", "snapshots", "at", "versions", "deleted", "changes", "search"];
    for folder in top {
        assert_eq!(names(&volume, folder.as_bytes()), ["README.txt"]);
        let told = text(&volume, format!("{folder}/README.txt").as_bytes());
        assert!(told.contains("three") && told.contains("hosts/one") && told.contains("hosts/two"));
    }
    assert_eq!(text(&volume, &at("hosts/two/latest", &source.join("file"))), "two");
    // Its first snapshot makes it the machine that is meant.
    fs::write(source.join("file"), "three").expect("a file");
    world.back_up_as("three", &[], &[&source], MORNING + 9 * HOUR);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(text(&volume, &at("latest", &source.join("file"))), "three");
    assert_eq!(missing(&volume, "at/README.txt"), Some(VolumeError::NotFound));
}

#[test]
fn virtual_directories_follow_new_and_forgotten_snapshots() {
    let world = World::new();
    let source = changing(&world, 2);
    let volume = world.volume();
    let file = at("versions", &source.join("report.odt"));
    assert_eq!(names(&volume, &file).len(), 2);
    assert_eq!(names(&volume, b"deleted"), Vec::<String>::new());
    let before = resolve(&volume, &at("versions", &source)).expect("there").attr.modified;
    fs::remove_file(source.join("report.odt")).expect("it goes");
    world.back_up(&[&source], MORNING + 7 * HOUR);
    assert!(volume.refresh().problems.is_empty());
    let gone = at("deleted", &source.join("report.odt"));
    assert_eq!(text(&volume, &gone), "report 1");
    assert_ne!(resolve(&volume, &at("versions", &source)).expect("there").attr.modified, before);
    let old = resolve(&volume, &gone).expect("there").attr.ino;
    let ids: Vec<_> = world.repository.snapshots().expect("snapshots").list;
    world.forget(ids[1].id);
    assert!(volume.refresh().problems.is_empty());
    assert_eq!(names(&volume, &file), ["report.2026-01-15T103000.odt"]);
    assert_eq!(text(&volume, &gone), "report 0");
    // Who had it open reads on.
    assert_eq!(read_all(&volume, old).expect("it reads"), b"report 1");
}

#[test]
fn a_directory_that_came_back_with_less_has_deleted_entries() {
    let world = World::new();
    let source = world.source("source");
    let write = |name: &str, text: &str| {
        let path = source.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
    };
    let states: [&[&str]; 4] = [
        &["a/b/one", "a/b/two", "a/stays", "same/x"],
        &["a/stays", "same/x"],
        &["a/b/one", "a/stays", "same/x", "same/y"],
        &["a/b/one", "a/stays", "same/x"],
    ];
    for (hour, names) in (0..).zip(states) {
        fs::remove_dir_all(&source).expect("emptied");
        fs::create_dir(&source).expect("a folder");
        names.iter().for_each(|name| write(name, &format!("{name} at {hour}")));
        world.back_up(&[&source], MORNING + hour * HOUR);
    }
    let volume = world.volume();
    let gone = |name: &str| at("deleted", &source.join(name));
    assert_eq!(names(&volume, &at("deleted", &source)), ["a", "same"]);
    assert_eq!(names(&volume, &gone("a/b")), ["two"]);
    assert_eq!(names(&volume, &gone("same")), ["y"]);
    for (name, text) in [("a/b/two", "a/b/two at 0"), ("same/y", "same/y at 2")] {
        let ino = resolve(&volume, &gone(name)).expect("there").attr.ino;
        assert_eq!(read_all(&volume, ino).expect("bytes"), text.as_bytes());
    }
}
