//! `yore destination add`: checks a place, makes a copy of the repository there, and adds it to the configuration.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use yore_engine::Error;
use yore_engine::backend::{Backend, Guarantee, probe_create_if_absent};
use yore_engine::format::ObjectName;
use yore_engine::repository::{Repository, create_copy};
use yore_platform::{Timestamp, path_metadata};

use super::super::source::parse_name;
use super::super::{free_name, load, refused};
use super::added::{Added, Found};
use super::adopt::adopt;
use super::measure::measure;
use crate::access::contacts;
use crate::access::destination::{self, Destination};
use crate::access::place::Place;
use crate::config::edit::{Field, add_entry, set};
use crate::config::{ConfigFile, Settings};
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};

/// The options of `destination add`.
#[derive(Debug, Args)]
pub struct AddOptions {
    /// The place: /path, sftp://user@host/path, s3://BUCKET/PREFIX, rclone:REMOTE:PATH, volume:LABEL/path
    #[arg(value_name = "URL")]
    url: OsString,
    /// The name of the destination (default: made of the place)
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,
    /// It comes and goes, so that it is no problem when it is absent
    #[arg(long)]
    removable: bool,
    /// It is in another building
    #[arg(long)]
    offsite: bool,
    /// Read back what is written there
    #[arg(long)]
    verify_writes: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &AddOptions) -> Outcome {
    let mut file = load(context)?;
    let settings = Settings::read(&file.text);
    let known = settings.destinations;
    let place = new_place(options, &known)?;
    let is_same = |other: &&Place| other.destination.is_same(&place.destination);
    let is_known = known.iter().any(|other| is_same(&other));
    let others: Vec<Place> = known.iter().filter(|other| !is_same(other)).cloned().collect();
    must_not_overlap(&place, &others)?;
    let backend = context.backend(&place)?;
    let found = find(context, &place, &backend, &others, &settings.secret)?;
    let create_if_absent = match found {
        Found::Empty => None,
        Found::Copy | Found::Created | Found::Repository => {
            Some(probe_create_if_absent(&*backend)? == Guarantee::Kept)
        }
    };
    let measured = measure(&*backend)?;
    let name = place.name.clone().unwrap_or_default();
    if !is_known {
        save(&mut file, &name, &place, options)?;
    }
    if let Some(is_kept) = create_if_absent
        && backend.capabilities().create_if_absent != Guarantee::Kept
    {
        // Only a probe can tell it, which writes; so it is remembered.
        let key = format!("destination.{name}.create-if-absent");
        let text = set(&file.text, &key, &[is_kept.to_string()]).map_err(refused)?;
        file.save(text)?;
    }
    let added = Added { place: &place, found, create_if_absent, measured, is_known };
    added.print(context, &file, &*backend);
    Ok(Done::Whole)
}

/// Makes the place that is meant; one that the configuration has keeps its name.
fn new_place(options: &AddOptions, known: &[Place]) -> Outcome<Place> {
    let destination = destination::parse(&options.url)?;
    if let Some(same) = known.iter().find(|other| other.destination.is_same(&destination)) {
        let name = same.name.as_deref().unwrap_or_default();
        return match &options.name {
            Some(other) if other != name => Err(Failure::usage(
                format!("{} is the destination {name} already", destination.location()),
                format!("to give it another name: yore config set destination.{name}.name {other}"),
            )),
            _ => Ok(same.clone()),
        };
    }
    let taken: Vec<String> = known.iter().filter_map(|place| place.name.clone()).collect();
    let name = match &options.name {
        Some(name) if taken.contains(name) => {
            return Err(Failure::usage(
                format!("there is a destination {name:?} already"),
                format!("choose another name, or take it out: yore destination remove {name}"),
            ));
        }
        Some(name) => name.clone(),
        None => free_name(&destination.short_name().unwrap_or_default(), &taken),
    };
    let place = Place::unnamed(destination);
    Ok(Place {
        name: Some(name),
        is_removable: place.is_removable || options.removable,
        off_site: options.offsite.then_some(true),
        verify_writes: options.verify_writes,
        ..place
    })
}

