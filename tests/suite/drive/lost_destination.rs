//! Destinations that disappear or hang under a mounted drive, and come back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yore_tests::{MountGuard, Yore, in_shell, noise};

/// The size of a file that is larger than what the drive caches after a read of its beginning.
const LARGE: usize = 24 << 20;

fn backed_up(yore: &Yore) -> PathBuf {
    let source = yore.scratch.folder("source");
    fs::write(source.join("large"), noise(LARGE, 7)).expect("a file");
    fs::write(source.join("small"), noise(5000, 8)).expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    source
}

/// Reads at a place that was not read before, past the cached beginning.
fn read_at(file: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(file)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; 4096];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn until(what: &str, is_so: &mut dyn FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_repository_that_is_moved_away_makes_errors_until_it_is_back() {
    let yore = Yore::with_repository();
    let source = backed_up(&yore);
    let drive = MountGuard::new(&yore, &["--cache-size", "1M"]);
    let shown = drive.path_of("latest", &source);
    assert_eq!(fs::read_dir(&shown).expect("it lists").count(), 2);
    let elsewhere = yore.scratch.at("elsewhere");
    fs::rename(yore.repository(), &elsewhere).expect("moved");
    assert_eq!(fs::read_dir(&shown).expect("what was seen is listed").count(), 2);
    let error = read_at(&shown.join("large"), 8 << 20).expect_err("there is nothing to read");
    assert_eq!(error.raw_os_error(), Some(5), "EIO: {error}");
    assert!(drive.path().join("snapshots").read_dir().is_ok_and(|dir| dir.count() > 0));
    fs::rename(&elsewhere, yore.repository()).expect("moved back");
    until("it reads again", &mut || {
        read_at(&shown.join("large"), 8 << 20)
            .is_ok_and(|bytes| bytes == noise(LARGE, 7)[8 << 20..][..4096])
    });
}

/// A folder served at another path by a program that can be stopped.
struct Passed {
    point: PathBuf,
    child: Child,
}

impl Passed {
    fn new(folder: &Path, point: &Path) -> Self {
        fs::create_dir_all(point).expect("a folder");
        let mut command = Command::new("bindfs");
        command.args(["-f", "--no-allow-other", "-o", "direct_io"]).arg(folder).arg(point);
        let child = command.stdin(Stdio::null()).spawn().expect("bindfs runs");
        let passed = Self { point: point.to_owned(), child };
        let mounted = passed.point.join("yore.cbor");
        until("bindfs shows the folder", &mut || mounted.exists());
        passed
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        in_shell("kill -s \"$1\" \"$2\"", &[Path::new(name), Path::new(&pid)]);
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        self.signal("CONT");
        let _ = Command::new("umount").arg("-l").arg(&self.point).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_destination_that_hangs_makes_errors_until_it_answers() {
    let yore = Yore::with_repository();
    let source = backed_up(&yore);
    let passed = Passed::new(&yore.repository(), &yore.scratch.at("passed"));
    let through = passed.point.to_str().expect("text").to_owned();
    let drive = MountGuard::new(&yore, &["--cache-size", "1M", "--repo", &through]);
    let shown = drive.path_of("latest", &source);
    assert_eq!(fs::read_dir(&shown).expect("it lists").count(), 2);
    passed.signal("STOP");
    let began = Instant::now();
    let error = read_at(&shown.join("large"), 8 << 20).expect_err("nobody answers");
    assert_eq!(error.raw_os_error(), Some(5), "EIO: {error}");
    // A bound for a call that must not hang, with room for a busy machine.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(fs::read_dir(&shown).expect("what was seen is listed").count(), 2);
    let told = yore.run(["status", "--json"]);
    assert!(told.out.contains(drive.path().to_str().expect("text")), "{told:?}");
    passed.signal("CONT");
    until("it reads again", &mut || {
        read_at(&shown.join("large"), 16 << 20)
            .is_ok_and(|bytes| bytes == noise(LARGE, 7)[16 << 20..][..4096])
    });
    drop(drive);
}

#[test]
fn a_disk_can_be_ejected_or_pulled_and_everything_recovers_when_it_is_back() {
    let yore = Yore::with_repository();
    let source = backed_up(&yore);
    let point = yore.scratch.at("disk");
    let disk = Passed::new(&yore.repository(), &point);
    // The repository is at the root of the disk: without the disk, its path is an empty folder.
    let there = point.to_str().expect("text").to_owned();
    let drive = MountGuard::new(&yore, &["--cache-size", "1M", "--repo", &there]);
    let large = drive.path_of("latest", &source).join("large");
    let reads = |offset: usize| {
        read_at(&large, offset as u64).is_ok_and(|bytes| bytes == noise(LARGE, 7)[offset..][..4096])
    };
    let is_away = |offset: u64| {
        assert_eq!(fs::read_dir(&point).expect("a folder").count(), 0, "nothing is put there");
        let error = read_at(&large, offset).expect_err("there is nothing to read");
        assert_eq!(error.raw_os_error(), Some(5), "EIO: {error}");
        // Long enough for the drive to look for new snapshots several times.
        std::thread::sleep(Duration::from_secs(3));
        let days = drive.path().join("snapshots").read_dir().expect("what was seen is listed");
        assert!(days.count() > 0 && large.exists(), "what was seen is still there");
    };
    assert!(reads(8 << 20));
    until("nobody keeps the disk busy", &mut || {
        Command::new("umount").arg(&point).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    });
    is_away(12 << 20);
    let refused = yore.run(["--repo", &there, "backup", source.to_str().expect("text")]);
    refused.assert_code(10);
    assert_eq!(fs::read_dir(&point).expect("a folder").count(), 0, "nothing is put there");
    drop(disk);
    let disk = Passed::new(&yore.repository(), &point);
    until("it reads again", &mut || reads(12 << 20));
    disk.signal("KILL");
    let error = read_at(&large, 16 << 20).expect_err("the disk is dead");
    assert_eq!(error.raw_os_error(), Some(5), "EIO: {error}");
    drop(disk);
    is_away(16 << 20);
    let disk = Passed::new(&yore.repository(), &point);
    until("it reads again", &mut || reads(16 << 20));
    drop((drive, disk));
}

#[test]
fn a_suspended_drive_continues() {
    let yore = Yore::with_repository();
    let source = backed_up(&yore);
    let drive = MountGuard::new(&yore, &[]);
    let small = drive.path_of("latest", &source).join("small");
    drive.signal("STOP");
    let reader = std::thread::spawn(move || fs::read(small).expect("it reads"));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!reader.is_finished(), "a process that is stopped answers nothing");
    fs::write(source.join("meanwhile"), "x").expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    drive.signal("CONT");
    assert_eq!(reader.join().expect("it ends"), noise(5000, 8));
    let new = drive.path_of("latest", &source).join("meanwhile");
    until("what came meanwhile appears", &mut || new.exists());
}

#[test]
fn downloads_stay_within_the_rate() {
    let yore = Yore::with_repository();
    let source = backed_up(&yore);
    let drive = MountGuard::new(&yore, &["--max-fetch-rate", "12M"]);
    let began = Instant::now();
    let read = fs::read(drive.path_of("latest", &source).join("large")).expect("it reads");
    assert!(read == noise(LARGE, 7));
    // 24 MiB at 12 MiB a second, of which the first second's share may come at once.
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
}
