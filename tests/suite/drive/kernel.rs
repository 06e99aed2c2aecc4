//! Less common calls: directory positions, holes, mmap, ACLs, owners, extended attributes.

use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{MountGuard, Yore, in_shell, needs_root, noise, root};

/// Backs up a source; returns the drive and the path of the source on it.
fn mounted(yore: &Yore, source: &Path, options: &[&str]) -> (MountGuard, PathBuf) {
    yore.run_on("backup", &[source]).assert_code(0);
    let drive = MountGuard::new(yore, options);
    let shown = drive.path_of("latest", source);
    (drive, shown)
}

/// Runs a line on the drive and on the source; both must print the same, and not nothing.
#[track_caller]
fn assert_agree(line: &str, shown: &Path, source: &Path) {
    let (there, here) = (in_shell(line, &[shown]), in_shell(line, &[source]));
    assert!(!here.trim().is_empty(), "`{line}` prints nothing");
    assert_eq!(there, here, "`{line}`");
}

#[test]
fn positions_in_a_directory_of_a_hundred_thousand_stay() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    in_shell("cd \"$1\" && seq 100000 | xargs touch", &[&source]);
    let (_drive, shown) = mounted(&yore, &source, &[]);
    let script = root().join("tests/oracle/directory_positions.py");
    let count = Path::new("100000");
    in_shell("/usr/bin/python3 \"$1\" \"$2\" \"$3\"", &[&script, &shown, count]);
}

