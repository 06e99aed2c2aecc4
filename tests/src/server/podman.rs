//! Podman, with images, containers and volumes of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::{in_shell, needs_root};

/// A Podman with images, containers and volumes in a folder of its own.
pub struct Podman {
    /// What a command needs in its environment to use it.
    pub environment: Vec<(&'static str, OsString)>,
    /// The folder that holds everything.
    pub graph: PathBuf,
}

impl Podman {
    /// Sets it up below `folder`, with the image `tools` that holds busybox.
    pub fn new(folder: &Path) -> Self {
        needs_root("run containers without a service of the user's");
        let (settings, storage) = (folder.join("containers.conf"), folder.join("storage.conf"));
        let (graph, run) = (folder.join("graph"), folder.join("run"));
        fs::create_dir_all(folder.join("image/bin")).expect("a folder");
        // The usual locks are a pool of the machine, to which a folder that is deleted gives none back.
        let text = format!(
            "[engine]\nlock_type = \"file\"\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
             events_logfile_path = \"{}\"\ntmp_dir = \"{}\"\n\n\
             [containers]\nnetns = \"none\"\nlog_driver = \"k8s-file\"\n\
             default_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n",
            folder.join("events").display(),
            folder.join("tmp").display(),
        );
        fs::write(&settings, text).expect("a file");
        let text = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            graph.display(),
            run.display()
        );
        fs::write(&storage, text).expect("a file");
        let environment =
            vec![("CONTAINERS_CONF", settings.into()), ("CONTAINERS_STORAGE_CONF", storage.into())];
        let podman = Self { environment, graph };
        let image = "cp /bin/busybox \"$1/bin\" && tar -C \"$1\" -c . > \"$1.tar\"";
        in_shell(image, &[&folder.join("image")]);
        let tar = folder.join("image.tar");
        podman.run(&["import", tar.to_str().expect("UTF-8"), "localhost/tools"]);
        podman
    }

    /// Runs a command of it, which must succeed; returns what it prints.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> String {
        let mut command = Command::new("podman");
        let ended =
            command.args(words).envs(self.environment.clone()).output().expect("podman runs");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "podman {words:?}: {said}");
        String::from_utf8_lossy(&ended.stdout).trim().to_owned()
    }

    /// Makes a volume, and starts a container with a busybox script that has it at `/data`.
    pub fn container(&self, name: &str, volume: &str, script: &str) {
        self.run(&["volume", "create", volume]);
        let mounted = format!("{volume}:/data");
        let words = ["run", "--detach", "--name", name, "--volume", &mounted, "localhost/tools"];
        self.run(&[&words[..], &["/bin/busybox", "sh", "-c", script]].concat());
    }

    /// Returns the state of a container.
    pub fn status(&self, container: &str) -> String {
        self.run(&["inspect", "--format", "{{.State.Status}}", container])
    }

    /// Returns what happened to a container, in its order.
    pub fn events(&self, container: &str) -> Vec<String> {
        let filter = format!("container={container}");
        let words = ["events", "--stream=false", "--filter", &filter, "--format", "{{.Status}}"];
        self.run(&words).lines().map(str::to_owned).collect()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let mut command = Command::new("podman");
        command.args(["rm", "--all", "--force", "--time", "0"]);
        let _ = command.envs(self.environment.clone()).output();
    }
}
