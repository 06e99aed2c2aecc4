//! Sources that are read from a snapshot of their file system: real btrfs on loop devices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use yore_engine::backup::{Place, Places, backup_from};
use yore_platform::PrivateMount;
use yore_tests::{Disk, Ended, Memory, Person, Recorder, TestRepository, Yore, in_shell, options};

/// A person with a source on a btrfs disk.
struct Scene {
    person: Person,
    /// The mountpoint.
    top: PathBuf,
    /// Unmounted at the end.
    _disk: Disk,
}

impl Scene {
    fn new(options: &str) -> Self {
        let person = Person::with_destinations(&["disk"]);
        let mut disk = Disk::new(&person.yore.scratch, 256, "mkfs.btrfs -q");
        let top = person.yore.scratch.at("data");
        disk.mount_with(options, &top);
        Self { person, top, _disk: disk }
    }

    /// Makes a subvolume with a file in it.
    fn subvolume(&self, name: &str) -> PathBuf {
        let path = self.top.join(name);
        in_shell("btrfs subvolume create \"$1\" > /dev/null && echo text > \"$1/file\"", &[&path]);
        path
    }

    /// Adds a folder as a source that is read as `snapshot` says.
    fn source(&self, folder: &Path, snapshot: &str) {
        let words = format!("source add --name data --snapshot {snapshot}");
        self.person.types_on(&words, folder).assert_code(0);
    }

    fn hook(&self, name: &str, line: &str) {
        let key = format!("source.data.hooks.{name}");
        self.person.types(["config", "set", &key, line]).assert_code(0);
    }

    fn back_up(&self) -> Value {
        let ended = self.person.types(["backup", "--json"]).assert_code(0);
        ended.objects().into_iter().find(|object| object["type"] == "backup").expect("a backup")
    }

    /// Restores the newest state of a folder, and returns where it is.
    fn restore(&self, folder: &Path, to: &str) -> PathBuf {
        let target = self.person.yore.scratch.folder(to);
        let moment = format!("latest:{}", folder.display());
        let words = ["restore", &moment, "--target", target.to_str().expect("UTF-8")];
        self.person.types(words).assert_code(0);
        target.join(folder.file_name().expect("a name"))
    }

    /// Runs a command without some capabilities.
    fn without(&self, capabilities: &str, words: &[&str]) -> Ended {
        let command = self.person.command(words);
        let mut limited = Command::new("setpriv");
        limited.args([&format!("--bounding-set={capabilities}"), "--inh-caps=-all"]);
        limited.arg(command.get_program()).args(command.get_args());
        limited.env_clear().envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        limited.current_dir(self.person.at(""));
        Yore::finish(&mut limited)
    }

    fn snapshots(&self) -> usize {
        self.person.types(["snapshots", "--json"]).assert_code(0).objects().len()
    }
}

/// Lists the snapshots of file systems that there are in a folder.
fn left_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".yore-snapshot.")).collect()
}

fn number(file: &Path) -> u64 {
    fs::read_to_string(file).expect("a file").trim().parse().expect("a number")
}

/// A program that counts in two files as fast as it can, and never empties them; ended when dropped.
struct Counter(std::process::Child);

