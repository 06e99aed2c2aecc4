//! One round of prune at a destination: from the lists to the deletions.

use std::collections::HashSet;

use super::analysis::Analysis;
use super::plan::{PackFacts, Plan, plan};
use super::report::{Amount, DestinationPrune, Pending, PendingCause};
use super::view::View;
use super::{Task, records, repack, sweep, tombstones, unchanged};
use crate::error::Result;
use crate::format::id::ObjectId;
use crate::operation::run::Run;

/// Runs a round.
///
/// # Errors
/// [`Error::Overtaken`](crate::Error::Overtaken) when another run published a generation or an end first.
pub(super) fn run(task: &Task<'_>, report: &mut DestinationPrune) -> Result<()> {
    let mut view = View::load(task)?;
    describe(&view, report);
    let is_real = task.options.run == Run::Real;
    if is_real && records::abort_dead_sessions(task, &view)? {
        view = View::load(task)?;
    }
    if unchanged::is_known(task, &view) {
        return Ok(());
    }
    let mut analysis = Analysis::of(task, &view)?;
    if is_real {
        end_generations(task, &mut view, &mut analysis, report)?;
    }
    let protected = view.packs_of_open_sessions(task)?;
    let facts = facts(&view, &analysis, &protected);
    let pack_size = task.repository.header().parameters.pack;
    let mut plan = plan(&facts, task.options.max_unused, pack_size);
    if report.is_behind {
        // Another destination may have repacked these packs already.
        plan.repack.clear();
    }
    report.unused = plan.unused;
    let orphans = orphans(&view, &analysis);
    if !is_real {
        estimate(&plan, &facts, &orphans, &view, report);
        return Ok(());
    }
    let condemned = condemn(task, &view, &analysis, (&plan, orphans), report)?;
    // A pack that another destination's snapshot needs may be copied here again once no generation condemns it.
    let has_needed = analysis.needed.iter().any(|id| view.generations.condemns(id));
    if !condemned.is_empty() || has_needed {
        let packs = carried(&view, &analysis).chain(condemned).collect();
        let number = view.generations.publish(task, packs, &view.packs)?;
        settle(task, &view, number, report)?;
    }
    drop(analysis);
    let (marked, view) = (view, View::load(task)?);
    sweep::run(task, &view, report)?;
    records::clean(task, &view, report)?;
    tombstones::clean(task, &view, report)?;
    if report.is_unchanged() {
        remember_if_settled(task, &view, report);
    } else {
        let after = View::load(task)?;
        let packs = marked.packs.len() as u64 + report.written.packs;
        if after.has_same_snapshots(&marked)
            && after.packs.len() as u64 + report.deleted.packs == packs
        {
            remember_if_settled(task, &after, report);
        }
    }
    Ok(())
}

/// Remembers that there is nothing left to do, unless something is left to wait for.
fn remember_if_settled(task: &Task<'_>, view: &View, report: &DestinationPrune) {
    let is_done = report.pending.is_empty() && report.problems.is_empty() && !report.is_behind;
    let has_records = !view.forgotten.is_empty() || !tombstones::are_settled(view);
    if is_done && !has_records && !view.has_open_sessions() {
        unchanged::remember(task, view);
    }
}

fn describe(view: &View, report: &mut DestinationPrune) {
    report.snapshots = view.snapshots.len() as u64;
    view.packs.values().for_each(|size| report.packs.add(*size));
    report.is_behind = !view.roots_elsewhere.is_empty();
}

/// Ends the generations of earlier runs for which no writer is awaited any more.
fn end_generations(
    task: &Task<'_>,
    view: &mut View,
    analysis: &mut Analysis,
    report: &mut DestinationPrune,
) -> Result<()> {
    let mut has_ended = false;
    for number in view.generations.without_end() {
        if view.writers_before(number).is_empty() {
            end(task, view, number, &analysis.rescued, report)?;
            has_ended = true;
        }
    }
    if has_ended {
        analysis.choose_again(view)?;
    }
    Ok(())
}

/// Ends a generation, keeping its packs among `rescued`.
fn end(
    task: &Task<'_>,
    view: &mut View,
    number: u64,
    rescued: &HashSet<ObjectId>,
    report: &mut DestinationPrune,
) -> Result<()> {
    let generation = view.generations.get(number);
    let kept: HashSet<ObjectId> = generation.map_or_else(HashSet::new, |generation| {
        generation.packs.intersection(rescued).copied().collect()
    });
    report.rescued += kept.len() as u64;
    view.generations.end(task, number, kept)
}

