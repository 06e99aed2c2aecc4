//! `yore forget --keep-daily 14 …`: what a policy keeps of each group, and why. Without rules, those of the configuration.

use yore_engine::snapshots::SnapshotEntry;
use yore_engine::snapshots::retention::{Group, GroupBy, Reason, Retained, group};

use super::{Options, forget_all};
use crate::args::retention::Rules;
use crate::config::Settings;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::job;
use crate::json;
use crate::moment::{clock, state, suspicion};
use crate::screen::question;
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// Applies the policy of the options.
pub(super) fn run(context: &Context, options: &Options) -> Outcome {
    let rules = Chosen::of(context, options)?;
    let by = match rules {
        Chosen::Typed(_) => options.policy.group_by()?,
        Chosen::Configured(_) => GroupBy::default(),
    };
    let repository = context.open()?;
    let known = repository.snapshots()?;
    if !known.problems.is_empty() {
        state::print_problems(context, known.problems);
        return Err(Failure::new(
            Exit::Failed,
            "nothing was forgotten: not every snapshot could be read",
            "a rule counts all snapshots; `yore check` tells what is wrong, `yore repair` heals what it can",
        ));
    }
    if !known.rolled_back.is_empty() {
        suspicion::print_rolled_back(context, &known.rolled_back);
        return Err(Failure::new(
            Exit::Failed,
            "nothing was forgotten: snapshots are missing that nobody forgot",
            "a rule counts all snapshots; see above",
        ));
    }
    let list = options.machine.select(known.list)?;
    let groups = group(&list, by);
    let groups: Vec<Group<'_>> =
        groups.into_iter().filter(|group| !rules.of_group(group).is_empty()).collect();
    let mut retained: Vec<Retained<'_>> = Vec::new();
    for group in &groups {
        let rules = rules.of_group(group);
        let may_empty = options.allow_empty;
        retained.push(job::retention::retained(context, &repository, group, &rules, may_empty)?);
    }
    for (group, retained) in groups.iter().zip(&retained) {
        print(context, group, retained);
    }
    if !options.dry_run {
        must_be_looked_at(options, &groups, &retained)?;
        must_not_surprise(context, options, &groups, &retained)?;
    }
    let dropped: Vec<&SnapshotEntry> = retained.into_iter().flat_map(|one| one.dropped).collect();
    if dropped.is_empty() {
        context.screen.info("The policy keeps every snapshot.");
    }
    forget_all(context, &repository, &dropped, options, &rules.text())
}

