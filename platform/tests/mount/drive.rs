//! A mounted sample, and how the tests look at it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use yore_platform::{Access, MountOptions, Mounted, mount};

use crate::memory::Memory;

/// A mounted sample and its mountpoint.
pub struct Drive {
    pub volume: Arc<Memory>,
    pub mounted: Option<Mounted>,
    pub folder: tempfile::TempDir,
}

impl Drive {
    pub fn mount(access: Access) -> Drive {
        let folder = tempfile::tempdir().expect("a folder");
        let volume = Arc::new(Memory::sample());
        let options = MountOptions { access, ..MountOptions::default() };
        let mounted = mount(volume.clone(), folder.path(), &options);
        let mounted = mounted.unwrap_or_else(|error| panic!("this test must mount: {error}"));
        Drive { volume, mounted: Some(mounted), folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn mounted(&self) -> &Mounted {
        self.mounted.as_ref().expect("not yet unmounted")
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        drop(self.mounted.take());
    }
}

pub fn output(program: &str, arguments: &[&str], at: &Path) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).arg(at).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn names(folder: &Path) -> Vec<String> {
    let listing = fs::read_dir(folder).expect("a listing");
    let mut names: Vec<String> = listing
        .map(|entry| entry.expect("a name").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
