//! The file of the configuration: where it is, who may write it, and how it is replaced.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use yore_platform::{DurableFile, create_private_dir, current_ids, path_metadata};

use super::check::{Mistake, mistakes};
use super::settings::Settings;
use crate::args::global::Global;
use crate::failure::engine_error::quoted;
use crate::failure::{Exit, Failure, Outcome};

const USUAL: &str = "config.toml";

/// The most mistakes that a message names.
const NAMED_MISTAKES: usize = 8;

/// The largest file that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// The file of the configuration.
#[derive(Debug)]
pub struct ConfigFile {
    /// Its path.
    pub path: PathBuf,
    /// Tells that an option names it, so that it is expected to be there.
    pub is_named: bool,
    /// Its text; empty where it is not there.
    pub text: String,
    /// Tells that it is there.
    pub exists: bool,
}

/// Returns the path of the configuration: `--config`, `YORE_CONFIG`, or the system's usual place, and beside it
/// that of a profile.
pub fn path(global: &Global) -> Outcome<PathBuf> {
    let given = |path: PathBuf| {
        std::path::absolute(&path).map_err(|error| Failure::local(&path, error)).map(Some)
    };
    let named = global.config.clone().filter(|path| !path.as_os_str().is_empty());
    let variable = std::env::var_os("YORE_CONFIG").filter(|path| !path.is_empty());
    let base = match named.or(variable.map(PathBuf::from)) {
        Some(path) => given(path)?,
        None => ProjectDirs::from("", "", "yore").map(|dirs| dirs.config_dir().join(USUAL)),
    };
    let base = base.ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "there is no home folder in which the configuration could be",
            "name a file: --config FILE, or export YORE_CONFIG=/etc/yore/config.toml",
        )
    })?;
    match &global.profile {
        None => Ok(base),
        Some(profile) => Ok(base.with_file_name(format!("{profile}.toml"))),
    }
}

impl ConfigFile {
    /// Loads the file; one that is not there is empty. Its mistakes are not looked for.
    ///
    /// # Errors
    /// Somebody else can write it, since it names commands that run; it is no text, or can't be read.
    pub fn load(global: &Global) -> Outcome<Self> {
        let path = path(global)?;
        let is_named = global.profile.is_some() || global.config.is_some();
        // A link, as programs that keep such files in one folder make it, stays a link.
        let path = std::fs::canonicalize(&path).unwrap_or(path);
        let absent = |path| Self { path, is_named, text: String::new(), exists: false };
        let metadata = match path_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(absent(path)),
            found => found.map_err(|error| Failure::local(&path, error))?,
        };
        let owner = metadata.owner.map(|owner| owner.uid);
        let is_mine = owner.is_none_or(|uid| uid == current_ids().uid || uid == 0);
        if !is_mine || metadata.mode.is_some_and(|mode| mode & 0o022 != 0) {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} can be written by others, and names commands that run", path.display()),
                match is_mine {
                    true => format!("chmod 600 {}", quoted(&path.display().to_string())),
                    false => "it must belong to you, or to root".to_owned(),
                },
            ));
        }
        if metadata.size > LIMIT {
            let what = format!("{} is far too long for a configuration", path.display());
            return Err(Failure::new(Exit::Failed, what, "name another with --config"));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::local(&path, error))?;
        Ok(Self { path, is_named, text, exists: true })
    }

    /// Reads the content.
    ///
    /// # Errors
    /// The text has mistakes; all are named. An option names the file, and it is not there.
    pub fn settings(&self) -> Outcome<Settings> {
        if self.is_named && !self.exists {
            return Err(Failure::usage(
                format!("there is no configuration at {}", self.path.display()),
                "check --config and --profile; `yore destination add URL` begins one",
            ));
        }
        self.must_be_right(&self.text)?;
        Ok(Settings::read(&self.text))
    }

    /// Fails with all mistakes of a text for this file.
    pub fn must_be_right(&self, text: &str) -> Outcome<()> {
        match mistakes(text).as_slice() {
            [] => Ok(()),
            found => Err(Failure::usage(
                self.describe(found),
                "correct it (yore config edit); nothing was done",
            )),
        }
    }

    /// Describes mistakes, with the place of each.
    pub fn describe(&self, found: &[Mistake]) -> String {
        let one = |mistake: &Mistake| {
            format!("line {}, column {}: {}", mistake.line, mistake.column, mistake.what)
        };
        let mut listed: Vec<String> = found.iter().take(NAMED_MISTAKES).map(one).collect();
        if found.len() > NAMED_MISTAKES {
            listed.push(format!("and {} more", found.len() - NAMED_MISTAKES));
        }
        format!("{}, {}", self.path.display(), listed.join("; "))
    }

    /// Replaces the text, which must have no mistakes, so that a reader finds the old or the new one.
    ///
    /// # Errors
    /// Another process changed the file since it was loaded.
    pub fn save(&mut self, text: String) -> Outcome<()> {
        self.must_be_right(&text)?;
        let local = |error| Failure::local(&self.path, error);
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        create_private_dir(folder).map_err(|error| Failure::local(folder, error))?;
        let name = self.path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| local(ErrorKind::InvalidInput.into()))?;
        let mut file = DurableFile::create(folder, name).map_err(local)?;
        file.append(text.as_bytes()).map_err(local)?;
        let current = match std::fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(local)?,
        };
        if current != self.text.as_bytes() {
            return Err(Failure::new(
                Exit::Failed,
                format!("{} was changed meanwhile", self.path.display()),
                "run the command again",
            ));
        }
        file.replace().map_err(local)?;
        (self.text, self.exists) = (text, true);
        Ok(())
    }
}
