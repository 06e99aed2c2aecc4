//! The program `yore`: arguments in, commands run, results and errors out.
//!
//! Each command is a file under `commands`; everything that is printed goes through `screen`.

mod archive;
mod arguments;
mod backup_summary;
mod clock;
mod commands;
mod context;
mod destination;
mod drive;
mod dropped;
mod engine_error;
mod escape;
mod exclude;
mod failure;
mod flushing;
mod format;
mod help;
mod in_place;
mod live_path;
mod machine;
mod mount_error;
mod place;
mod presented;
mod program_output;
mod progress;
mod question;
mod recovery;
mod refresher;
mod sample;
mod screen;
mod secret;
mod shared_client;
mod size;
mod snapshot_filter;
mod sources;
mod stage;
mod state;
mod strength;
mod table;
mod tree;
mod unchanged_by;
mod usage;
mod when;
mod window;
mod wrap;
mod zone;

use std::process::ExitCode;

use crate::context::Context;
use crate::screen::Screen;
use crate::usage::Read;

fn main() -> ExitCode {
    let arguments = match usage::read() {
        Read::Arguments(arguments) => arguments,
        Read::Text(text) => return screen::text(&text),
        Read::Wrong(failure) => return Screen::before_arguments().finish(Err(failure)),
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
