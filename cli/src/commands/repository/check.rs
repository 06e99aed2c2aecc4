//! `yore check`: does the repository hold together, and is every byte what it was.

use std::time::{Duration, Instant};

use clap::Args;
use yore_engine::check::{CheckOptions, CheckReport, ReadData, check_each};

use crate::access::place::Place;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::screen::progress::Progress;
use crate::text::{escape, format};

/// The options of `check`.
#[derive(Debug, Args)]
pub struct Options {
    /// Read the content as well: all of it, 5% of it, or the first of 7 parts (1/7)
    #[arg(
        long,
        value_name = "HOW MUCH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = parse_read_data
    )]
    read_data: Option<ReadData>,
}

fn parse_read_data(text: &str) -> Result<ReadData, String> {
    let unclear = || "write 5% or 1/7, or nothing for all of it".to_owned();
    if text == "all" {
        return Ok(ReadData::All);
    }
    if let Some(percent) = text.strip_suffix('%') {
        let percent: f64 = percent.trim().parse().map_err(|_| unclear())?;
        return match percent > 0.0 && percent <= 100.0 {
            true => Ok(ReadData::Percent(percent)),
            false => Err(unclear()),
        };
    }
    let (n, of) = text.split_once('/').ok_or_else(unclear)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| unclear());
    match (number(n)?, number(of)?) {
        (n, of) if (1..=of).contains(&n) => Ok(ReadData::Part { n, of }),
        _ => Err(unclear()),
    }
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    let interrupt = context.interrupt()?;
    let began = Instant::now();
    let settings = CheckOptions { read_data: options.read_data.unwrap_or_default() };
    let progress = Progress::start(&context.screen, "checking", Some(interrupt));
    let reports = check_each(&repository, &settings, &progress)?;
    drop(progress);
    let places = context.reached();
    let is_one = reports.len() == 1;
    for (report, place) in reports.iter().zip(&places) {
        if !is_one {
            context.screen.line(format!("{}:", escape::text(&place.title())));
        }
        print(context, report, place, began.elapsed());
    }
    let problems: u64 =
        reports.iter().map(|report| report.problems.len() as u64 + report.more_problems).sum();
    if problems == 0 {
        context.screen.info("Everything is as it should be.");
        return Ok(context.done_everywhere(Done::Whole));
    }
    let found = format::counted(problems, "problem");
    context.screen.line(match reports.iter().any(CheckReport::is_sound) {
        true => format!(
            "{found} found. Other destinations hold together: `yore sync --read-data` heals from them."
        ),
        false => format!(
            "{found} found. What does not need the damaged parts can still be restored. `yore repair` puts the \
             damaged parts aside; after it, `yore backup --force` saves again what is still there."
        ),
    });
    Ok(Done::Damaged)
}

/// Prints the report of one destination.
fn print(context: &Context, report: &CheckReport, place: &Place, took: Duration) {
    let screen = &context.screen;
    for finding in &report.problems {
        let what = message(&finding.error);
        screen.object(&json::Finding { subject: &finding.subject, message: &what });
        screen.line(match what.contains(&finding.subject) {
            true => format!("PROBLEM  {what}"),
            false => format!("PROBLEM  {}: {what}", finding.subject),
        });
    }
    for note in &report.notes {
        screen.object(&json::Note { message: note });
        screen.info(format!("note     {note}"));
    }
    screen.object(&json::Check::new(place.destination.location(), report, took));
    let print = |line: String| match report.is_sound() {
        true => screen.info(line),
        false => screen.line(line),
    };
    print(format!(
        "Checked {}, {}, {} in {}; read the content of {} of the packs ({}).",
        format::counted(report.snapshots, "snapshot"),
        format::counted(report.nodes, "name"),
        format::counted(report.packs, "pack"),
        format::duration(took),
        format::count(report.packs_read),
        format::bytes(report.bytes_read),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_is_read_is_understood() {
        assert_eq!(parse_read_data("all"), Ok(ReadData::All));
        assert_eq!(parse_read_data("5%"), Ok(ReadData::Percent(5.0)));
        assert_eq!(parse_read_data("1/7"), Ok(ReadData::Part { n: 1, of: 7 }));
        for nonsense in ["0/7", "8/7", "0%", "101%", "some", "-1/2"] {
            assert!(parse_read_data(nonsense).is_err(), "{nonsense}");
        }
    }
}
