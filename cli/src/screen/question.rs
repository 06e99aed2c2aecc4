//! Questions to a person at a terminal.

use std::io::{self, BufRead, IsTerminal};

use crate::failure::engine_error::reason;
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::Screen;

/// Reports whether a person can be asked.
pub fn can_be_asked(screen: &Screen) -> bool {
    !screen.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question; anything but a yes is a no.
///
/// # Errors
/// When no answer can be read; `otherwise` says how to do without.
pub fn is_agreed(screen: &Screen, question: &str, otherwise: &str) -> Outcome<bool> {
    screen.ask(&format!("{question} [y/N]"));
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("no answer could be read: {}", reason(&error)),
            otherwise,
        )
    })?;
    Ok(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a line; an empty one is `usual`.
///
/// # Errors
/// When no answer can be read.
pub fn line(screen: &Screen, question: &str, usual: &str) -> Outcome<String> {
    screen.ask(&format!("{question}: "));
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let failed = |why: String| {
        let hint = "run the command again, on a terminal";
        Failure::new(Exit::Failed, format!("no answer could be read: {why}"), hint)
    };
    match read.map_err(|error| failed(reason(&error)))? {
        0 => Err(failed("the input ended".into())),
        _ if line.trim().is_empty() => Ok(usual.to_owned()),
        _ => Ok(line.trim().to_owned()),
    }
}
