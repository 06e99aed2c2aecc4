//! The program from its first argument to its exit code.

use std::process::ExitCode;

use crate::context::Context;
use crate::screen::{self, Screen};
use crate::usage::Parsed;
use crate::{access, commands, context, failure, usage};

/// Runs what was typed.
pub fn main() -> ExitCode {
    let (arguments, name) = match usage::read() {
        Parsed::Arguments(arguments, name) => (arguments, name),
        Parsed::Text(text) => return screen::text(&text),
        Parsed::Wrong(failure) => return Screen::before_arguments().finish(Err(failure)),
    };
    yore_platform::raise_open_file_limit();
    yore_platform::return_freed_memory();
    if arguments.global.accept_host_key {
        access::destination::accept_unknown_hosts();
    }
    let screen = Screen::new(&arguments.global);
    let context = Context::new(arguments.global, screen);
    if !arguments.command.as_ref().is_some_and(commands::leaves_nothing) {
        context::log::begin(&context.global);
    }
    let outcome = match &arguments.command {
        None => {
            commands::help::run(&context);
            Ok(failure::Done::Whole)
        }
        Some(command) => commands::run_logged(&context, &name, command, usage::program),
    };
    context.screen.finish(outcome)
}
