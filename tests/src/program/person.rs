//! A person with an empty home folder, who types commands without options.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::yore::{Ended, Yore};

/// A person with a home folder of their own, and nothing in the environment that names anything of Yore's.
pub struct Person {
    /// The folder that holds everything; the home is a folder in it.
    pub yore: Yore,
}

impl Person {
    /// Makes the home, which is empty.
    pub fn new() -> Self {
        let yore = Yore::new();
        yore.scratch.folder("home");
        Self { yore }
    }

    /// Returns a path in the home.
    pub fn at(&self, name: &str) -> PathBuf {
        self.yore.scratch.at("home").join(name)
    }

    /// Makes a folder in the home with a file in it.
    pub fn folder(&self, name: &str, content: &str) -> PathBuf {
        let folder = self.at(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("file"), content).expect("a file");
        folder
    }

    /// The usual place of the configuration.
    pub fn configuration(&self) -> PathBuf {
        self.at(".config/yore/config.toml")
    }

    /// Writes the configuration, as an editor does, but for its permissions.
    pub fn configure(&self, text: &str) {
        let path = self.configuration();
        let folder = path.parent().expect("a folder");
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(&path, text).expect("a file");
    }

    /// Returns the text of the configuration.
    pub fn configured(&self) -> String {
        std::fs::read_to_string(self.configuration()).expect("a configuration")
    }

    /// Returns a command, typed in the home.
    pub fn command<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.yore.bare_command(words);
        for variable in ["YORE_STATE_DIR", "YORE_CACHE_DIR", "YORE_CONFIG"] {
            command.env_remove(variable);
        }
        command.current_dir(self.at(""));
        command
    }

    /// Types a command and waits for its end.
    pub fn types<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Ended {
        Yore::finish(&mut self.command(words))
    }

    /// Types `words`, then a path.
    pub fn types_on(&self, words: &str, path: &Path) -> Ended {
        let words = words.split_ascii_whitespace().map(OsStr::new);
        self.types(words.chain([path.as_os_str()]))
    }

    /// Adds destinations in folders of these names, a key file, and makes the repository.
    pub fn with_destinations(names: &[&str]) -> Self {
        let person = Self::new();
        person.types(["config", "set", "key-file", "~/yore.key"]).assert_code(0);
        for name in names {
            let folder = person.at(name);
            person.types_on(&format!("destination add --name {name}"), &folder).assert_code(0);
        }
        person.types(["init"]).assert_code(0);
        person
    }
}

impl Default for Person {
    fn default() -> Self {
        Self::new()
    }
}