impl Counter {
    /// Starts it; while there is a file `hold`, it stands still between two numbers, with a file `held`.
    fn start(folder: &Path) -> Self {
        let script = "n=0; while :; do
            if [ -e hold ]; then : > held; while [ -e hold ]; do sleep 0.01; done; rm held; fi
            n=$((n + 1)); printf %08d $n 1<> a/first; printf %08d $n 1<> z/last; done";
        in_shell(
            "mkdir \"$1/a\" \"$1/z\" && printf %08d 0 > \"$1/a/first\" && printf %08d 0 > \"$1/z/last\"",
            &[folder],
        );
        let mut command = Command::new("bash");
        Self(command.args(["-c", script]).current_dir(folder).spawn().expect("bash runs"))
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_files_of_a_program_that_stands_still_for_the_moment_agree_in_a_snapshot() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    // Between the two files of the program, there is much to be read.
    in_shell("mkdir \"$1/m\" && head -c 8M /dev/urandom > \"$1/m/random\"", &[&data]);
    let _counter = Counter::start(&data);
    scene.source(&data, "btrfs");
    // A program that stands still for the moment, and only for that.
    let held = "cd \"$DATA\" && : > hold && until [ -e held ]; do sleep 0.01; done";
    let folder = format!("DATA='{}'; ", data.display());
    scene.hook("snapshot-before", &format!("{folder}{held}"));
    scene.hook(
        "snapshot-after",
        &format!("{folder}cat \"$DATA/a/first\" > ~/at; rm \"$DATA/hold\""),
    );
    scene.hook("after", &format!("{folder}[ -e \"$DATA/held\" ] || echo runs > ~/state"));
    scene.back_up();
    let restored = scene.restore(&data, "still");
    let (first, last) = (number(&restored.join("a/first")), number(&restored.join("z/last")));
    assert_eq!((first, last), (number(&scene.person.at("at")), first));
    assert_eq!(fs::read_to_string(scene.person.at("state")).expect("it is written"), "runs\n");
    assert_eq!(left_in(&data), Vec::<String>::new());
    scene.person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn what_did_not_change_is_known_whether_it_is_read_live_or_from_a_snapshot() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    in_shell(
        "cd \"$1\" && mkdir sub && echo x > sub/x && ln sub/x sub/y && touch -d yesterday .",
        &[&data],
    );
    // A time just now may stand for two states.
    in_shell("sleep 4", &[]);
    let modified = || fs::metadata(&data).and_then(|found| found.modified()).expect("a time");
    let before = modified();
    scene.source(&data, "btrfs");
    assert_eq!(scene.back_up()["totals"]["new_files"], 3);
    assert_eq!(modified(), before, "the folder has its time again");
    in_shell("sleep 4", &[]);
    let unchanged = |snapshot: &str| {
        scene.person.types(["config", "set", "source.data.snapshot", snapshot]).assert_code(0);
        let totals = &scene.back_up()["totals"];
        assert_eq!(
            (&totals["new_files"], &totals["changed_files"]),
            (&0.into(), &0.into()),
            "{totals}"
        );
    };
    for snapshot in ["btrfs", "never", "auto"] {
        unchanged(snapshot);
    }
    // What is written while the backup goes on is of the next one.
    scene.hook("snapshot-after", &format!("echo later > '{}/sub/x'", data.display()));
    scene.person.types(["backup"]).assert_code(0);
    let restored = scene.restore(&data, "then");
    assert_eq!(fs::read_to_string(restored.join("sub/x")).expect("a file"), "x\n");
    scene
        .person
        .types(["config", "set", "source.data.hooks.snapshot-after", "--remove"])
        .assert_code(0);
    assert_eq!(scene.back_up()["totals"]["changed_files"], 2, "one file with two names");
}

#[test]
fn the_parts_of_a_smart_backup_and_the_whole_are_of_one_moment() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    let make = "cd \"$1\" && echo first > a.tex && echo x > a.jpg && touch -d 2020-01-01 a.*";
    in_shell(make, &[&data]);
    scene.source(&data, "btrfs");
    scene.person.types(["config", "set", "smart", "true"]).assert_code(0);
    scene.person.types(["config", "set", "priority", "*.tex"]).assert_code(0);
    // Written after the moment, it is in no part, and not in the whole.
    let late = format!("cd '{}' && echo later > a.tex && echo y > late.tex", data.display());
    scene.hook("snapshot-after", &late);
    assert_eq!(scene.back_up()["totals"]["files"], 3);
    let found = in_shell("cd \"$1\" && grep -r . | sort", &[&scene.restore(&data, "whole")]);
    assert_eq!(found, "a.jpg:x\na.tex:first\nfile:text\n");
    // A part with the text and one with what is recent came before.
    let listed = scene.person.types(["snapshots", "--json"]).assert_code(0).objects();
    let facts: Vec<_> = listed.iter().map(|one| (&one["sequence"], &one["partial"])).collect();
    assert_eq!(facts, [(&3.into(), &false.into())]);
    assert_eq!(left_in(&data), Vec::<String>::new());
    scene.person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn subvolumes_and_other_file_systems_in_a_source_are_saved() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    let inner = data.join("folder/inner");
    in_shell("mkdir \"$1/folder\" \"$1/memory\" \"$1/empty\"", &[&data]);
    scene.subvolume("data/folder/inner");
    scene.subvolume("data/folder/inner/deep");
    scene.subvolume("data/other");
    in_shell(
        "btrfs subvolume snapshot -r \"$1\" \"$2\" > /dev/null",
        &[&inner, &data.join("kept")],
    );
    in_shell("mount -t tmpfs none \"$1\" && echo memory > \"$1/file\"", &[&data.join("memory")]);
    let memory = data.join("memory");
    let mounted = yore_tests::MountedAt::new(&memory);
    scene.source(&data, "btrfs");
    // Written after the moment, it is in none of the snapshots, also not in those of the subvolumes.
    let late =
        format!("cd '{}' && touch late folder/inner/late folder/inner/deep/late", data.display());
    scene.hook("snapshot-after", &late);
    let told = scene.person.types(["backup", "-v"]).assert_code(0);
    assert!(told.err.contains("is read from the snapshot"), "{}", told.err);
    let restored = scene.restore(&data, "whole");
    let found = in_shell("cd \"$1\" && find . -type f | sort", &[&restored]);
    let expected = [
        "file",
        "folder/inner/deep/file",
        "folder/inner/file",
        "kept/file",
        "memory/file",
        "other/file",
    ];
    let expected: String = expected.iter().map(|name| format!("./{name}\n")).collect();
    assert_eq!(found, expected);
    assert_eq!(fs::read_to_string(restored.join("memory/file")).expect("a file"), "memory\n");
    for folder in [&data, &inner, &inner.join("deep"), &data.join("other")] {
        assert_eq!(left_in(folder), Vec::<String>::new(), "{}", folder.display());
    }
    // A folder of the subvolume, with one inside; and only one file system.
    scene.person.types(["source", "remove", "data"]).assert_code(0);
    scene.source(&data.join("folder"), "btrfs");
    scene.person.types(["backup"]).assert_code(0);
    let found = in_shell(
        "cd \"$1\" && find . -type f | sort",
        &[&scene.restore(&data.join("folder"), "part")],
    );
    assert_eq!(found, "./inner/deep/file\n./inner/deep/late\n./inner/file\n./inner/late\n");
    let one = ["backup", "--one-file-system", "--snapshot", "btrfs", "--json"];
    let one = one.into_iter().chain([data.to_str().expect("UTF-8")]);
    let report = scene.person.types(one).assert_code(0).objects().pop().expect("a backup");
    assert_eq!(report["totals"]["files"], 2, "file and late: {report}");
    drop(mounted);
}

