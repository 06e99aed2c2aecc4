//! Restores on a machine where the owners' names have other numbers.

use std::path::{Path, PathBuf};
use std::process::Command;

use yore_tests::{Ended, Yore, binary, in_shell, needs_root};

/// Runs the program on a machine where user and group `keeper` have this number.
fn with_keeper(yore: &Yore, number: u32, words: &[&Path]) -> Ended {
    let [passwd, group] = ["passwd", "group"].map(|name| yore.scratch.at(name));
    let line = format!("root:x:0:0::/root:/bin/sh\nkeeper:x:{number}:{number}::/:/bin/sh\n");
    std::fs::write(&passwd, line).expect("a file");
    std::fs::write(&group, format!("root:x:0:\nkeeper:x:{number}:\n")).expect("a file");
    let script = "mount --bind \"$1\" /etc/passwd && mount --bind \"$2\" /etc/group && shift 2 && exec \"$@\"";
    let template = yore.command(words);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([&passwd, &group])
        .arg(binary())
        .args(words);
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(yore.scratch.path());
    Yore::finish(&mut command)
}

fn owner(path: &Path) -> String {
    let output = Command::new("stat").args(["-c", "%u %g"]).arg(path).output().expect("it runs");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[test]
fn owners_are_listed_by_the_names_that_they_had() {
    needs_root("give files to others");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for (name, number) in [("known", "4242"), ("unknown", "4711")] {
        std::fs::write(source.join(name), name).expect("a file");
        in_shell(&format!("chown {number}:{number} \"$1\""), &[&source.join(name)]);
    }
    let here = yore_platform::hostname();
    let place = format!("latest:{}", source.display());
    for (host, number, unknown) in [
        // This machine has made an account since, and given the name of another one to its number.
        (here.as_str(), 4711, "keeper"),
        // On another machine, the number is somebody else's.
        ("elsewhere", 4711, "4711"),
    ] {
        let words = ["backup", "--host", host].map(Path::new);
        with_keeper(&yore, 4242, &[&words[..], &[&source]].concat()).assert_code(0);
        let words = ["ls", &place, "--host", host].map(Path::new);
        let listed = with_keeper(&yore, number, &words).assert_code(0).out;
        let owners = |name: &str| {
            let line = listed.lines().find(|line| line.ends_with(name)).expect("it is listed");
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[1].to_owned(), words[2].to_owned())
        };
        let both = |name: &str| (name.to_owned(), name.to_owned());
        assert_eq!(owners(" known"), both("keeper"), "{listed}");
        assert_eq!(owners(" unknown"), both(unknown), "{listed}");
    }
}

#[test]
fn files_go_to_the_owner_of_the_same_name() {
    needs_root("give files to others");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for (name, number) in [("known", "4242"), ("unknown", "4711")] {
        std::fs::write(source.join(name), name).expect("a file");
        in_shell(&format!("chown {number}:{number} \"$1\""), &[&source.join(name)]);
    }
    let path = |text: &str| PathBuf::from(text);
    with_keeper(&yore, 4242, &[&path("backup"), &source]).assert_code(0);
    let place = path(&format!("latest:{}", source.display()));
    for (option, expected) in [("--verify", "5353 5353"), ("--numeric-ids", "4242 4242")] {
        let target = yore.scratch.at("target");
        let words = [&path("restore"), &path(option), &place, &path("--target"), &target];
        with_keeper(&yore, 5353, &words.map(PathBuf::as_path)).assert_code(0);
        assert_eq!(owner(&target.join("source/known")), expected, "{option}");
        // A number without a name stays as it is.
        assert_eq!(owner(&target.join("source/unknown")), "4711 4711", "{option}");
        std::fs::remove_dir_all(&target).expect("it was made");
    }
}
