//! The whole system under test. Each module is one kind of test; each test's name is a sentence.

mod away;
mod backup_rules;
mod clients;
mod clocks;
mod cost;
mod damage;
mod desktop;
mod fidelity;
mod golden;
mod hostile;
mod inodes;
mod interrupted;
mod kernel;
mod killed;
mod killed_restore;
mod layers;
mod model;
mod mountpoints;
mod mutations;
mod past;
mod program;
mod readers;
mod samba;
mod search_links;
mod second_reader;
mod served;
