//! A killed restore leaves whole files only, and the next one removes its temporary files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use yore_tests::{Random, Yore, assert_same_tree, binary, in_shell, needs_root, noise};

/// A repository and the source that it has a backup of.
struct Scene {
    yore: Yore,
    source: PathBuf,
}

/// Backs up a number of files of up to `bytes` bytes, last modified in 2020.
fn scene(files: u64, bytes: u64) -> Scene {
    let yore = Yore::with_repository();
    let source = yore.scratch.at("source");
    let mut random = Random(7);
    for n in 0..files {
        let folder = source.join(format!("{}", n % 40));
        std::fs::create_dir_all(&folder).expect("a folder");
        let noise = noise(random.below(bytes) as usize, n);
        std::fs::write(folder.join(format!("{n}")), noise).expect("a file");
    }
    in_shell("find \"$1\" -type f -exec touch -d 2020-01-01 {} +", &[&source]);
    yore.run_on("backup", &[&source]).assert_code(0);
    Scene { yore, source }
}

impl Scene {
    /// Returns the words that restore the source into `target`.
    fn words(&self, target: &Path, overwrite: &str) -> Vec<PathBuf> {
        let place = format!("latest:{}", self.source.display());
        ["restore", &place, "--overwrite", overwrite, "--target"]
            .iter()
            .map(PathBuf::from)
            .chain([target.to_owned()])
            .collect()
    }

    /// Starts a restore and kills it once a number of files exist.
    fn kill_at(&self, mut command: Command, target: &Path, files: usize) {
        let mut child = command.spawn().expect("the program runs");
        while files_in(target) < files && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Asserts that every file with a final name is whole; returns the number of temporary ones.
    fn assert_whole(&self, target: &Path) -> usize {
        in_shell(
            "diff -r --exclude='.yore-*' \"$1\" \"$2\" | grep -v '^Only in' >&2; \
             [ ${PIPESTATUS[1]} = 1 ]",
            &[&target.join("source"), &self.source],
        );
        temporary_in(target)
    }

    /// Restores the rest with `overwrite`, and asserts that all is there.
    fn complete(&self, target: &Path, overwrite: &str) {
        self.yore.run(self.words(target, overwrite)).assert_code(0);
        assert_eq!(temporary_in(target), 0, "nothing of the killed ones is left");
        assert_same_tree(&target.join("source"), &self.source);
    }
}

fn files_in(target: &Path) -> usize {
    let count = in_shell("find \"$1\" -type f 2> /dev/null | wc -l", &[target]);
    count.trim().parse().expect("a number")
}

fn temporary_in(target: &Path) -> usize {
    let count = in_shell("find \"$1\" -name '.yore-*' | wc -l", &[target]);
    count.trim().parse().expect("a number")
}

#[test]
fn a_killed_restore_leaves_whole_files_and_the_next_completes_it() {
    for scene in [scene(5_000, 30_000), scene(60, 3_000_000)] {
        for part in [1, 10, 25, 40] {
            let target = scene.yore.scratch.at(&format!("target-{part}"));
            let files = files_in(&scene.source) * part / 50;
            let command = scene.yore.command(scene.words(&target, "different"));
            scene.kill_at(command, &target, files.max(1));
            let left = scene.assert_whole(&target);
            assert_eq!(left, 0, "what has no name yet leaves nothing");
            // A partial file would be newer than the one in the snapshot, and stay.
            scene.complete(&target, "newer");
        }
    }
}

#[test]
fn a_killed_restore_over_other_files_leaves_each_old_or_new() {
    let scene = scene(2_000, 30_000);
    let target = scene.yore.scratch.at("target");
    let mut random = Random(11);
    for _ in 0..6 {
        in_shell("rm -rf \"$1\" && mkdir \"$1\" && cp -r \"$2\" \"$1\"", &[&target, &scene.source]);
        let mut child =
            scene.yore.command(scene.words(&target, "always")).spawn().expect("it runs");
        std::thread::sleep(Duration::from_micros(random.below(150_000)));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        scene.assert_whole(&target);
        scene.complete(&target, "different");
    }
}

/// Returns the program where files can't be made without a name: without `/proc` they can't be named later.
fn without_proc(scene: &Scene, words: Vec<PathBuf>) -> Command {
    let plain = scene.yore.command(words);
    let mut hidden = Command::new("unshare");
    hidden.args(["-m", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"]);
    hidden.arg(binary()).args(plain.get_args()).env_clear();
    hidden.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    hidden
}

#[test]
fn where_files_need_temporary_names_the_next_restore_removes_those_of_a_killed_one() {
    needs_root("hide /proc from a program");
    let scene = scene(3_000, 60_000);
    let mut left = 0;
    for part in [1, 10, 20, 30, 40] {
        let target = scene.yore.scratch.at(&format!("target-{part}"));
        let command = without_proc(&scene, scene.words(&target, "different"));
        scene.kill_at(command, &target, 3_000 * part / 50);
        left += scene.assert_whole(&target);
        let theirs = target.join("source/0/.yore-0123456789abcdef-0123456789abcdef.tmp");
        std::fs::create_dir_all(theirs.parent().expect("a folder")).expect("a folder");
        std::fs::write(&theirs, "somebody's").expect("a file");
        scene.yore.run(scene.words(&target, "newer")).assert_code(0);
        assert_eq!(temporary_in(&target), 1, "nothing of the killed one is left");
        std::fs::remove_file(&theirs).expect("it stays, for it is somebody's");
        in_shell("diff -r \"$1\" \"$2\"", &[&target.join("source"), &scene.source]);
    }
    assert!(left > 0, "no killed restore left a temporary name");
    let target = scene.yore.scratch.at("whole");
    let ended = Yore::finish(&mut without_proc(&scene, scene.words(&target, "different")));
    ended.assert_code(0);
    assert_eq!(temporary_in(&target), 0);
    assert_same_tree(&target.join("source"), &scene.source);
}
