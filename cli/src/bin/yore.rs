//! The executable.

use std::process::ExitCode;

fn main() -> ExitCode {
    yore_cli::main()
}
