//! Folders as tar and zip archives for other programs, and single files under a chosen name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use yore_tests::{Yore, assert_same_tree, in_shell, needs_root, noise};

/// Makes a repository with a folder of everything that a tar can hold.
fn scene() -> (Yore, PathBuf) {
    needs_root("make devices and give files away");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let long = "a folder with a long name ".repeat(5);
    let deep = source.join(&long).join(&long);
    fs::create_dir_all(&deep).expect("folders");
    fs::write(deep.join("deep"), "deep").expect("a file");
    fs::write(source.join("large"), noise(300_000, 3)).expect("a file");
    fs::write(source.join("b\u{e4}r.txt"), "text").expect("a file");
    fs::write(source.join("empty"), "").expect("a file");
    in_shell(
        "cd \"$1\"; ln large 'large too'; ln -s large link; ln -s \"$(printf 'x%.0s' {1..150})\" 'long link'; \
         mkfifo pipe; mknod device c 1 3; \
         setfattr -n user.note -v text empty; setfacl -m u:77:rw large; chown 1234:4321 empty; \
         chmod 6755 empty; touch -d 1969-03-04T05:06:07.25Z b*; \
         touch -h -d 2001-02-03T04:05:06.7Z link; chmod 750 .; touch -d 2002-03-04 .",
        &[&source],
    );
    yore.run_on("backup", &[&source]).assert_code(0);
    (yore, source)
}

/// Writes the output of `cat` for the folder into a file.
fn archive(yore: &Yore, source: &Path, options: &[&str], code: i32) -> PathBuf {
    let place = format!("latest:{}", source.display());
    let file = yore.scratch.at("archive");
    let out = fs::File::create(&file).expect("a file");
    let words = ["cat", &place].into_iter().chain(options.iter().copied());
    let mut command = yore.command(words);
    let child = command.stdout(Stdio::from(out)).spawn().expect("the program runs");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(code), "{}", String::from_utf8_lossy(&ended.stderr));
    file
}

#[test]
fn tar_and_bsdtar_unpack_a_folder_as_it_was() {
    let (yore, source) = scene();
    let file = archive(&yore, &source, &[], 0);
    for (n, line) in [
        "tar --xattrs --xattrs-include='*' --acls -xpf \"$1\" -C \"$2\"",
        "bsdtar --xattrs --acls -xpf \"$1\" -C \"$2\"",
    ]
    .into_iter()
    .enumerate()
    {
        let target = yore.scratch.folder(&format!("target {n}"));
        in_shell(line, &[&file, &target]);
        if n == 0 {
            assert_same_tree(&target.join("source"), &source);
        }
        in_shell(
            "diff -r --no-dereference \"$1\" \"$2\" -x pipe -x device",
            &[&target.join("source"), &source],
        );
        let links = in_shell("stat -c %h \"$1\"", &[&target.join("source/large too")]);
        assert_eq!(links.trim(), "2", "{line}");
    }
    let listed = in_shell("tar -tf \"$1\"", &[&file]);
    assert!(listed.lines().all(|line| line.starts_with("source/")), "{listed}");
    let holes = yore.scratch.folder("holes");
    in_shell("truncate -s 5000000 \"$1\"/sparse && echo end >> \"$1\"/sparse", &[&holes]);
    yore.run_on("backup", &[&holes]).assert_code(0);
    let file = archive(&yore, &holes, &[], 0);
    in_shell("tar -xOf \"$1\" holes/sparse | cmp - \"$2\"", &[&file, &holes.join("sparse")]);
    yore.assert_sound();
}

#[test]
fn unzip_and_bsdtar_read_a_zip() {
    let (yore, source) = scene();
    // Files that a zip can't hold are listed.
    let file = archive(&yore, &source, &["--zip"], 3);
    fs::remove_file(source.join("pipe")).expect("removed");
    fs::remove_file(source.join("device")).expect("removed");
    in_shell("unzip -tq \"$1\"", &[&file]);
    for (n, line) in
        ["unzip -qq \"$1\" -d \"$2\"", "bsdtar -xpf \"$1\" -C \"$2\""].into_iter().enumerate()
    {
        let target = yore.scratch.folder(&format!("target {n}"));
        in_shell(line, &[&file, &target]);
        in_shell("diff -r --no-dereference \"$1\" \"$2\"", &[&target.join("source"), &source]);
    }
    let one = archive(&yore, &source.join("large"), &["--zip"], 0);
    assert_eq!(
        in_shell("unzip -p \"$1\" large | cmp - \"$2\"", &[&one, &source.join("large")]),
        ""
    );
}

#[test]
fn a_single_file_gets_the_chosen_name() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::write(source.join("file.txt"), "content").expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    let place = format!("latest:{}/file.txt", source.display());
    let there = yore.scratch.folder("there");
    let read = |name: &str| fs::read_to_string(yore.scratch.at(name)).expect("a file");
    for (target, lands) in [
        ("./copy.txt", "copy.txt"),
        ("new/copy", "new/copy"),
        ("there", "there/file.txt"),
        ("folder/", "folder/file.txt"),
    ] {
        yore.run(["restore", &place, "--target", target]).assert_code(0);
        assert_eq!(read(lands), "content", "{target}");
    }
    assert_eq!(fs::read_dir(&there).expect("a folder").count(), 1);
    // `--overwrite` applies to the chosen name, too.
    fs::write(yore.scratch.at("copy.txt"), "somebody's").expect("a file");
    yore.run(["restore", &place, "--target", "copy.txt", "--overwrite", "never"]).assert_code(0);
    assert_eq!(read("copy.txt"), "somebody's");
    // A folder is restored into the target, under its own name.
    let folder = format!("latest:{}", source.display());
    yore.run(["restore", &folder, "--target", "other"]).assert_code(0);
    assert_eq!(read("other/source/file.txt"), "content");
}
