//! `yore check`: does the repository hold together, and is every byte what it was.

use std::time::{Duration, Instant};

use clap::Args;
use yore_engine::Error;
use yore_engine::check::{CheckOptions, CheckReport, ReadData, check_each};

use crate::access::place::Place;
use crate::config::rate;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Failure, Outcome};
use crate::json;
use crate::screen::progress::Progress;
use crate::text::{escape, format};

/// The options of `check`.
#[derive(Debug, Args)]
pub struct Options {
    /// Read the content as well: all of it, or a share (5% or 1/7) of what was not read for the longest time, so that
    /// seven checks with 1/7 read everything
    #[arg(
        long,
        value_name = "HOW MUCH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = parse_read_data
    )]
    read_data: Option<ReadData>,
    /// Read the content that an interrupted check with --read-data has not read yet
    #[arg(long, conflicts_with = "read_data")]
    resume: bool,
    /// Read at most so much, as in '20 MB/s'
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    limit_rate: Option<u64>,
    /// Fail unless this snapshot is there or was forgotten: the head that a backup has printed
    #[arg(long, value_name = "ID", value_parser = parse_head)]
    expect_head: Option<String>,
}

fn parse_read_data(text: &str) -> Result<ReadData, String> {
    let unclear = || "write 5% or 1/7, or nothing for all of it".to_owned();
    if text == "all" {
        return Ok(ReadData::All);
    }
    let number = |text: &str| text.trim().parse::<f64>().map_err(|_| unclear());
    let share = match (text.strip_suffix('%'), text.split_once('/')) {
        (Some(percent), _) => number(percent)? / 100.0,
        (None, Some((part, whole))) => number(part)? / number(whole)?,
        (None, None) => return Err(unclear()),
    };
    match share > 0.0 && share <= 1.0 {
        true => Ok(ReadData::Share(share)),
        false => Err(unclear()),
    }
}

fn parse_rate(text: &str) -> Result<u64, String> {
    let rates = rate::parse([text])?;
    rates.usual.ok_or_else(|| "write it as 20 MB/s".to_owned())
}

fn parse_head(text: &str) -> Result<String, String> {
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let text = text.to_ascii_lowercase();
    match (8..=64).contains(&text.len()) && text.chars().all(is_digit) {
        true => Ok(text),
        false => Err("it is the id of a snapshot, or at least the first 8 digits of it".to_owned()),
    }
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    if let Some(rate) = options.limit_rate {
        context.limit_reads(rate);
    }
    let repository = context.open()?;
    let interrupt = context.interrupt()?;
    let began = Instant::now();
    let settings = CheckOptions {
        read_data: match options.resume {
            true => ReadData::Rest,
            false => options.read_data.unwrap_or_default(),
        },
        expected_head: options.expect_head.clone(),
    };
    let progress = Progress::start(&context.screen, "checking", Some(interrupt));
    let reports = check_each(&repository, &settings, &progress);
    drop(progress);
    let reports = reports.map_err(|error| interrupted(error, settings.read_data))?;
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
            "{found} found. What does not need the damaged parts can still be restored. `yore repair` \
             rebuilds what has parity, and puts other damaged parts aside; after it, `yore backup --force` saves again what is still there."
        ),
    });
    Ok(Done::Damaged)
}

/// Tells how an interrupted check goes on.
fn interrupted(error: Error, read_data: ReadData) -> Failure {
    let is_whole = matches!(read_data, ReadData::All | ReadData::Rest);
    match error {
        Error::Interrupted if is_whole => Failure {
            hint: Some("`yore check --resume` reads what was not read yet".to_owned()),
            ..error.into()
        },
        other => other.into(),
    }
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
        assert_eq!(parse_read_data("5%"), Ok(ReadData::Share(0.05)));
        assert_eq!(parse_read_data("1/7"), Ok(ReadData::Share(1.0 / 7.0)));
        for nonsense in ["0/7", "8/7", "0%", "101%", "some", "-1/2", "1/0", "0/0", "nan%"] {
            assert!(parse_read_data(nonsense).is_err(), "{nonsense}");
        }
        assert_eq!(
            (parse_rate("20 MB/s"), parse_rate("unlimited").is_err()),
            (Ok(20_000_000), true)
        );
    }

    #[test]
    fn a_head_is_the_beginning_of_an_id() {
        assert_eq!(parse_head("7F3A91C2"), Ok("7f3a91c2".to_owned()));
        assert!(parse_head("7f3a").is_err() && parse_head("latest01").is_err());
    }
}