/// The rules that are applied.
enum Chosen<'c> {
    /// Those of the options, to every group.
    Typed(&'c Rules),
    /// Those of the configuration, to the group of each source.
    Configured(&'c Settings),
}

impl<'c> Chosen<'c> {
    fn of(context: &'c Context, options: &'c Options) -> Outcome<Self> {
        if !options.policy.rules.is_empty() {
            return Ok(Self::Typed(&options.policy.rules));
        }
        let settings = context.settings()?;
        let of_source = |source| !settings.retention_of(source).rules.is_empty();
        if settings.retention.rules.is_empty() && !settings.sources.iter().any(of_source) {
            return Err(Failure::usage(
                "neither a snapshot nor a rule is named, so it is not known what to forget",
                "name snapshots, or say what to keep: --keep-daily 14 --keep-weekly 8 --keep-monthly 12; or for \
                 always: yore config set retention.daily 14",
            ));
        }
        Ok(Self::Configured(settings))
    }

    /// Returns the rules for a group.
    fn of_group(&self, group: &Group<'_>) -> Rules {
        match self {
            Self::Typed(rules) => (*rules).clone(),
            Self::Configured(settings) => {
                let mut sources = settings.sources.iter();
                let source = sources.find(|source| job::retention::is_of_source(group, source));
                let rules = source.map(|source| settings.retention_of(source).rules);
                rules.unwrap_or_else(|| settings.retention.rules.clone())
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Typed(rules) => rules.text(),
            Self::Configured(_) => "retention of the configuration".to_owned(),
        }
    }
}

/// Prints what is kept of a group, and why.
fn print(context: &Context, group: &Group<'_>, retained: &Retained<'_>) {
    let screen = &context.screen;
    let (kept, all) = (retained.kept.len() as u64, group.snapshots.len() as u64);
    for (entry, reasons) in &retained.kept {
        let reasons = reasons.iter().map(reason).collect();
        screen.object(&json::Retained { snapshot: entry.id.to_string(), reasons });
    }
    screen.info(format!(
        "{}: {} of {} kept.",
        title(group),
        format::count(kept),
        format::counted(all, "snapshot"),
    ));
    let mut table =
        Table::new([("id", Column::Fixed), ("time", Column::Fixed), ("kept as", Column::Text)]);
    for (entry, reasons) in &retained.kept {
        let reasons: Vec<String> = reasons.iter().map(reason).collect();
        table.row(vec![
            format!("{:.8}", entry.id),
            clock::time(entry, context.now.time_zone()),
            reasons.join(", "),
        ]);
    }
    screen.table(&table);
}

fn title(group: &Group<'_>) -> String {
    let sources: Vec<String> = group.sources.iter().map(|source| escape::path(source)).collect();
    match (sources.is_empty(), group.host) {
        (true, "") => "All snapshots".to_owned(),
        (true, host) => escape::text(host),
        (false, "") => sources.join(", "),
        (false, host) => format!("{} on {}", sources.join(", "), escape::text(host)),
    }
}

/// Returns a reason in words.
fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Last(number) => format!("last {number}"),
        Reason::Hourly(number) => format!("hourly {number}"),
        Reason::Daily(number) => format!("daily {number}"),
        Reason::Weekly(number) => format!("weekly {number}"),
        Reason::Monthly(number) => format!("monthly {number}"),
        Reason::Yearly(number) => format!("yearly {number}"),
        Reason::Within => "recent".to_owned(),
        Reason::Tag(tag) => format!("tag {}", escape::text(tag)),
        Reason::Version(path) => format!("version of {}", escape::path(path)),
        Reason::Pinned => "pinned".to_owned(),
        Reason::Newest => "the newest".to_owned(),
        Reason::Part => "a part of the next one".to_owned(),
    }
}

/// Refuses to forget snapshots of a group with a suspicious change that nobody has looked at: they may be the last good ones.
fn must_be_looked_at(
    options: &Options,
    groups: &[Group<'_>],
    retained: &[Retained<'_>],
) -> Outcome<()> {
    let drops = groups.iter().zip(retained).filter(|(_, retained)| !retained.dropped.is_empty());
    let mut suspicious = drops.filter_map(|(group, _)| {
        let entry = group.snapshots.iter().find(|entry| entry.needs_attention())?;
        Some((group, entry))
    });
    let Some((group, entry)) = suspicious.next().filter(|_| !options.force) else { return Ok(()) };
    Err(Failure::new(
        Exit::Failed,
        format!(
            "nothing was forgotten: snapshot {:.8} of {} has a suspicious change that nobody has looked at",
            entry.id,
            title(group)
        ),
        "look at it: `yore status`; if it is right: `yore acknowledge`, and run the command again, or say --force",
    ))
}

/// Asks before a policy drops more than half of a group, as a mistyped one does.
fn must_not_surprise(
    context: &Context,
    options: &Options,
    groups: &[Group<'_>],
    retained: &[Retained<'_>],
) -> Outcome<()> {
    let most = groups.iter().zip(retained).find(|(_, retained)| retained.drops_most());
    let Some((group, retained)) = most.filter(|_| !options.force) else { return Ok(()) };
    let what = format!(
        "of {}, {} would be forgotten and {} kept",
        title(group),
        format::count(retained.dropped.len() as u64),
        format::count(retained.kept.len() as u64)
    );
    if !options.yes && question::can_be_asked(&context.screen) {
        context.screen.ask(&format!("{what}: more than half."));
        if question::is_agreed(&context.screen, "Is that meant?", "say --force")? {
            return Ok(());
        }
    }
    Err(Failure::new(
        Exit::Failed,
        format!("nothing was forgotten: {what}"),
        "where that is meant, say --force; --dry-run shows it",
    ))
}
