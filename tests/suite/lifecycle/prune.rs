//! `yore prune`: space is freed, and nothing else changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use yore_tests::{Ended, MountGuard, Yore, assert_same_tree, in_shell};

/// Fills a folder with files of some kilobytes; `state` changes one of three.
fn fill(folder: &Path, state: u32) {
    for number in 0..30_u32 {
        let seed = if number % 3 == 0 { number + 1000 * state } else { number };
        let bytes: Vec<u8> = (0..4_000_u32)
            .flat_map(|n| (n + seed).wrapping_mul(2_654_435_761).to_be_bytes())
            .collect();
        fs::write(folder.join(number.to_string()), bytes).expect("a file");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A repository with snapshots of five states.
fn with_states() -> (Yore, std::path::PathBuf) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for state in 0..5 {
        fill(&source, state);
        yore.run_on("backup", &[&source]).assert_code(0);
    }
    (yore, source)
}

fn pruned(ended: &Ended) -> Value {
    let objects = ended.objects();
    objects.iter().find(|object| object["type"] == "pruned").expect("a result").clone()
}

fn bytes_of_packs(yore: &Yore) -> u64 {
    let size = in_shell("du -sb \"$1/packs\" | cut -f1", &[&yore.repository()]);
    size.trim().parse().expect("a number")
}

fn assert_newest_restores(yore: &Yore, source: &Path) {
    let target = yore.scratch.at("restored");
    yore.run(["restore", "latest", "--target", text(&target)]).assert_code(0);
    assert_same_tree(&target.join(source.strip_prefix("/").expect("absolute")), source);
    fs::remove_dir_all(target).expect("removed");
}

#[test]
fn what_no_snapshot_needs_is_deleted_after_the_grace_and_the_rest_restores() {
    let (yore, source) = with_states();
    let before = bytes_of_packs(&yore);
    assert_eq!(pruned(&yore.run(["prune", "--json"]).assert_code(0))["condemned_packs"], 0);
    yore.run(["forget", "--keep-last", "1", "--force"]).assert_code(0);
    let dry = pruned(&yore.run(["prune", "--dry-run", "--json"]).assert_code(0));
    assert_eq!((&dry["dry_run"], &dry["deleted_packs"]), (&true.into(), &0.into()));
    assert_eq!(bytes_of_packs(&yore), before);
    let first = yore.run(["prune", "--json", "--max-unused", "0"]).assert_code(0);
    let result = pruned(&first);
    assert_eq!(result["deleted_packs"], 0, "{result}");
    assert_eq!(result["pending"][0]["cause"], "grace", "{result}");
    assert_eq!(result["condemned_bytes"], dry["condemned_bytes"], "{result}");
    let told = yore.run(["prune"]).assert_code(0);
    assert!(told.out.contains("may still be read by mounts"), "{}", told.out);
    let deleted = pruned(&yore.run(["prune", "--json", "--grace", "0"]).assert_code(0));
    assert_eq!(deleted["deleted_bytes"], result["pending"][0]["bytes"], "{deleted}");
    assert!(bytes_of_packs(&yore) < before * 3 / 4, "{} of {before}", bytes_of_packs(&yore));
    yore.run(["check", "--read-data"]).assert_code(0);
    assert_newest_restores(&yore, &source);
    let again = yore.run(["prune", "--grace", "0"]).assert_code(0);
    assert!(again.out.contains("nothing to free"), "{}", again.out);
    fill(&source, 9);
    yore.run_on("backup", &[&source]).assert_code(0);
    assert_newest_restores(&yore, &source);
    yore.assert_sound();
}

#[test]
fn what_several_prunes_leave_to_a_later_one_is_a_line_with_the_first_and_the_last_time() {
    let (yore, _source) = with_states();
    for kept in ["4", "2", "1"] {
        yore.run(["forget", "--keep-last", kept, "--force"]).assert_code(0);
        yore.run(["prune", "--max-unused", "0"]).assert_code(0);
        // Times are shown in seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    let result = pruned(&yore.run(["prune", "--json"]).assert_code(0));
    let waiting = result["pending"].as_array().expect("what waits");
    assert_eq!(waiting.len(), 3, "{result}");
    let packs: u64 = waiting.iter().filter_map(|one| one["packs"].as_u64()).sum();
    let told = yore.run(["prune"]).assert_code(0).out;
    assert_eq!(told.matches("may still be read").count(), 1, "{told}");
    assert!(told.contains(&format!(" in {packs} packs may still be read")), "{told}");
    let mut times: Vec<&str> = waiting.iter().filter_map(|one| one["until"].as_str()).collect();
    times.sort_unstable();
    for time in [times[0], times[2]] {
        let local = in_shell("date -u -d \"$1\" '+%F %T'", &[Path::new(time)]);
        assert!(told.contains(&format!("after {}", local.trim())), "{time}: {told}");
    }
    yore.assert_sound();
}

#[test]
fn a_drive_reads_on_while_what_it_shows_is_moved() {
    let (yore, source) = with_states();
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    assert_eq!(fs::read_dir(&shown).expect("a folder").count(), 30);
    yore.run(["forget", "--keep-last", "1", "--force", "--prune"]).assert_code(0);
    // The drive looks for changes every few seconds.
    std::thread::sleep(std::time::Duration::from_secs(12));
    let deleted = pruned(&yore.run(["prune", "--json", "--grace", "0"]).assert_code(0));
    assert!(deleted["deleted_packs"].as_u64() > Some(0), "{deleted}");
    assert_same_tree(&shown, &source);
}

#[test]
fn mistyped_options_are_refused_before_anything_is_read() {
    let yore = Yore::with_repository();
    for words in [
        &["prune", "--max-unused", "many"][..],
        &["prune", "--max-unused", "101%"],
        &["prune", "--grace", "soon"],
        &["prune", "latest"],
    ] {
        yore.run(words).assert_code(2);
    }
}

/// Lists the packs.
fn packs(yore: &Yore) -> BTreeSet<String> {
    let listed = in_shell("find \"$1/packs\" -type f", &[&yore.repository()]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn a_damaged_repository_is_not_pruned() {
    let (yore, source) = with_states();
    let before = packs(&yore);
    fill(&source, 9);
    yore.run_on("backup", &[&source]).assert_code(0);
    yore.run(["forget", "--keep-last", "1", "--force"]).assert_code(0);
    let after = packs(&yore);
    // The newest snapshot needs it.
    fs::remove_file(after.difference(&before).next().expect("a new pack")).expect("removed");
    let left = packs(&yore);
    let refused = yore.run(["prune", "--grace", "0"]).assert_code(1);
    assert!(refused.err.contains("yore check"), "{}", refused.err);
    assert_eq!(packs(&yore), left, "nothing is deleted");
}
