//! The program, run as a person runs it.

mod killed_commands;
mod mounted;
mod person;
mod terminal;
mod yore;

pub use killed_commands::{KilledCommands, kill_commands};
pub use mounted::{MountGuard, MountedAt};
pub use person::Person;
pub use terminal::on_terminal;
pub use yore::{Ended, Yore, binary};
