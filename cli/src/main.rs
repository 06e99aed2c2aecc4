//! The program `yore`: arguments in, commands run, results and errors out.
//!
//! Each command is a file under `commands`; everything that is printed goes through `screen`.

mod archive;
mod arguments;
mod clock;
mod commands;
mod context;
mod destination;
mod drive;
mod engine_error;
mod escape;
mod exclude;
mod failure;
mod format;
mod in_place;
mod machine;
mod mount_error;
mod place;
mod presented;
mod program_output;
mod progress;
mod refresher;
mod sample;
mod screen;
mod secret;
mod size;
mod snapshot_filter;
mod stage;
mod state;
mod tree;
mod when;
mod window;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::screen::Screen;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return screen::usage(&error),
    };
    yore_platform::raise_open_file_limit();
    yore_platform::return_freed_memory();
    let screen = Screen::new(&arguments.global);
    let context = Context::new(arguments.global, screen);
    let outcome = match &arguments.command {
        None => {
            commands::help::run(&context);
            Ok(failure::Done::Whole)
        }
        Some(command) => commands::run(&context, command),
    };
    context.screen.finish(outcome)
}