#[test]
fn without_the_right_to_make_snapshots_a_source_is_read_live_and_that_is_said_once() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    scene.source(&data, "auto");
    scene.hook("snapshot-before", "echo before >> ~/log");
    let told = scene.without("-sys_admin", &["backup"]).assert_code(0);
    let said = told.err.matches("no snapshot of its file system can be made").count();
    assert_eq!(said, 1, "{}", told.err);
    assert!(told.err.contains(&format!("{} is read live", data.display())), "{}", told.err);
    assert_eq!(scene.snapshots(), 1);
    scene.person.types(["config", "set", "source.data.snapshot", "btrfs"]).assert_code(0);
    let failed = scene.without("-sys_admin", &["backup"]).assert_code(1);
    assert!(failed.err.contains("no btrfs snapshot of"), "{}", failed.err);
    assert_eq!(scene.snapshots(), 1, "nothing was read");
    assert_eq!(in_shell("ls -A \"$1\"", &[&data]), "file\n", "what can't be deleted is not made");
    // Where the file system lets its users delete subvolumes, it works.
    in_shell("mount -o remount,user_subvol_rm_allowed \"$1\"", &[&scene.top]);
    let told = scene.without("-sys_admin", &["backup", "-v"]).assert_code(0);
    assert!(told.err.contains("is read from the snapshot"), "{}", told.err);
    assert_eq!(left_in(&data), Vec::<String>::new());
    // A dry run writes nothing, and makes no snapshot.
    let dry = scene.person.types(["backup", "-v", "--dry-run"]).assert_code(0);
    assert!(!dry.err.contains("is read from the snapshot"), "{}", dry.err);
}

