//! The destinations in `status`: what is reachable, what it misses, and whether the 3-2-1 rule holds.

use std::collections::BTreeSet;

use yore_engine::backend::{Backend, Guarantee};
use yore_engine::repository::{Lacking, Repository};
use yore_platform::{Medium, Space, Timestamp, storage_medium, system_path};

use crate::access::contacts;
use crate::access::place::Place;
use crate::config::SourceSettings;
use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::json;
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// The copies, media and places of the rule: three copies on two media, one of them in another building.
const COPIES: usize = 3;
const MEDIA: usize = 2;

/// A destination as it is now.
struct State<'c> {
    place: &'c Place,
    /// What is known of one that answers; otherwise the reason.
    answer: Result<Answer, String>,
    /// Tells that it may be absent, and is.
    is_away: bool,
    /// The last contact in seconds since 1970; `None` where there was none.
    last_contact: Option<i64>,
}

/// What a destination that answers has.
struct Answer {
    space: Option<Space>,
    packs_behind: u64,
    snapshots_behind: u64,
    /// The packs and everything else that another destination has.
    objects_behind: u64,
    /// It has the newest snapshot with all packs.
    is_current: bool,
    create_if_absent: Option<bool>,
    is_durable: bool,
}

/// Prints the destinations of an open repository; `sources` are the paths of this machine that it holds.
pub(super) fn print(
    context: &Context,
    repository: &Repository,
    sources: &[Vec<u8>],
) -> Outcome<()> {
    let reached = context.reached();
    let unreached = context.unreached();
    let contacts = contacts::read();
    let now = context.now.timestamp().as_second();
    let found = repository.destination_status()?;
    let newest = found.iter().filter_map(|status| status.newest).max();
    let mut states = Vec::new();
    for ((place, destination), status) in reached.iter().zip(repository.destinations()).zip(&found)
    {
        let answer = status.lacking.as_ref().map_err(Clone::clone).map(|lacking| {
            let is_current =
                lacking.packs.is_empty() && newest.is_some() && status.newest == newest;
            Answer::of(place, &**destination.backend(), lacking, is_current)
        });
        states.push(State { place, answer, is_away: false, last_contact: Some(now) });
    }
    for unreached in &unreached {
        states.push(State {
            place: &unreached.place,
            answer: Err(unreached.failure.what.clone()),
            is_away: unreached.is_normal(),
            last_contact: contacts.get(&unreached.place.destination.location()).copied(),
        });
    }
    print_states(context, &states);
    if !context.names_destination() {
        print_rule(context, &Rule::of(context, &states, sources)?);
    }
    Ok(())
}

/// Prints the destinations of a repository that could not be opened at any.
pub(super) fn print_unopened(context: &Context) {
    let Ok(places) = context.places() else { return };
    let contacts = contacts::read();
    let states = places.iter().map(|place| {
        let destination = &place.destination;
        let failure = destination.must_be_there().err();
        let is_away = failure.as_ref().is_some_and(|f| f.exit == Exit::NoRepository);
        State {
            place,
            answer: Err(failure.map_or_else(|| "it was not opened".into(), |f| f.what)),
            is_away: is_away && place.is_removable,
            last_contact: contacts.get(&destination.location()).copied(),
        }
    });
    print_states(context, &states.collect::<Vec<_>>());
}

impl Answer {
    fn of(place: &Place, backend: &dyn Backend, lacking: &Lacking, is_current: bool) -> Self {
        let capabilities = backend.capabilities();
        Self {
            space: backend.space().ok().flatten(),
            packs_behind: lacking.packs.len() as u64,
            snapshots_behind: lacking.commits.len() as u64,
            objects_behind: lacking.count() as u64,
            is_current,
            create_if_absent: match capabilities.create_if_absent {
                Guarantee::Kept => Some(true),
                Guarantee::Broken => Some(false),
                Guarantee::Unprobed => place.create_if_absent,
            },
            is_durable: capabilities.durable,
        }
    }
}