/// Refuses a folder inside another destination, or around one.
fn must_not_overlap(place: &Place, others: &[Place]) -> Outcome<()> {
    let real = |place: &Place| {
        let folder = place.destination.local_folder()?;
        Some(std::fs::canonicalize(&folder).unwrap_or(folder))
    };
    let Some(folder) = real(place) else { return Ok(()) };
    for other in others {
        let Some(known) = real(other) else { continue };
        // A bind mount or a share of the same folder; it would be taken for a plain copy.
        if let (Some(one), Some(two)) = (identity(&folder), identity(&known))
            && one == two
            && folder != known
        {
            return Err(Failure::usage(
                format!(
                    "{} is the folder of {} under another name",
                    folder.display(),
                    other.title()
                ),
                "choose another folder: each destination is a copy by itself",
            ));
        }
        if folder.starts_with(&known) || known.starts_with(&folder) {
            let other = other.title();
            return Err(Failure::usage(
                match folder == known {
                    true => format!("{} is the folder of {other} already", folder.display()),
                    false => format!("{} and {other} lie in one another", folder.display()),
                },
                "choose another folder: each destination is a copy by itself",
            ));
        }
    }
    Ok(())
}

/// Returns what tells the header in a folder from any copy of it: a copy is another file, or was changed at another
/// time.
fn identity(folder: &Path) -> Option<(u64, Timestamp, Option<Timestamp>)> {
    let header = path_metadata(&folder.join(ObjectName::header().as_str())).ok()?;
    Some((header.inode, header.modified, header.changed))
}

/// Finds out what is at a place, and makes a copy where nothing is.
fn find(
    context: &Context,
    place: &Place,
    backend: &Arc<dyn Backend>,
    others: &[Place],
    secret: &crate::access::secret::References,
) -> Outcome<Found> {
    let has_one = backend.size(&ObjectName::header())?.is_some();
    let has_repository = |place: &Place| place.destination.must_be_there().is_ok();
    let holders: Vec<Place> =
        others.iter().filter(|place| has_repository(place)).cloned().collect();
    if holders.is_empty() {
        must_be_reachable(others)?;
        return match has_one {
            true => {
                context.open_places(std::slice::from_ref(place), secret)?;
                Ok(Found::Repository)
            }
            false => place.destination.check_vacant().map(|()| Found::Empty),
        };
    }
    let mut repository = context.open_places(&holders, secret)?;
    match has_one {
        true => join(context, &mut repository, place, backend, &holders).map(|()| Found::Copy),
        false => {
            place.destination.check_vacant()?;
            create_copy(&repository, backend, context.present().0)?;
            repository.add_destination(Arc::clone(backend))?;
            Ok(Found::Created)
        }
    }
}

/// Fails where the repository may be at a destination that does not answer: what is added must be a copy of that one.
fn must_be_reachable(others: &[Place]) -> Outcome<()> {
    for place in others {
        match place.destination.must_be_there() {
            // It is there and empty, or a disk is away; the latter may hold the repository.
            Err(failure)
                if failure.exit == Exit::NoRepository
                    && place.backend().is_ok()
                    && contacts::of(place).is_none() => {}
            Ok(()) => {}
            Err(failure) => {
                return Err(Failure {
                    hint: Some(
                        "what is added is made a copy of the repository there, so that must be reached now"
                            .to_owned(),
                    ),
                    ..failure
                });
            }
        }
    }
    Ok(())
}

/// Makes sure that a place holds a copy of the repository, as a destination by itself.
fn join(
    context: &Context,
    repository: &mut Repository,
    place: &Place,
    backend: &Arc<dyn Backend>,
    holders: &[Place],
) -> Outcome<()> {
    let others: Vec<String> = holders.iter().map(Place::title).collect();
    match repository.add_destination(Arc::clone(backend)) {
        Ok(()) => Ok(()),
        Err(Error::Occupied { .. }) => adopt(context, repository, backend, place),
        Err(Error::OtherRepository { location }) => Err(Failure::new(
            Exit::Failed,
            format!("{location} holds another repository than {}", others.join(", ")),
            "all destinations of a configuration hold the same one; choose an empty place, or another configuration: \
             yore --profile NAME destination add URL",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Adds the place to the configuration.
fn save(file: &mut ConfigFile, name: &str, place: &Place, options: &AddOptions) -> Outcome<()> {
    let url = match &place.destination {
        Destination::Folder(folder) => folder.to_str().map(str::to_owned),
        Destination::Volume(_)
        | Destination::Sftp(_)
        | Destination::Rclone(_)
        | Destination::S3(_) => Some(place.destination.location()),
    };
    let url = url.ok_or_else(|| {
        Failure::usage(
            format!("{} is not UTF-8, as a configuration is", place.destination.location()),
            "choose another folder",
        )
    })?;
    let mut fields = vec![("name", Field::Text(name.to_owned())), ("url", Field::Text(url))];
    for (key, is_on) in [
        ("removable", options.removable),
        ("offsite", options.offsite),
        ("verify-writes", options.verify_writes),
    ] {
        if is_on {
            fields.push((key, Field::Bool(true)));
        }
    }
    let text = add_entry(&file.text, "destination", &fields).map_err(refused)?;
    file.save(text)
}