#[test]
fn a_source_that_is_not_on_the_named_system_is_not_read() {
    let scene = Scene::new("");
    let docs = scene.person.folder("docs", "x");
    scene.source(&docs, "btrfs");
    scene.hook("snapshot-before", "echo before >> ~/log");
    let failed = scene.person.types(["backup"]).assert_code(1);
    assert!(
        failed.err.contains("not on btrfs") && failed.err.contains("nothing of it was read"),
        "{}",
        failed.err
    );
    for (kind, why) in [("zfs", "not on zfs"), ("lvm", "is on no logical volume")] {
        scene.person.types(["config", "set", "source.data.snapshot", kind]).assert_code(0);
        let failed = scene.person.types(["backup"]).assert_code(1);
        assert!(failed.err.contains(why), "{}", failed.err);
    }
    assert_eq!(scene.snapshots(), 0);
    // Where nothing is wanted in particular, there is nothing to say but that a hook has no use.
    scene.person.types(["config", "set", "source.data.snapshot", "auto"]).assert_code(0);
    let told = scene.person.types(["backup"]).assert_code(0);
    assert!(told.err.contains("are not run"), "{}", told.err);
    scene
        .person
        .types(["config", "set", "source.data.hooks.snapshot-before", "--remove"])
        .assert_code(0);
    assert_eq!(scene.person.types(["backup"]).assert_code(0).err, "");
    assert!(!scene.person.at("log").exists());
    let wrong = scene.person.types(["config", "set", "source.data.snapshot", "xfs"]).assert_code(2);
    assert!(wrong.err.contains("never, auto, btrfs, zfs, lvm"), "{}", wrong.err);
}

#[test]
fn what_a_killed_backup_left_is_deleted_by_the_next_and_nothing_else() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    scene.subvolume("data/inner");
    in_shell(
        "btrfs subvolume snapshot -r \"$1/inner\" \"$1/.yore-snapshot.mine\" > /dev/null",
        &[&data],
    );
    in_shell("mkdir \"$1/.yore-snapshot.0.1.2.3.4-0\"", &[&data]);
    scene.source(&data, "btrfs");
    let mine = left_in(&data);
    scene.hook("snapshot-after", "kill -9 $PPID");
    let killed = scene.person.types(["backup"]);
    assert_eq!(killed.code, None, "{killed:?}");
    assert_eq!(left_in(&data).len(), mine.len() + 1);
    assert_eq!(left_in(&data.join("inner")).len(), 1);
    // An interrupt leaves nothing.
    scene.hook("snapshot-after", "kill -INT $PPID; sleep 0.3");
    scene.person.types(["backup"]).assert_code(130);
    assert_eq!((left_in(&data), left_in(&data.join("inner"))), (mine.clone(), Vec::new()));
    scene.hook("snapshot-after", "kill -9 $PPID");
    scene.person.types(["backup"]);
    // A failure of any other kind leaves nothing either; what is of somebody else is no part of the source.
    scene.hook("snapshot-after", "exit 3");
    let failed = scene.person.types(["backup"]).assert_code(1);
    assert!(failed.err.contains("the hook snapshot-after failed"), "{}", failed.err);
    assert_eq!((left_in(&data), left_in(&data.join("inner"))), (mine, Vec::new()));
    assert_eq!(scene.snapshots(), 0);
    scene.hook("snapshot-after", "true");
    scene.person.types(["backup"]).assert_code(0);
    let found = in_shell("cd \"$1\" && find . -type f | sort", &[&scene.restore(&data, "whole")]);
    assert_eq!(found, "./file\n./inner/file\n");
}