fn print_states(context: &Context, states: &[State<'_>]) {
    let screen = &context.screen;
    states.iter().for_each(|state| screen.object(&state.object()));
    if screen.is_json() {
        return;
    }
    let zone = context.now.time_zone();
    let mut table = Table::new([
        ("destination", Column::Text),
        ("state", Column::Text),
        ("free", Column::Fixed),
        ("last contact", Column::Fixed),
    ]);
    for state in states {
        let time = |seconds| format::time(Timestamp { seconds, nanos: 0 }, zone);
        let space = state.answer.as_ref().ok().and_then(|answer| answer.space);
        table.row(vec![
            escape::text(&state.place.title()),
            state.words(),
            space.map_or_else(|| "-".into(), |space| format::bytes(space.free)),
            state.last_contact.map_or_else(|| "never".into(), time),
        ]);
    }
    screen.info("");
    screen.table(&table);
    for state in states {
        let Ok(answer) = &state.answer else { continue };
        let title = state.place.title();
        match answer.create_if_absent {
            Some(false) => screen.line(format!(
                "{title} does not refuse to create what is there already: prune will have to run alone (--exclusive)."
            )),
            None => screen.info(format!(
                "{title}: it is not known whether it refuses to create what is there already; to find out: yore \
                 destination add"
            )),
            Some(true) => {}
        }
        if !answer.is_durable {
            screen.line(format!(
                "{title} can't be asked to write files to the disk at once: a power failure may cost the last \
                 snapshots there."
            ));
        }
    }
}

impl State<'_> {
    /// Returns the state in words.
    fn words(&self) -> String {
        match &self.answer {
            Err(_) if self.is_away => "not there (removable)".into(),
            Err(why) => format!("not reachable: {}", escape::text(why)),
            Ok(answer) if answer.objects_behind + answer.snapshots_behind == 0 => {
                "up to date".into()
            }
            Ok(answer) => format!(
                "behind by {} and {}: yore sync",
                format::counted(answer.snapshots_behind, "snapshot"),
                format::counted(answer.objects_behind, "object"),
            ),
        }
    }

    fn object(&self) -> json::DestinationStatus {
        let answer = self.answer.as_ref().ok();
        let space = answer.and_then(|answer| answer.space);
        let time = |seconds| format::exact_time(Timestamp { seconds, nanos: 0 });
        json::DestinationStatus {
            name: self.place.name.clone(),
            location: self.place.destination.location(),
            reachable: answer.is_some(),
            removable: self.place.is_removable,
            problem: self.answer.as_ref().err().cloned(),
            free_bytes: space.map(|space| space.free),
            total_bytes: space.map(|space| space.total),
            packs_behind: answer.map(|answer| answer.packs_behind),
            snapshots_behind: answer.map(|answer| answer.snapshots_behind),
            objects_behind: answer.map(|answer| answer.objects_behind),
            last_contact: self.last_contact.map(time),
            create_if_absent: answer.and_then(|answer| answer.create_if_absent),
            durable: answer.map(|answer| answer.is_durable),
        }
    }
}

/// The 3-2-1 rule, as far as it is known now: an absent disk is not counted.
struct Rule {
    copies: usize,
    media: usize,
    is_off_site: bool,
}

impl Rule {
    fn of(context: &Context, states: &[State<'_>], sources: &[Vec<u8>]) -> Outcome<Self> {
        let is_current =
            |state: &&State<'_>| state.answer.as_ref().is_ok_and(|answer| answer.is_current);
        let current: Vec<&Place> =
            states.iter().filter(is_current).map(|state| state.place).collect();
        let configured = context.settings()?.sources.iter().flat_map(|source| source.paths.clone());
        let saved = sources.iter().map(|source| system_path(source));
        let originals: Vec<_> = match context.settings()?.sources.is_empty() {
            false => configured.collect(),
            true => saved.collect(),
        };
        let servers = context.settings()?.sources.iter().filter_map(SourceSettings::server);
        let servers = servers.map(|folder| Medium::Server(folder.host().to_owned()));
        let originals = originals.iter().filter_map(|path| storage_medium(path).ok());
        let originals = originals.chain(servers);
        let copies = current.iter().filter_map(|place| place.destination.medium());
        let media: BTreeSet<Medium> = originals.chain(copies).collect();
        let is_off_site =
            |place: &&Place| place.off_site.unwrap_or_else(|| place.destination.is_elsewhere());
        Ok(Self {
            copies: 1 + current.len(),
            media: media.len(),
            is_off_site: current.iter().any(is_off_site),
        })
    }

    fn is_kept(&self) -> bool {
        self.copies >= COPIES && self.media >= MEDIA && self.is_off_site
    }
}

fn print_rule(context: &Context, rule: &Rule) {
    context.screen.object(&json::CopiesRule {
        copies: rule.copies as u64,
        media: rule.media as u64,
        off_site: rule.is_off_site,
        satisfied: rule.is_kept(),
    });
    let off_site = if rule.is_off_site { "one off-site" } else { "none off-site" };
    let (copies, media) = (rule.copies as u64, rule.media as u64);
    let media = if media == 1 { "1 medium".to_owned() } else { format!("{media} media") };
    let found = match copies {
        1 => "1 copy (the original)".to_owned(),
        more => format!("{more} copies with the original"),
    };
    let verdict = match rule.is_kept() {
        true => "the 3-2-1 rule is kept",
        false => "the 3-2-1 rule asks for 3 copies, on 2 media, 1 off-site",
    };
    context.screen.info(format!("{found}, on {media}, {off_site}: {verdict}."));
}
