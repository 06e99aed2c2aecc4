//! The program `yore`: reads arguments, runs commands, prints results and errors.
//!
//! Each command is a file under `commands`; everything that is printed goes through `screen`.

mod access;
mod args;
mod commands;
mod config;
mod context;
mod drive;
mod failure;
mod job;
mod json;
mod moment;
#[cfg(test)]
mod rooms;
mod runs;
mod screen;
mod text;
mod usage;

use std::process::ExitCode;

use crate::context::Context;
use crate::screen::Screen;
use crate::usage::Parsed;

fn main() -> ExitCode {
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
