//! Backups to a folder, a server over SSH and buckets, during which one of the programs involved is killed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::json;

#[cfg(feature = "garage")]
use super::Garage;
use super::{BucketAt, S3s, Sshd};
use crate::files::assert_same_tree;
use crate::machine::{Random, noise};
use crate::program::{Person, Yore};

/// The counts of a run of [`kill_at_random`].
#[derive(Debug, Default, Clone, Copy)]
pub struct Kills {
    /// Backups that were killed.
    pub backups: usize,
    /// Times that the connections to the SSH server were killed.
    pub connections: usize,
    /// Times that a server of a bucket was killed.
    pub servers: usize,
    /// Backups that succeeded on at least one destination.
    pub saved: usize,
}

/// A server of a bucket.
trait Store {
    /// Kills it at once, and starts it again.
    fn kill_and_restart(&mut self);
}

impl Store for S3s {
    fn kill_and_restart(&mut self) {
        S3s::kill_and_restart(self);
    }
}

#[cfg(feature = "garage")]
impl Store for Garage {
    fn kill_and_restart(&mut self) {
        Garage::kill_and_restart(self);
    }
}

struct Scene {
    person: Person,
    sshd: Sshd,
    stores: Vec<Box<dyn Store>>,
    /// The names and URLs of the destinations.
    destinations: Vec<(&'static str, String)>,
    source: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let person = Person::new();
        let sshd = Sshd::start(&person.yore.scratch);
        let ssh = person.at(".ssh");
        fs::create_dir_all(&ssh).expect("a folder");
        fs::copy(sshd.known_hosts(), ssh.join("known_hosts")).expect("a file");
        let host = format!(
            "Host nas\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n",
            sshd.port(),
            sshd.user_key().display()
        );
        fs::write(ssh.join("config"), host).expect("a file");
        let source = person.folder("docs", "x");
        for number in 0..40 {
            fs::write(source.join(number.to_string()), noise(30_000, number)).expect("a file");
        }
        let (stores, destinations) = Default::default();
        let mut scene = Self { person, sshd, stores, destinations, source };
        scene.types(&["config", "set", "key-file", "~/yore.key"]);
        let disk = scene.person.at("disk").display().to_string();
        let nas = format!("sftp://nas{}", scene.person.at("remote").display());
        for (name, url) in [("disk", disk), ("nas", nas)] {
            scene.types(&["destination", "add", &url, "--name", name]);
            scene.destinations.push((name, url));
        }
        let s3s = S3s::start();
        scene.add_bucket("s3s", &s3s.at("laptop"), s3s);
        #[cfg(feature = "garage")]
        {
            let garage = Garage::start();
            scene.add_bucket("garage", &garage.at("laptop"), garage);
        }
        scene.types(&["init"]);
        scene.types(&["source", "add", "docs"]);
        scene
    }

    /// Adds a bucket with the command that prints its credentials.
    fn add_bucket(&mut self, name: &'static str, at: &BucketAt, store: impl Store + 'static) {
        let mut add = self.command(&["destination", "add", &at.url(), "--name", name]);
        add.env("AWS_ACCESS_KEY_ID", &at.access).env("AWS_SECRET_ACCESS_KEY", &at.secret);
        Yore::finish(&mut add).assert_code(0);
        let credentials = json!({
            "Version": 1, "AccessKeyId": at.access, "SecretAccessKey": at.secret,
        });
        let file = self.person.at(&format!("{name}.json"));
        fs::write(&file, credentials.to_string()).expect("a file");
        let command = format!("cat {}", file.display());
        let key = format!("destination.{name}.credentials-command");
        self.types(&["config", "set", &key, &command]);
        self.destinations.push((name, at.url()));
        self.stores.push(Box::new(store));
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.person.command(words);
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    #[track_caller]
    fn types(&self, words: &[&str]) {
        Yore::finish(&mut self.command(words)).assert_code(0);
    }
}

/// Makes backups to several destinations, and kills something at a random moment of each: the backup, the connections
/// to the SSH server, or the server of a bucket, which is started again. Then every destination must be sound.
pub fn kill_at_random(rounds: u64) -> Kills {
    let mut scene = Scene::new();
    let mut random = Random(u64::from(std::process::id()));
    let mut kills = Kills::default();
    let kinds = 2 + scene.stores.len() as u64;
    for round in 0..rounds {
        fs::write(scene.source.join("changing"), noise(500_000, round)).expect("a file");
        let mut child = scene.command(&["backup"]).spawn().expect("it starts");
        thread::sleep(Duration::from_micros(random.below(700_000)));
        match round % kinds {
            0 => {
                child.kill().expect("it can be killed");
                kills.backups += 1;
            }
            1 => {
                scene.sshd.kill_connections();
                kills.connections += 1;
            }
            store => {
                scene.stores[store as usize - 2].kill_and_restart();
                kills.servers += 1;
            }
        }
        let status = child.wait().expect("it ends");
        kills.saved += usize::from(matches!(status.code(), Some(0 | 3)));
    }
    scene.types(&["backup"]);
    scene.types(&["sync"]);
    scene.types(&["check", "--read-data"]);
    let inside = scene.source.strip_prefix("/").expect("absolute");
    for (name, _) in &scene.destinations {
        // Alone: the others are taken out of the configuration.
        let target = format!("restored-{name}");
        let others = scene.destinations.iter().filter(|(other, _)| other != name);
        let configured = scene.person.configured();
        others.for_each(|(other, _)| scene.types(&["destination", "remove", other]));
        scene.types(&["restore", "latest", "--target", &target]);
        scene.person.configure(&configured);
        assert_same_tree(&scene.source, &scene.person.at(&target).join(inside));
    }
    kills
}