#[test]
fn holes_links_acls_and_capabilities_are_as_on_the_source() {
    needs_root("set capabilities");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    in_shell(
        "cd \"$1\"
         truncate -s 100M sparse && printf x | dd of=sparse bs=1 seek=50M conv=notrunc status=none
         truncate -s 6G beyond && printf end | dd of=beyond bs=1 seek=5G conv=notrunc status=none
         echo one > one && ln one two && mkdir sub && ln one sub/three && echo other > other
         cp /bin/true program && setcap cap_net_bind_service+ep program
         setfacl -m u:1234:rx,g:55:r other && setfacl -d -m u:77:rwx sub && chmod 2751 sub
         chown 1234:55 other && touch -d '1969-12-31T23:59:59.123456789Z' one",
        &[&source],
    );
    let (_drive, shown) = mounted(&yore, &source, &[]);
    assert_agree("cd \"$1\" && find . | sort | xargs getfacl -n", &shown, &source);
    assert_agree("cd \"$1\" && getcap -r . | sort", &shown, &source);
    assert_agree("cd \"$1\" && find . -samefile one | sort", &shown, &source);
    assert_agree(
        "cd \"$1\" && find . ! -type d -printf '%p %n %s %T@ %C@ %m\\n' | sort",
        &shown,
        &source,
    );
    // Holes take no blocks: both agree within a block or two for each piece of data.
    let taken = |place: &Path| -> u64 {
        let du = in_shell("du -sk --exclude=program \"$1\" | cut -f 1", &[place]);
        du.trim().parse().expect("a number")
    };
    assert!(taken(&shown).abs_diff(taken(&source)) < 64, "{} {}", taken(&shown), taken(&source));
    let pieces = "cd \"$1\" && /usr/bin/python3 -c 'import os, sys
for name in (\"sparse\", \"beyond\"):
    file = os.open(name, os.O_RDONLY); size = os.fstat(file).st_size; at = 0
    while True:
        try: at = os.lseek(file, at, os.SEEK_DATA)
        except OSError as error: print(name, error.errno); break
        end = os.lseek(file, at, os.SEEK_HOLE); print(name, at, end, os.pread(file, 8192, at).count(0)); at = end'";
    assert_agree(pieces, &shown, &source);
    assert_agree(
        "cd \"$1\" && tail -c +5368709121 beyond | head -c 3 && stat -c %s beyond",
        &shown,
        &source,
    );
}

#[test]
fn files_can_be_mapped_and_the_size_of_the_file_system_is_that_of_the_repository() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::write(source.join("file"), noise(9_000_001, 4)).expect("a file");
    let (_drive, shown) = mounted(&yore, &source, &[]);
    let mapped = "cd \"$1\" && /usr/bin/python3 -c 'import hashlib, mmap, os
file = os.open(\"file\", os.O_RDONLY)
shared = mmap.mmap(file, 0, mmap.MAP_SHARED, mmap.PROT_READ); own = mmap.mmap(file, 0, mmap.MAP_PRIVATE)
print(len(shared), hashlib.sha256(shared).hexdigest())
own[5_000_000] ^= 1
print(shared[8_999_990:].hex(), own[5_000_000] ^ shared[5_000_000])'";
    assert_agree(mapped, &shown, &source);
    let told = in_shell("stat -f -c '%b %S %a %l %c' \"$1\"", &[&shown]);
    let numbers: Vec<u64> = told.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    let [blocks, size, free, longest, files] = numbers[..] else { panic!("{told}") };
    let stored = in_shell("du -sb \"$1\"/packs | cut -f 1", &[&yore.repository()]);
    let stored: u64 = stored.trim().parse().expect("a number");
    assert!((blocks * size).abs_diff(stored) < stored / 10, "{told} for {stored} bytes");
    assert_eq!((free, longest), (0, 255));
    assert!(files >= 3, "{told}");
}

#[test]
fn other_users_see_the_drive_with_allow_other_within_the_permissions() {
    needs_root("become another user");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    in_shell(
        "chmod 755 \"$2\" && cd \"$1\" && echo all > all && chmod 644 all && echo mine > mine && chmod 600 mine
         echo theirs > theirs && chown 65534:65534 theirs && chmod 400 theirs
         echo listed > listed && chmod 600 listed && setfacl -m u:65534:r listed",
        &[&source, yore.scratch.path()],
    );
    let as_nobody = "cd / && for name in all mine theirs listed; do
        setpriv --reuid 65534 --regid 65534 --clear-groups cat \"$1/$name\" 2> /dev/null || echo refused; done";
    {
        let (_drive, shown) = mounted(&yore, &source, &[]);
        assert_eq!(in_shell(as_nobody, &[&shown]), "refused\n".repeat(4));
    }
    let (_drive, shown) = mounted(&yore, &source, &["--allow-other"]);
    assert_eq!(in_shell(as_nobody, &[&shown]), "all\nrefused\ntheirs\nlisted\n");
}

#[test]
fn the_options_owner_and_umask_set_owner_and_permissions() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    in_shell(
        "cd \"$1\" && echo x > file && chmod 666 file && mkdir sub && chmod 777 sub",
        &[&source],
    );
    let (_drive, shown) = mounted(&yore, &source, &["--owner", "1234:55", "--umask", "027"]);
    let told = in_shell("cd \"$1\" && stat -c '%n %u %g %a' file sub", &[&shown]);
    assert_eq!(told, "file 1234 55 640\nsub 1234 55 750\n");
}

#[test]
fn attributes_of_the_drive_name_snapshot_time_and_content() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    in_shell("cd \"$1\" && echo x > one && echo x > same && echo y > other", &[&source]);
    yore.run_on("backup --time 2026-01-15T10:30:00Z", &[&source]).assert_code(0);
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("snapshots/2026-01-15T103000", &source);
    let ask = |name: &str, what: &str| {
        in_shell(
            &format!("getfattr --only-values -n user.yore.{what} \"$1\""),
            &[&shown.join(name)],
        )
    };
    assert_eq!(ask("one", "snapshot"), yore.snapshot_ids()[0]);
    assert_eq!(ask("one", "time"), "2026-01-15T10:30:00+00:00");
    assert_eq!(ask("one", "id"), ask("same", "id"));
    assert_ne!(ask("one", "id"), ask("other", "id"));
    assert_eq!(in_shell("getfattr -d -m - \"$1\"", &[&shown.join("one")]), "");
}
