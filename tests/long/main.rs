//! Tests that take long and much space: run by `tests/run --long`.

mod book;
mod packages;

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use yore_tests::{
    FaultedOperation, Mirrored, MountGuard, Person, RcloneRemotes, Sampling, Scratch, Yore,
    conformance, in_shell, kill_at_random, kill_commands, noise, peak_memory, print_measured,
    try_every_fault, work_together,
};

/// The most memory that a process may take, in KiB.
const LIMIT: u64 = 300 << 10;

/// Waits for a process; returns its peak memory.
fn watched(mut child: Child, what: &str) -> u64 {
    let mut peak = 0;
    loop {
        peak = peak_memory(child.id()).map_or(peak, |now| peak.max(now));
        if let Some(status) = child.try_wait().expect("its status can be read") {
            assert!(status.success(), "{what}: {status}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn run_watched(yore: &Yore, words: &[&str]) -> u64 {
    let mut command = yore.command(words);
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    let peak = watched(command.spawn().expect("it runs"), words[0]);
    assert!(peak < LIMIT, "{words:?} took {peak} KiB");
    peak
}

/// The model of prune in sizes of millions of states.
#[test]
fn large_sizes_of_the_prune_protocol_are_safe() {
    yore_tests::prune_protocol::explore_large_sizes();
}

#[test]
fn a_million_small_files_are_backed_up_listed_and_mounted_in_300_mib() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for folder in 0..1000 {
        let path = source.join(format!("{:02}/{folder:04}", folder % 50));
        std::fs::create_dir_all(&path).expect("folders");
        for file in 0..1000 {
            let text = format!("{folder} {file} {}", "words ".repeat(file % 30));
            std::fs::write(path.join(format!("file {file}")), text).expect("a file");
        }
    }
    let source_word = source.to_str().expect("text").to_owned();
    run_watched(&yore, &["backup", &source_word]);
    run_watched(&yore, &["backup", &source_word]);
    run_watched(&yore, &["ls", "--recursive", "latest"]);
    run_watched(&yore, &["check"]);
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    let found = in_shell("find \"$1\" -type f | wc -l", &[&shown]);
    assert_eq!(found.trim(), "1000000");
    let sizes = "find \"$1\" -type f -printf '%P %s %T@\\n' | sort | sha256sum";
    assert_eq!(in_shell(sizes, &[&shown]), in_shell(sizes, &[&source]));
    let peak = peak_memory(drive.pid()).expect("it serves");
    assert!(peak < LIMIT, "the drive took {peak} KiB");
    drop(drive);
    let target = yore.scratch.at("restored").to_str().expect("text").to_owned();
    let place = format!("latest:{source_word}");
    run_watched(&yore, &["restore", &place, "--target", &target]);
    in_shell("diff -r \"$1\" \"$2\"", &[&source, &Path::new(&target).join("source")]);
}

#[test]
fn a_file_of_ten_gigabytes_is_backed_up_and_restored() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let mut file = std::fs::File::create(source.join("large")).expect("a file");
    let block = noise(1 << 20, 1);
    // Five gigabytes of data in blocks that all differ, with five of holes between.
    for n in 0..5120u64 {
        let stretch = if n < 2560 { n } else { n + 5120 };
        file.seek(SeekFrom::Start(stretch << 20)).expect("it seeks");
        file.write_all(&n.to_le_bytes()).expect("written");
        file.write_all(&block[8..]).expect("written");
    }
    file.set_len(10 << 30).expect("its length");
    drop(file);
    let source_word = source.to_str().expect("text").to_owned();
    run_watched(&yore, &["backup", &source_word]);
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    in_shell("cmp \"$1\"/large \"$2\"/large", &[&shown, &source]);
    let blocks = in_shell("stat -c %b \"$1\"/large", &[&shown]);
    let blocks: u64 = blocks.trim().parse().expect("a number");
    assert!(blocks * 512 < 6 << 30, "holes occupy nothing, and it takes {blocks} blocks");
    let peak = peak_memory(drive.pid()).expect("it serves");
    assert!(peak < LIMIT, "the drive took {peak} KiB");
    drop(drive);
    let target = yore.scratch.at("restored").to_str().expect("text").to_owned();
    run_watched(&yore, &["restore", &format!("latest:{source_word}"), "--target", &target]);
    let status = Command::new("cmp")
        .arg(source.join("large"))
        .arg(Path::new(&target).join("source/large"))
        .status();
    assert!(status.expect("cmp runs").success());
}

#[test]
fn every_fault_of_one_of_two_mirrors_at_every_call_loses_nothing() {
    for operation in [
        FaultedOperation::Backup(Mirrored::Yes),
        FaultedOperation::Restore(Mirrored::Yes),
        FaultedOperation::MountReads(Mirrored::Yes),
        FaultedOperation::SyncFrom,
        FaultedOperation::SyncTo,
    ] {
        let totals = try_every_fault(operation, Sampling::All);
        print_measured(&totals);
        let kinds = totals.faults.iter().filter(|(_, outcomes)| outcomes.happened > 0).count();
        assert!(kinds >= 20, "only {kinds} kinds of fault happened");
    }
}

#[test]
fn backups_to_several_destinations_survive_two_hundred_kills() {
    let kills = kill_at_random(201);
    assert_eq!(kills.backups + kills.connections + kills.servers, 201);
}

/// Three years; the growth is drawn where YORE_PLOT says.
#[test]
fn three_years_of_hourly_backups_with_faults_lose_nothing() {
    let result = yore_tests::endurance::endure(3 * 365, 1);
    let sizes = &result.sizes;
    print_measured(format!(
        "{} backups, {} faults, {} restored; at last {:?}",
        result.backups,
        result.faults,
        result.restored,
        sizes.last()
    ));
    assert!(result.faults > 300 && result.restored > 400, "{result:?}");
    if let Some(file) = std::env::var_os("YORE_PLOT") {
        yore_tests::endurance::plot(sizes, Path::new(&file));
    }
}

#[test]
fn writers_prunes_and_a_drive_work_for_half_an_hour() {
    work_together(Duration::from_secs(30 * 60));
}

/// On a folder and, where Garage is built, a bucket of it; 250 times each.
#[test]
fn backups_and_maintenance_survive_five_hundred_kills() {
    let folder = Person::with_destinations(&["one", "two"]);
    let fill = |person: &Person| {
        let source = person.folder("docs", "x");
        for number in 0..20 {
            std::fs::write(source.join(number.to_string()), noise(30_000, number)).expect("a file");
        }
    };
    fill(&folder);
    folder.types(["source", "add", "docs"]).assert_code(0);
    print_measured(format!("{:?}", kill_commands(&folder, |words| folder.command(words), 250)));
    #[cfg(feature = "garage")]
    {
        let garage = yore_tests::Garage::start();
        let (bucket, second) = (garage.at("killed"), garage.at("killed-too"));
        let person = Person::new();
        fill(&person);
        let command = |words: &[&str]| {
            let mut command = person.command(words);
            command
                .env("AWS_ACCESS_KEY_ID", &bucket.access)
                .env("AWS_SECRET_ACCESS_KEY", &bucket.secret)
                .env("AWS_EC2_METADATA_DISABLED", "true");
            command
        };
        let types = |words: &[&str]| drop(Yore::finish(&mut command(words)).assert_code(0));
        types(&["config", "set", "key-file", "~/yore.key"]);
        types(&["destination", "add", &bucket.url(), "--name", "bucket"]);
        types(&["destination", "add", &second.url(), "--name", "second"]);
        types(&["init"]);
        types(&["source", "add", "docs"]);
        print_measured(format!("{:?}", kill_commands(&person, command, 250)));
    }
}

/// `rclone copy` makes the long list, of WebDAV in the folder that is served: the servers of rclone read a folder anew
/// for nearly each object that is written to it.
#[test]
fn long_lists_of_remotes_of_rclone_are_right() {
    for (remote, filled) in
        [("crypt:repository", "crypt:repository"), ("dav:repository", "store:dav/repository")]
    {
        let scratch = Scratch::new();
        let mut remotes = RcloneRemotes::new(&scratch);
        if remote.starts_with("dav:") {
            remotes.serve();
        }
        let many = scratch.at("many");
        conformance::ten_thousand_objects_in_folder(&many);
        remotes.copy(&many, filled);
        conformance::the_ten_thousand_objects_are_listed_in_order(&remotes.backend(remote));
        let others = remotes.backend(&remote.replace("repository", "others"));
        conformance::a_list_holds_what_was_published_before_it_began(&others);
    }
}
