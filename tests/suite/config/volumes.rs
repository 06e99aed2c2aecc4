//! Disks that are found by their label or number, wherever they are mounted: loop devices with real file systems.

use yore_tests::{Disk, Person, in_shell};

fn snapshots(person: &Person) -> usize {
    person.types(["snapshots", "--json"]).assert_code(0).objects().len()
}

/// Follows a disk: absent, mounted, mounted elsewhere, away, and back.
fn follow(mut disk: Disk, url: &str, person: &Person) {
    person.folder("docs", url);
    let absent = person.types(["destination", "add", url]).assert_code(10);
    assert!(absent.err.contains("is not there"), "{}", absent.err);
    let first = person.yore.scratch.at("media/first place");
    disk.mount(&first);
    person.types(["config", "set", "key-file", "~/yore.key"]).assert_code(0);
    person.types(["destination", "add", url, "--name", "disk"]).assert_code(0);
    person.types(["init"]).assert_code(0);
    let folder = first.join("yore");
    assert!(folder.join("yore.cbor").exists(), "{}", folder.display());
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    disk.unmount();
    let away = person.types(["backup"]).assert_code(10);
    assert!(away.err.contains("is not there"), "{}", away.err);
    assert_eq!(in_shell("ls -A \"$1\"", &[&first]), "", "nothing is written to the mountpoint");
    person.types(["destination", "add", "second", "--name", "second"]).assert_code(10);
    disk.mount(&person.yore.scratch.at("media/elsewhere"));
    assert_eq!(snapshots(person), 1);
    person.types(["destination", "add", "second", "--name", "second"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    disk.unmount();
    let without = person.types(["backup"]).assert_code(0);
    assert!(without.err.contains("note: disk"), "{}", without.err);
    let status = person.types(["status"]).assert_code(0);
    assert!(status.out.contains("not there (removable)"), "{}", status.out);
    disk.mount(&first);
    assert_eq!(snapshots(person), 3);
    person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn an_ext4_disk_is_followed_by_a_label_with_blanks() {
    let person = Person::new();
    let disk = Disk::new(&person.yore.scratch, 64, "mkfs.ext4 -q -L 'yore t one'");
    follow(disk, "volume:yore t one/yore", &person);
}

#[test]
fn an_xfs_disk_is_followed_by_its_number() {
    let person = Person::new();
    let disk = Disk::new(&person.yore.scratch, 320, "mkfs.xfs -q -L yoretxfs");
    let url = format!("volume:UUID={}/yore", disk.uuid());
    follow(disk, &url, &person);
}

#[test]
fn a_btrfs_disk_is_followed_by_a_label_of_any_letters() {
    let person = Person::new();
    let disk = Disk::new(&person.yore.scratch, 128, "mkfs.btrfs -q -L 'Größe/日本'");
    follow(disk, "volume:Größe%2F日本/yore", &person);
}

#[test]
fn a_subvolume_and_a_second_mount_show_the_same_folder() {
    let person = Person::new();
    let mut disk = Disk::new(&person.yore.scratch, 128, "mkfs.btrfs -q -L yoretsub");
    let at = |name: &str| person.yore.scratch.at(name);
    disk.mount(&at("whole"));
    in_shell("btrfs subvolume create \"$1\"/@data > /dev/null", &[&at("whole")]);
    disk.unmount();
    disk.mount_with("-o subvol=@data", &at("part"));
    person.types(["config", "set", "key-file", "~/yore.key"]).assert_code(0);
    person.types(["destination", "add", "volume:yoretsub/yore"]).assert_code(0);
    person.types(["init"]).assert_code(0);
    assert!(at("part/yore/yore.cbor").exists());
    // The whole is mounted as well: its top has no such folder, and the part still shows it.
    disk.mount(&at("whole"));
    person.types(["snapshots"]).assert_code(0);
    // A path from the top of the file system leads there, too.
    let ended =
        person.types(["--repo", "volume:yoretsub/@data/yore", "--key-file", "yore.key", "check"]);
    ended.assert_code(0);
    // Another file system over the folder hides it, and the second mount shows it.
    in_shell("mount -t tmpfs none \"$1\"", &[&at("part/yore")]);
    let hidden = person.types(["snapshots"]);
    in_shell("umount \"$1\"", &[&at("part/yore")]);
    assert_eq!(hidden.code, Some(10), "{hidden:?}");
}

#[test]
fn two_disks_of_one_label_are_told_apart_by_what_they_hold_or_refused() {
    let person = Person::new();
    let mut disks: Vec<Disk> =
        (0..2).map(|_| Disk::new(&person.yore.scratch, 64, "mkfs.ext4 -q -L yorettwin")).collect();
    for (n, disk) in disks.iter_mut().enumerate() {
        disk.mount(&person.yore.scratch.at(&format!("twin{n}")));
    }
    person.types(["config", "set", "key-file", "~/yore.key"]).assert_code(0);
    let ended = person.types(["destination", "add", "volume:yorettwin/yore"]).assert_code(2);
    assert!(ended.err.contains("twin0") && ended.err.contains("UUID="), "{}", ended.err);
    let exact = format!("volume:UUID={}/yore", disks[1].uuid());
    person.types(["destination", "add", &exact]).assert_code(0);
    person.types(["init"]).assert_code(0);
    assert!(person.yore.scratch.at("twin1/yore/yore.cbor").exists());
    person
        .types(["--repo", "volume:yorettwin/yore", "--key-file", "yore.key", "snapshots"])
        .assert_code(0);
}
