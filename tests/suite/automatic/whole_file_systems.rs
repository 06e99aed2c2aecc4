//! A watch of whole file systems, as root may have it: what it costs, and what it must not miss.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::watch::{Feed, Watch, assert_saved, person, snapshots};
use yore_tests::{Disk, MountedAt, in_shell, needs_root};

#[test]
fn a_change_deep_in_a_tree_is_seen_without_a_watch_of_its_folder() {
    let person = person();
    let docs = person.at("docs");
    let deep = (0..40).fold(docs.join("b"), |folder, level| folder.join(level.to_string()));
    fs::create_dir_all(&deep).expect("folders");
    let watch = Watch::start(&person, Feed::FileSystem, &[]);
    watch.wait_for(&person, 1);
    assert_eq!(watch.marks(), (1, 0), "{}", watch.log());
    fs::write(deep.join("file"), "deep").expect("a file");
    watch.wait_for(&person, 2);
    assert_saved(&person, &docs);
    // What happens beside the source, on the same file system, is none of its business.
    let beside = person.at("beside");
    for number in 0..2000 {
        fs::create_dir_all(beside.join(number.to_string())).expect("a folder");
        fs::write(beside.join(number.to_string()).join("file"), "beside").expect("a file");
    }
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((snapshots(&person), watch.whole_looks()), (2, 1), "{}", watch.log());
    assert_eq!(watch.end(), 0);
}

#[test]
fn without_rights_each_folder_is_watched() {
    let person = person();
    let watch = Watch::start(&person, Feed::Folders, &[]);
    watch.wait_for(&person, 1);
    // docs, a, b, b/deep and c.
    assert_eq!(watch.marks(), (0, 5), "{}", watch.log());
    assert!(watch.log().contains("docs is watched folder by folder"), "{}", watch.log());
}

#[test]
fn folders_that_are_renamed_and_folders_that_come_from_beside_are_saved() {
    let person = person();
    let docs = person.at("docs");
    fs::create_dir_all(person.at("beside/deep")).expect("folders");
    fs::write(person.at("beside/deep/file"), "from beside").expect("a file");
    let watch = Watch::start(&person, Feed::FileSystem, &[]);
    watch.wait_for(&person, 1);
    fs::rename(docs.join("b"), docs.join("renamed")).expect("it is there");
    fs::write(docs.join("renamed/deep/later"), "after it was renamed").expect("a file");
    fs::rename(person.at("beside"), docs.join("came")).expect("it is there");
    fs::rename(docs.join("c"), person.at("went")).expect("it is there");
    watch.wait_for_content(&person, &docs.join("came/deep/file"), "from beside");
    std::thread::sleep(Duration::from_secs(2));
    assert_saved(&person, &docs);
    // Where the folder is now, changes are seen.
    fs::write(docs.join("came/deep/file"), "later").expect("a file");
    watch.wait_for_content(&person, &docs.join("came/deep/file"), "later");
    assert_eq!(watch.whole_looks(), 1, "{}", watch.log());
}

#[test]
fn what_has_no_handles_of_a_whole_is_watched_folder_by_folder() {
    let person = person();
    let docs = person.at("docs");
    let mut disk = Disk::new(&person.yore.scratch, 128, "mkfs.btrfs -q");
    let (top, part) = (docs.join("top"), docs.join("part"));
    disk.mount(&top);
    in_shell("btrfs subvolume create \"$1\"/@data > /dev/null", &[&top]);
    disk.mount_with("-o subvol=@data", &part);
    let layers = person.yore.scratch.folder("layers");
    let merged = person.folder("docs/merged", "covered");
    in_shell(
        "cd \"$1\" && mkdir lower upper work && echo below > lower/file &&
         mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none \"$2\"",
        &[&layers, &merged],
    );
    let _mounted = MountedAt::new(&merged);
    fs::write(part.join("file"), "in a subvolume").expect("a file");
    let watch = Watch::start(&person, Feed::FileSystem, &[]);
    watch.wait_for(&person, 1);
    for (place, how) in [
        ("docs", "with its file system"),
        ("top", "with its file system"),
        ("part", "folder by folder"),
        ("merged", "folder by folder"),
    ] {
        let line = format!("{place} is watched {how}");
        assert!(watch.log().contains(&line), "{line}: {}", watch.log());
    }
    fs::write(merged.join("file"), "in an overlay").expect("a file");
    watch.wait_for_content(&person, &merged.join("file"), "in an overlay");
    fs::write(part.join("file"), "by its own mount").expect("a file");
    watch.wait_for_content(&person, &part.join("file"), "by its own mount");
    watch.wait_for_content(&person, &top.join("@data/file"), "by its own mount");
    // The kernel's table of mounts can lack one for a moment while others come and go, so a look at everything may follow.
    assert!(watch.log().contains("looked at what changed"), "{}", watch.log());
    drop(watch);
}

