//! Commands that show and change the configuration.

pub mod destination;
mod edit;
pub mod secret;
pub mod settings;
pub mod source;

use crate::config::{ConfigFile, Refused};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Loads the configuration to change it; it has no mistakes, and need not be there yet.
fn load(context: &Context) -> Outcome<ConfigFile> {
    let file = ConfigFile::load(&context.global)?;
    file.must_be_right(&file.text)?;
    if context.names_destination() {
        context.screen.note(
            "--repo or YORE_REPO names a destination; as long as it does, commands do not use the configuration",
        );
    }
    Ok(file)
}

/// Makes the failure of a change that can't be made.
fn refused(refused: Refused) -> Failure {
    Failure::usage(refused.what, refused.hint)
}

/// Returns a name that no entry has: the given one, or it with a number.
pub fn free_name(base: &str, taken: &[String]) -> String {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let plain: String =
        base.to_lowercase().chars().map(|c| if is_sign(c) { c } else { '-' }).collect();
    let plain = plain.trim_matches('-').chars().take(48).collect::<String>();
    let plain = if plain.is_empty() { "main".to_owned() } else { plain };
    let numbered = (2..).map(|number| format!("{plain}-{number}"));
    let mut names = std::iter::once(plain.clone()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::free_name;

    #[test]
    fn a_name_is_made_of_any_text_and_is_free() {
        let taken = ["docs".to_owned(), "docs-2".to_owned()];
        assert_eq!(free_name("Docs", &taken), "docs-3");
        assert_eq!(free_name("Meine Dateien!", &taken), "meine-dateien");
        assert_eq!(free_name("ü", &[]), "main");
    }
}
