//! Whatever is typed for whatever option: it is understood or refused, and nothing panics.

use std::ffi::OsString;

use clap::{Arg, Command, CommandFactory};
use jiff::ZonedDateTime;
use proptest::prelude::*;
use yore_platform::name_from_bytes;

use super::Arguments;
use crate::access::{destination, recovery};
use crate::args::{exclude, time};
use crate::moment::moment_path;

/// The commands that do something, each with the words that lead to it.
fn leaves(command: &Command, words: &[String]) -> Vec<(Vec<String>, Vec<Arg>)> {
    if command.has_subcommands() {
        let below = command.get_subcommands().filter(|command| command.get_name() != "help");
        return below
            .flat_map(|command| {
                leaves(command, &[words, &[command.get_name().to_owned()]].concat())
            })
            .collect();
    }
    vec![(words.to_vec(), command.get_arguments().cloned().collect())]
}

/// The command lines that give a value to each option and argument of each command.
fn lines_with(value: &OsString) -> Vec<Vec<OsString>> {
    let mut command = Arguments::command();
    command.build();
    let mut lines = Vec::new();
    for (words, arguments) in leaves(&command, &["yore".to_owned()]) {
        for argument in arguments.iter().filter(|argument| argument.get_action().takes_values()) {
            let mut line: Vec<OsString> = words.iter().map(OsString::from).collect();
            match argument.get_long() {
                Some(long) => {
                    let mut option = OsString::from(format!("--{long}="));
                    option.push(value);
                    line.push(option);
                }
                None => line.extend([OsString::from("--"), value.clone()]),
            }
            lines.push(line);
        }
    }
    lines
}

/// Texts as people and attackers type them: numbers with units, moments, patterns, anything.
fn typed() -> impl Strategy<Value = OsString> {
    let number = "[-+]?[0-9]{1,30}(\\.[0-9]{0,4})?[ ]?[a-zA-Zµ%/]{0,6}[0-9]{0,20}";
    let ago = "(last |a |two |[0-9]{1,20} ?)?(years?|months?|weeks?|days?|hours?|monday|w|d|h|m|s)( ago)?";
    let date =
        "[-+]?[0-9]{1,6}[-./]?[0-9]{0,3}[-./]?[0-9]{0,5}[T ]?[0-9:.]{0,12}(Z|[-+][0-9:]{0,6})?";
    let place = "(latest|yesterday|[0-9a-f]{1,10})?(~[0-9]{0,25})?(:[/~.a-z*:]{0,12})?";
    let pattern = "[]\\[{}*?!a-z,\\\\/^-]{0,14}";
    let text = prop_oneof![number, ago, date, place, pattern, any::<String>()];
    let bytes = proptest::collection::vec(any::<u8>(), 0..24);
    prop_oneof![
        8 => text.prop_map(OsString::from),
        1 => bytes.prop_map(|bytes| name_from_bytes(&bytes)),
    ]
}

/// Reads a value as everything that is read only when its command runs.
fn read_as_everything(value: &OsString, now: &ZonedDateTime) {
    let _ = moment_path::parse(value, now);
    let _ = destination::parse(value);
    if let Some(text) = value.to_str() {
        let _ = (time::instant(text, now), time::beginning(text, now), time::ending(text, now));
        let _ = (exclude::parse(text), recovery::looks_like_one(text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_is_typed_for_an_option_panics(value in typed()) {
        for line in lines_with(&value) {
            let _ = Arguments::command().try_get_matches_from(line);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn nothing_that_is_typed_for_a_moment_or_path_panics(value in typed()) {
        for now in ["2026-03-29T12:00:00+02:00[Europe/Berlin]", "-009999-01-03T00:00:00+00:00[UTC]",
                    "9999-12-30T00:00:00+00:00[UTC]"] {
            let now = now.parse().expect("a time");
            read_as_everything(&value, &now);
        }
    }
}

#[test]
fn every_option_of_every_command_is_tried() {
    let lines = lines_with(&OsString::from("x"));
    assert!(lines.len() > 100, "only {} options were found", lines.len());
}
