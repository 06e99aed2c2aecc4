//! `yore config edit`: the configuration in an editor, checked before it is saved.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use yore_platform::create_private_dir;

use crate::config::{ConfigFile, mistakes};
use crate::context::Context;
use crate::failure::engine_error::{quoted, reason};
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::screen::question;

/// The text that the editor shows where there is no configuration yet.
const TEMPLATE: &str = "\
# Yore's configuration. A line that begins with # is a comment.

# What opens the repository: one of these. The secret itself is never written here.
# key-file = \"/etc/yore.key\"
# password-file = \"~/.config/yore/passphrase\"
# password-command = \"secret-tool lookup yore main\"

# limit.upload = [\"5 MB/s\", \"08:00-18:00 1 MB/s\"]
# parity = \"5%\"
# cache.size = \"2G\"

# Where copies are kept: the first one is read first.
# [[destination]]
# name = \"nas\"
# url = \"/mnt/nas/yore\"
# verify-writes = true

# [[destination]]
# name = \"disk\"
# url = \"volume:LABEL/yore\"

# What is backed up: one snapshot of each source.
# [[source]]
# name = \"documents\"
# paths = [\"~/Documents\", \"~/Pictures\"]
# exclude = [\"*.o\", \"~/Documents/private\"]
# snapshot = \"auto\"             # read from a snapshot of the file system where it can make one

# [[source]]
# name = \"shop\"
# kind = \"docker\"
# volumes = [\"uploads\"]
# containers = \"pause\"          # or \"run\", \"stop\"
";

/// Runs the command.
pub fn run(context: &Context) -> Outcome {
    let mut file = ConfigFile::load(&context.global)?;
    let folder = file.path.parent().unwrap_or(Path::new("/")).to_owned();
    create_private_dir(&folder).map_err(|error| Failure::local(&folder, error))?;
    let before = if file.exists { file.text.clone() } else { TEMPLATE.to_owned() };
    let local = |error| Failure::local(&folder, error);
    let mut draft = tempfile::Builder::new()
        .prefix("edit-")
        .suffix(".toml")
        .tempfile_in(&folder)
        .map_err(local)?;
    draft.write_all(before.as_bytes()).map_err(local)?;
    loop {
        open_editor(draft.path())?;
        let text = std::fs::read_to_string(draft.path()).map_err(local)?;
        let found = mistakes(&text);
        if found.is_empty() {
            if text == before {
                context.screen.info("Nothing was changed.");
                return Ok(Done::Whole);
            }
            file.save(text)?;
            context.screen.info(format!("Saved {}.", file.path.display()));
            return Ok(Done::Whole);
        }
        context.screen.problem("", &file.describe(&found));
        let again = question::can_be_asked(&context.screen)
            && question::is_agreed(&context.screen, "Edit it again?", "yore config edit")?;
        if !again {
            let kept = draft.into_temp_path().keep().map_err(|error| local(error.error))?;
            return Err(Failure::usage(
                "the configuration is as it was, since the new one has mistakes",
                format!("what was typed is in {}", quoted(&kept.display().to_string())),
            ));
        }
    }
}

/// Runs the person's editor on a file, and waits until it ends.
fn open_editor(path: &Path) -> Outcome<()> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".into());
    let mut line = editor.clone();
    // The variable may hold options as well.
    line.push(" \"$1\"");
    let ended = Command::new("sh").arg("-c").arg(line).arg("sh").arg(path).status();
    let failed = |why: String| {
        let editor = editor.to_string_lossy();
        Failure::new(
            Exit::Failed,
            format!("the editor {editor} failed: {why}"),
            "name one that works: export EDITOR=nano",
        )
    };
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status.to_string())),
        Err(error) => Err(failed(reason(&error))),
    }
}
