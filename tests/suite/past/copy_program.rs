//! `yore copy` as a person types it.

use yore_tests::{Ended, Yore, reader};

/// Two repositories: an old one with two snapshots, opened by a passphrase, and a new one.
struct Scene {
    yore: Yore,
    old: String,
    passphrase: String,
}

impl Scene {
    fn new() -> Self {
        let yore = Yore::with_repository();
        let text = |name: &str| yore.scratch.at(name).display().to_string();
        let (old, passphrase) = (text("old"), text("old-passphrase"));
        std::fs::write(&passphrase, "correct horse battery staple").expect("a file");
        let source = yore.scratch.folder("source");
        let scene = Self { yore, old, passphrase };
        scene.at_old(&["init"]).assert_code(0);
        for round in ["one", "two"] {
            std::fs::write(source.join("file"), round.repeat(1000)).expect("a file");
            let source = source.display().to_string();
            scene.at_old(&["backup", "--tag", round, &source]).assert_code(0);
        }
        scene
    }

    fn at_old(&self, words: &[&str]) -> Ended {
        let options = ["--repo", &self.old, "--password-file", &self.passphrase];
        Yore::finish(&mut self.yore.bare_command(options.iter().chain(words)))
    }

    fn copy(&self, words: &[&str]) -> Ended {
        let options = ["copy", "--from", &self.old, "--from-password-file", &self.passphrase];
        self.yore.run(options.iter().chain(words))
    }
}

#[test]
fn snapshots_are_copied_once_and_a_dry_run_tells_which() {
    let scene = Scene::new();
    let dry = scene.copy(&["--dry-run"]).assert_code(0);
    assert!(dry.out.contains("2 snapshots would be copied"), "{dry:?}");
    assert_eq!(scene.yore.snapshot_ids().len(), 0);
    let copied = scene.copy(&["--json", "--tag", "two"]).assert_code(0).objects();
    assert_eq!(copied.len(), 2, "{copied:?}");
    assert_eq!(copied[0]["type"], "copied");
    assert_eq!((&copied[1]["type"], &copied[1]["copied"]), (&"copy".into(), &1.into()));
    let text = scene.copy(&[]).assert_code(0);
    assert!(text.out.contains("1 snapshot copied"), "{text:?}");
    let text = scene.copy(&[]).assert_code(0);
    assert!(text.out.contains("Nothing is left to be copied"), "{text:?}");
    assert_eq!(scene.yore.snapshot_ids().len(), 2);
    let source = scene.yore.scratch.at("source/file").display().to_string();
    let cat = scene.yore.run(["cat", &format!("latest:{source}")]).assert_code(0);
    assert_eq!(cat.out, "two".repeat(1000));
    scene.yore.assert_sound();
    // The second reader finds the copies, too, and nothing wrong with them.
    let key = scene.yore.key_file();
    let secret = ["--key-file".as_ref(), key.as_os_str()];
    assert_eq!(reader(&scene.yore.repository(), secret, &["list"]).len(), 2);
    reader(&scene.yore.repository(), secret, &["check"]);
}

#[test]
fn a_copy_that_was_forgotten_stays_forgotten_unless_it_is_wanted_again() {
    let scene = Scene::new();
    scene.copy(&[]).assert_code(0);
    let ids = scene.yore.snapshot_ids();
    scene.yore.run(["forget", &ids[0]]).assert_code(0);
    let text = scene.copy(&[]).assert_code(0);
    assert!(text.out.contains("--again"), "{text:?}");
    assert_eq!(scene.yore.snapshot_ids().len(), 1);
    scene.copy(&["--again"]).assert_code(0);
    assert_eq!(scene.yore.snapshot_ids().len(), 2);
    // A chosen one, by the id that it has there.
    let there = scene.at_old(&["snapshots", "--json"]).assert_code(0).objects();
    let id = there[0]["id"].as_str().expect("an id");
    let text = scene.copy(&["--dry-run", "--json", &id[..8]]).assert_code(0).objects();
    assert_eq!(text[0]["present"], 1, "{text:?}");
}

#[test]
fn what_is_wrong_with_the_other_repository_is_said() {
    let scene = Scene::new();
    let nowhere = scene.yore.scratch.at("nowhere").display().to_string();
    let none = scene.yore.run(["copy", "--from", &nowhere]).assert_code(10);
    assert!(none.err.contains("nowhere") && none.err.contains("--from"), "{none:?}");
    let wrong = scene.yore.scratch.at("wrong").display().to_string();
    std::fs::write(&wrong, "not this one").expect("a file");
    let options = ["copy", "--from", &scene.old, "--from-password-file", &wrong];
    let wrong = scene.yore.run(options).assert_code(12);
    assert!(wrong.err.contains(&scene.old) && wrong.err.contains("--from-"), "{wrong:?}");
    let unsaid = scene.yore.run(["copy", "--from", &scene.old]).assert_code(2);
    assert!(unsaid.err.contains("--from-password-file"), "{unsaid:?}");
    let own = scene.yore.repository().display().to_string();
    let key = scene.yore.key_file().display().to_string();
    let same = scene.yore.run(["copy", "--from", &own, "--from-key-file", &key]).assert_code(1);
    assert!(same.err.contains("same repository"), "{same:?}");
    assert_eq!(scene.yore.snapshot_ids().len(), 0);
}