#[test]
fn what_stood_still_goes_on_although_the_first_hook_failed() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    scene.source(&data, "btrfs");
    scene.hook("snapshot-before", "echo $YORE_HOOK $YORE_SOURCE >> ~/log; exit 4");
    scene.hook("snapshot-after", "echo $YORE_HOOK $YORE_SOURCE >> ~/log");
    let failed = scene.person.types(["backup"]).assert_code(1);
    assert!(
        failed.err.contains("the hook snapshot-before failed: exit status: 4"),
        "{}",
        failed.err
    );
    let log = fs::read_to_string(scene.person.at("log")).expect("a log");
    assert_eq!(log, "snapshot-before data\nsnapshot-after data\n");
    assert_eq!((scene.snapshots(), left_in(&data).len()), (0, 0));
}

#[test]
fn messages_name_the_live_paths() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    let secret = data.join("secret");
    in_shell("echo x > \"$1\" && chmod 000 \"$1\"", &[&secret]);
    scene.source(&data, "btrfs");
    in_shell("mount -o remount,user_subvol_rm_allowed \"$1\"", &[&scene.top]);
    let capabilities = "-dac_override,-dac_read_search";
    for words in [&["backup"][..], &["backup", "--json"]] {
        let told = scene.without(capabilities, words).assert_code(3);
        assert!(told.err.contains(secret.to_str().expect("UTF-8")), "{}", told.err);
        assert!(
            !told.err.contains(".yore-snapshot") && !told.out.contains(".yore-snapshot"),
            "{told:?}"
        );
    }
}

#[test]
fn a_repository_on_the_same_file_system_is_left_out() {
    let scene = Scene::new("");
    let data = scene.subvolume("data");
    let repository = data.join("backup");
    scene.person.types_on("destination add --name here", &repository).assert_code(0);
    scene.person.types(["sync"]).assert_code(0);
    in_shell(
        "ln -s backup \"$1/link\"; mkdir \"$1/second\"; mount --bind \"$1/backup\" \"$1/second\"",
        &[&data],
    );
    let second = data.join("second");
    let mounted = yore_tests::MountedAt::new(&second);
    scene.source(&data, "btrfs");
    let report = scene.back_up();
    drop(mounted);
    assert_eq!(report["totals"]["files"], 1, "{report}");
}

#[test]
fn a_device_that_is_mounted_for_the_process_alone_is_read_like_any_place() {
    for mkfs in ["mkfs.ext4 -q", "mkfs.xfs -q"] {
        let scratch = yore_tests::Scratch::new();
        let mut disk = Disk::new(&scratch, 320, mkfs);
        let live = scratch.at("live");
        disk.mount(&live);
        in_shell("mkdir \"$1/me\" && echo text > \"$1/me/file\" && sync -f \"$1\"", &[&live]);
        let kind = mkfs.trim_start_matches("mkfs.").trim_end_matches(" -q");
        // The device of a snapshot: a copy of that of the mounted file system.
        let copy = Disk::new(&scratch, 320, "true");
        in_shell(
            "fsfreeze -f \"$1\"; dd if=\"$2\" of=\"$3\" bs=1M status=none; fsfreeze -u \"$1\"",
            &[&live, &disk.device, &copy.device],
        );
        let mount = PrivateMount::of_device(&copy.device, kind).expect("it is mounted");
        fs::write(live.join("me/file"), "changed").expect("a file");
        let source = live.join("me");
        let place =
            Place { path: source.clone(), live: source.clone(), folder: mount.top().join("me") };
        let places = Places::new(&[place], None).expect("it is there");
        let repository = TestRepository::new(Arc::new(Memory::default()));
        let (opened, observer) = (repository.open(), Recorder::default());
        let report =
            backup_from(&opened, &[source], &places, &options(None), &observer).expect("a backup");
        assert_eq!((report.totals.files, report.totals.bytes), (1, 5), "{kind}");
        let table = fs::read_to_string("/proc/self/mountinfo").expect("a table");
        let device = copy.device.to_str().expect("UTF-8");
        assert!(!table.contains(&format!("{device} ")), "nobody else sees it");
    }
}