/// Unmounts at once: a watch keeps no disk busy.
fn unmount(point: &Path) {
    in_shell("umount \"$1\"", &[point]);
}

#[test]
fn file_systems_below_a_source_are_watched_as_they_come_and_go() {
    let person = person();
    let docs = person.at("docs");
    let (before, later) = (docs.join("before"), docs.join("later"));
    let mut disk = Disk::new(&person.yore.scratch, 32, "mkfs.ext4 -q");
    disk.mount(&before);
    fs::write(before.join("file"), "on the disk").expect("a file");
    let watch = Watch::start(&person, Feed::FileSystem, &[]);
    watch.wait_for(&person, 1);
    assert_eq!(watch.marks(), (2, 0), "{}", watch.log());
    fs::write(before.join("file"), "changed").expect("a file");
    watch.wait_for_content(&person, &before.join("file"), "changed");
    // Memory is mounted over a folder of the same name, later.
    fs::create_dir(&later).expect("a folder");
    fs::write(later.join("file"), "below").expect("a file");
    watch.wait_for_content(&person, &later.join("file"), "below");
    in_shell("mount -t tmpfs none \"$1\" && echo above > \"$1/file\"", &[&later]);
    let _mounted = MountedAt::new(&later);
    watch.wait_for_content(&person, &later.join("file"), "above\n");
    watch.wait_until(|| watch.marks() == (3, 0), "three file systems are watched");
    fs::write(later.join("file"), "changed").expect("a file");
    watch.wait_for_content(&person, &later.join("file"), "changed");
    unmount(&later);
    watch.wait_for_content(&person, &later.join("file"), "below");
    assert_saved(&person, &docs);
}

#[test]
fn a_disk_that_is_unmounted_and_mounted_again_is_watched_anew() {
    needs_root("mount a disk");
    let person = person();
    let docs = person.at("docs");
    let mut disk = Disk::new(&person.yore.scratch, 32, "mkfs.ext4 -q");
    let point = docs.join("disk");
    disk.mount(&point);
    fs::write(point.join("file"), "on the disk").expect("a file");
    let watch = Watch::start(&person, Feed::FileSystem, &[]);
    watch.wait_for(&person, 1);
    unmount(&point);
    in_shell("mount \"$1\" \"$2\"", &[&disk.device, &point]);
    // Its numbers are the same, and the kernel has forgotten the watch.
    fs::write(point.join("file"), "after it came back").expect("a file");
    watch.wait_for_content(&person, &point.join("file"), "after it came back");
    assert!(watch.whole_looks() > 1, "{}", watch.log());
    fs::write(point.join("file"), "seen again").expect("a file");
    watch.wait_for_content(&person, &point.join("file"), "seen again");
    drop(watch);
    disk.unmount();
}

#[test]
fn a_source_that_is_a_second_mount_or_behind_a_link_is_watched_where_it_is() {
    needs_root("mount a folder a second time");
    let person = person();
    let docs = person.at("docs");
    person.types(["source", "remove", "docs"]).assert_code(0);
    let second = person.folder("second", "");
    in_shell("mount --bind \"$1\" \"$2\"", &[&docs, &second]);
    let _mounted = MountedAt::new(&second);
    in_shell("ln -s second/b \"$1/link\"", &[&person.at("")]);
    person.types(["source", "add", "second/a"]).assert_code(0);
    person.types(["source", "add", "--name", "linked", "link"]).assert_code(0);
    let watch = Watch::start(&person, Feed::FileSystem, &[]);
    watch.wait_for(&person, 2);
    fs::write(docs.join("a/file"), "by the first mount").expect("a file");
    watch.wait_for_content(&person, &second.join("a/file"), "by the first mount");
    fs::write(docs.join("b/deep/file"), "behind the link").expect("a file");
    watch.wait_for_content(&person, &second.join("b/deep/file"), "behind the link");
    assert!(watch.log().contains("looked at what changed of linked"), "{}", watch.log());
}

#[test]
fn events_that_are_lost_are_made_up_for_by_a_look_at_everything() {
    let person = person();
    let docs = person.at("docs");
    let watch = Watch::start(&person, Feed::FileSystem, &[]);
    watch.wait_for(&person, 1);
    let limit = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").expect("a limit");
    let limit: usize = limit.trim().parse().expect("a number");
    watch.signal("STOP");
    for number in 0..limit + 1000 {
        fs::write(docs.join("c").join(number.to_string()), "").expect("a file");
    }
    fs::write(docs.join("a/file"), "the queue was full").expect("a file");
    watch.signal("CONT");
    watch.wait_for_content(&person, &docs.join("a/file"), "the queue was full");
    std::thread::sleep(Duration::from_secs(2));
    assert!(watch.log().contains("changes came too fast to be told"), "{}", watch.log());
    assert!(watch.whole_looks() > 1, "{}", watch.log());
    assert_saved(&person, &docs);
}
