//! A restore to where its files came from: the plan first, then a question.

use std::sync::{Mutex, PoisonError};

use yore_engine::read::{Counted, Lookup, Reader, count_below};
use yore_engine::restore::{
    Overwrite, RestoreOptions, RestorePlan, RestoreReport, restore_in_place,
};
use yore_engine::{Event, Observer, Planned, Problem, Run};
use yore_platform::{Interrupt, system_path};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::moment::state::MomentState;
use crate::screen::progress::Progress;
use crate::screen::question;
use crate::text::{escape, format};

/// The number of names that are shown of each kind of change.
const SHOWN_NAMES: usize = 5;

/// The first changes of a plan.
#[derive(Default)]
struct PlanRecorder {
    /// Guards the first names of each kind of change.
    first: Mutex<Vec<(Planned, Vec<u8>)>>,
}

impl Observer for PlanRecorder {
    fn event(&self, event: Event) {
        let Event::Planned { path, change } = event else { return };
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.iter().filter(|(known, _)| *known == change).count() < SHOWN_NAMES {
            first.push((change, path));
        }
    }

    // The restore meets the same problem again, and reports it.
    fn problem(&self, _problem: Problem) {}

    fn interrupted(&self) -> bool {
        false
    }
}

/// A restore to the place where its files came from.
pub struct Request<'a> {
    /// The state.
    pub state: &'a MomentState,
    /// The file or directory in it.
    pub what: &'a Lookup,
    /// Its path.
    pub path: &'a [u8],
    /// The options of the engine.
    pub settings: &'a RestoreOptions,
    /// Tells whether what is there may change.
    pub consent: Consent,
}

/// The consent to change what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// It was given on the command line.
    Given,
    /// It is asked for once the plan is known.
    Asked,
}

/// Restores to where the files came from, after a person agreed to what that replaces and removes. The
/// plan that was shown is executed.
///
/// Without `--overwrite`, and without a terminal on which to ask, nothing that is there may change.
pub fn run(
    context: &Context,
    request: &Request<'_>,
    interrupt: Interrupt,
) -> Outcome<RestoreReport> {
    let Request { state: MomentState { reader, root, .. }, what, path, settings, .. } = *request;
    let top = system_path(b"");
    let start = |interrupt| Progress::start(&context.screen, "restoring", Some(interrupt));
    if request.consent == Consent::Given
        || settings.run == Run::Dry
        || settings.overwrite == Overwrite::Never
    {
        let progress = start(interrupt);
        return Ok(progress.counting(
            |counter| count(reader, what, counter),
            || restore_in_place(reader, root, path, &top, settings, &progress),
        )?);
    }
    let recorder = PlanRecorder::default();
    let plan = RestorePlan::new(reader, root, path, &top, settings, &recorder)?;
    agree(context, &recorder, plan.report())?;
    let progress = start(interrupt);
    Ok(progress.counting(|counter| count(reader, what, counter), || plan.execute(&progress))?)
}

/// Counts what there is to restore, for the progress.
pub fn count(reader: &Reader, what: &Lookup, counter: &dyn Observer) {
    if let Some(Counted { files, bytes }) = count_below(reader, what, counter) {
        counter.event(Event::Expected { files, bytes });
    }
}

/// Asks for agreement to what a plan replaces and removes.
fn agree(context: &Context, recorder: &PlanRecorder, report: &RestoreReport) -> Outcome<()> {
    if report.replaced + report.deleted == 0 {
        return Ok(());
    }
    let numbers = format!(
        "it would replace {} ({} newer than in the snapshot) and remove {}",
        format::counted(report.replaced, "file"),
        format::count(report.newer),
        format::count(report.deleted),
    );
    if !question::can_be_asked(&context.screen) {
        return Err(Failure::usage(
            format!("nothing was restored: {numbers}, and nobody can be asked"),
            "say --overwrite different (or never, newer, always) or --keep-both, or look first with --dry-run, or choose another \
             place with --target DIR",
        ));
    }
    show_plan(context, recorder, report);
    match question::is_agreed(&context.screen, "Restore all this?", "say --overwrite")? {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Failed,
            "nothing was restored",
            "--keep-both puts old versions beside the new ones, --target DIR copies elsewhere",
        )),
    }
}

fn show_plan(context: &Context, recorder: &PlanRecorder, report: &RestoreReport) {
    let first = recorder.first.lock().unwrap_or_else(PoisonError::into_inner);
    let older = report.replaced - report.newer;
    for (change, number, what) in [
        (Planned::ReplaceNewer, report.newer, "would be replaced by OLDER versions"),
        (Planned::Replace, older, "would be replaced"),
        (Planned::Remove, report.deleted, "would be removed"),
    ] {
        if number == 0 {
            continue;
        }
        context.screen.ask(&format!("{} {what}:", format::counted(number, "file")));
        let names = first.iter().filter(|(of, _)| *of == change);
        names.for_each(|(_, path)| context.screen.ask(&format!("  {}", escape::path(path))));
        if number > SHOWN_NAMES as u64 {
            context
                .screen
                .ask(&format!("  and {} more", format::count(number - SHOWN_NAMES as u64)));
        }
    }
    context
        .screen
        .ask(&format!("{} would be written in all.", format::counted(report.files, "file")));
}