/// Returns what is known of each pack that is there and not condemned.
fn facts(view: &View, analysis: &Analysis, protected: &HashSet<ObjectId>) -> Vec<PackFacts> {
    let packs = (0..).zip(analysis.table.packs()).zip(&analysis.uses);
    let facts = packs.filter_map(|((number, pack), pack_use)| {
        let is_there = view.packs.get(&pack.id) == Some(&pack.size);
        (is_there && !view.generations.condemns(&pack.id)).then(|| PackFacts {
            number,
            kind: pack.kind,
            size: pack.size,
            pack_use: *pack_use,
            is_protected: protected.contains(&pack.id) || analysis.is_late(&pack.id),
        })
    });
    facts.collect()
}

/// Returns the packs that no index describes, once no writer can add them to one.
fn orphans(view: &View, analysis: &Analysis) -> Vec<ObjectId> {
    if view.has_open_sessions() {
        return Vec::new();
    }
    let described: HashSet<&ObjectId> =
        analysis.table.packs().iter().map(|pack| &pack.id).collect();
    let is_orphan = |id: &&ObjectId| !described.contains(id) && !view.generations.condemns(id);
    let mut orphans: Vec<ObjectId> = view.packs.keys().filter(is_orphan).copied().collect();
    orphans.sort_unstable();
    orphans
}

/// Repacks, and returns the packs to be condemned.
fn condemn(
    task: &Task<'_>,
    view: &View,
    analysis: &Analysis,
    (plan, orphans): (&Plan, Vec<ObjectId>),
    report: &mut DestinationPrune,
) -> Result<Vec<ObjectId>> {
    let repacked = repack::run(task, view, analysis, &plan.repack)?;
    report.problems.extend(repacked.problems);
    report.written.packs += repacked.written.packs;
    report.written.bytes += repacked.written.bytes;
    let pack = |number: &u32| analysis.table.packs()[*number as usize];
    plan.condemn.iter().map(pack).for_each(|pack| report.condemned.add(pack.size));
    repacked.moved.iter().map(pack).for_each(|pack| report.repacked.add(pack.size));
    orphans.iter().filter_map(|id| view.packs.get(id)).for_each(|size| report.condemned.add(*size));
    let mut condemned: Vec<ObjectId> =
        plan.condemn.iter().chain(&repacked.moved).map(|number| pack(number).id).collect();
    condemned.extend(orphans);
    condemned.sort_unstable();
    Ok(condemned)
}

/// Returns the packs that were condemned before and that another destination may still have: it is not to copy them
/// here again.
fn carried<'v>(view: &'v View, analysis: &'v Analysis) -> impl Iterator<Item = ObjectId> + 'v {
    let elsewhere = &view.elsewhere;
    let all = view.generations.iter().flat_map(|(_, generation)| generation.doomed());
    let deleted = all.filter(|id| !view.packs.contains_key(id));
    let deleted = deleted.filter(|id| elsewhere.is_incomplete || elsewhere.packs.contains(id));
    deleted.filter(|id| !analysis.needed.contains(id)).copied()
}

/// Ends a generation that was just published, unless a writer that began before has no verdict.
fn settle(
    task: &Task<'_>,
    marked: &View,
    number: u64,
    report: &mut DestinationPrune,
) -> Result<()> {
    let mut view = View::load(task)?;
    if !view.writers_before(number).is_empty() {
        return Ok(());
    }
    let rescued = match view.has_same_snapshots(marked) {
        true => HashSet::new(),
        false => Analysis::of(task, &view)?.rescued,
    };
    end(task, &mut view, number, &rescued, report)
}

/// Fills in what a dry run would do.
fn estimate(
    plan: &Plan,
    facts: &[PackFacts],
    orphans: &[ObjectId],
    view: &View,
    report: &mut DestinationPrune,
) {
    for pack in facts {
        if plan.condemn.contains(&pack.number) {
            report.condemned.add(pack.size);
        } else if plan.repack.contains(&pack.number) {
            report.repacked.add(pack.size);
            report.written.bytes += pack.size - pack.unused();
        }
    }
    orphans.iter().filter_map(|id| view.packs.get(id)).for_each(|size| report.condemned.add(*size));
    let mut amount = Amount::default();
    let doomed = view.packs.iter().filter(|(id, _)| view.generations.condemns(id));
    doomed.for_each(|(_, size)| amount.add(*size));
    if amount != Amount::default() {
        let newest = view.generations.iter().map(|(_, generation)| generation.time).max();
        let cause = PendingCause::Grace(newest.unwrap_or_default());
        report.pending.push(Pending { amount, cause });
    }
}
