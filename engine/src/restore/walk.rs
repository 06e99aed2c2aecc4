//! The walk of a restore: makes directories, and sends everything else to the workers.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::Sender;
use yore_platform::{DeviceNumber, Kind};

use super::case_folding::FoldedNames;
use super::context::Context;
use super::delete::{Deletion, keep_reason};
use super::directory::OpenDir;
use super::large::{self, LARGE};
use super::links::LinkGroup;
use super::select::{Selected, Selection};
use super::worker::{Item, Job, Role};
use crate::error::{Error, KeepReason, Refusal};
use crate::format::id::SnapshotId;
use crate::format::tree::{Content, Node};
use crate::operation::observer::Event;
use crate::operation::run::Run;
use crate::path::join;
use crate::read::dir_entries::DirEntries;
use crate::read::state_tree::{DirRef, ResolvedNode};

/// Bytes of the paths of all directories that the walk is in: only hostile trees have more.
const PATHS: usize = 64 << 20;
/// A batch has at most so many nodes, of so many bytes, and holds so many directories open.
const BATCH_NODES: usize = 64;
const BATCH_BYTES: u64 = 4 << 20;
const BATCH_DIRECTORIES: usize = 8;

pub(super) struct Walk<'c, 's> {
    pub(super) context: &'c Context<'c>,
    pub(super) selection: &'s Selection,
    pub(super) sender: Sender<Job<'c>>,
    pub(super) stack: Vec<Level<'c>>,
    /// Bytes of the paths in the stack.
    pub(super) paths: usize,
    pub(super) batch: Vec<Item<'c>>,
    pub(super) groups: HashMap<FileKey, Group<'c>>,
}

/// The snapshot, the file system and the inode number, which all names of one file have in common.
pub(super) type FileKey = (Option<SnapshotId>, u64, u64);

/// A directory that the walk is in.
pub(super) struct Level<'c> {
    path: Vec<u8>,
    children: DirEntries<'c>,
    selected: Selected,
    dir: LevelDir<'c>,
    deletion: Option<Deletion>,
    /// The reason why nothing is removed from it.
    keep: Option<KeepReason>,
    /// The names that the snapshot has in it.
    names: FoldedNames,
}

/// A directory of the target, made or not yet.
enum LevelDir<'c> {
    Open(Arc<OpenDir<'c>>),
    Planned(Box<Node>),
}

/// A file of several names: its first name, and how many are still to come.
pub(super) struct Group<'c> {
    group: Arc<LinkGroup<'c>>,
    same: SharedAttributes,
    left: u64,
}

/// The attributes that all names of one file have in common (FORMAT.md §8, key 21).
#[derive(PartialEq, Eq)]
struct SharedAttributes {
    kind: Kind,
    size: u64,
    content: Content,
    target: Vec<u8>,
    device: DeviceNumber,
}

impl<'c> Walk<'c, '_> {
    /// Walks everything in `children`, which comes into `base`.
    pub(super) fn run(&mut self, base: Arc<OpenDir<'c>>, children: DirEntries<'c>) {
        let keep = keep_reason(self.selection.sources.root_flags(), None);
        let deletion = Deletion::begin(self.context, &base, keep).filter(|_| base.path.is_empty());
        // A single node is not a directory's whole content.
        let deletion = deletion.filter(|_| !matches!(children, DirEntries::One(_)));
        let selected = self.selection.at_top();
        let (path, dir) = (base.path.clone(), LevelDir::Open(base));
        self.stack.push(Level {
            path,
            children,
            selected,
            dir,
            deletion,
            keep: None,
            names: FoldedNames::default(),
        });
        while let Some(level) = self.stack.last_mut() {
            if self.context.stopped() {
                break;
            }
            let next = level.children.next();
            for invalid in level.children.take_invalid() {
                let error = Error::Damaged { object: "its node".into(), reason: invalid.reason };
                self.context.failed(join(&level.path, &invalid.name), error);
                if let Some(deletion) = &mut level.deletion {
                    deletion.keep(invalid.name);
                }
            }
            match next {
                Ok(Some(seen)) => self.visit(seen),
                Ok(None) => self.leave(),
                Err(error) => {
                    level.deletion.iter_mut().for_each(Deletion::stop);
                    self.context.failed(level.path.clone(), error);
                }
            }
        }
        self.flush();
        self.stack.clear();
        self.groups.clear();
    }

    fn visit(&mut self, mut seen: ResolvedNode) {
        let Some(level) = self.stack.last_mut() else { return };
        let path = join(&level.path, &seen.node.name);
        if let (Some(deletion), LevelDir::Open(open)) = (&mut level.deletion, &level.dir) {
            deletion.up_to(Some(&seen.node.name), &level.names, self.context, open);
        }
        let may_be_equal = level.names.add(&seen.node.name);
        let is_dir = seen.node.kind == Kind::Directory;
        let selected = self.selection.choose(&path, level.selected, is_dir);
        if may_be_equal && selected != Selected::Out {
            self.rename_for_case(&mut seen.node);
        }
        match (selected, seen.dir) {
            (Selected::Out, _) => {}
            (selected, Some(dir)) => self.enter(seen.node, &dir, path, selected),
            (_, None) => self.send_to_workers(seen.node, &path),
        }
    }

    /// Gives a node another name where the target takes its own for one before it.
    fn rename_for_case(&mut self, node: &mut Node) {
        if !self.open_all(true) {
            return;
        }
        let Some(Level { dir: LevelDir::Open(open), names, deletion, .. }) = self.stack.last_mut()
        else {
            return;
        };
        names.rename_if_equal(self.context, open, node);
        if let Some(deletion) = deletion {
            deletion.keep(node.name.clone());
        }
    }

    fn enter(&mut self, node: Node, dir: &DirRef, path: Vec<u8>, selected: Selected) {
        let children = match DirEntries::open(self.context.reader, dir) {
            Ok(children) if self.paths + path.len() <= PATHS => children,
            Ok(_) => return self.context.failed(path, Refusal::TooDeepToRestore.into()),
            Err(error) => return self.context.failed(path, error),
        };
        if matches!(dir, DirRef::Unreadable) {
            let what = "it could not be read when it was backed up".to_owned();
            self.context.failed(path.clone(), Error::Unreadable { what });
        }
        self.context.observer.event(Event::At(String::from_utf8_lossy(&path).into_owned()));
        let readable = !matches!(dir, DirRef::Unreadable);
        let keep = keep_reason(node.flags, self.stack.last().and_then(|level| level.keep));
        let dir = LevelDir::Planned(Box::new(node));
        self.paths += path.len();
        let names = FoldedNames::default();
        self.stack.push(Level { path, children, selected, dir, deletion: None, keep, names });
        if selected == Selected::In {
            self.open_all(readable);
        }
    }

    /// Makes the directories of the walk that are not made yet; returns whether all could be.
    fn open_all(&mut self, readable: bool) -> bool {
        for n in 0..self.stack.len() {
            let (above, from_here) = self.stack.split_at_mut(n);
            let (Some(level), Some(LevelDir::Open(parent))) =
                (from_here.first_mut(), above.last().map(|level| &level.dir))
            else {
                continue;
            };
            let LevelDir::Planned(node) = &level.dir else { continue };
            match OpenDir::make(self.context, parent, (**node).clone()) {
                Ok(open) => {
                    self.context.counts.directories.add(1);
                    if level.selected == Selected::In && readable {
                        level.deletion = Deletion::begin(self.context, &open, level.keep);
                    }
                    level.dir = LevelDir::Open(Arc::new(open));
                }
                Err(error) => {
                    self.context.failed(level.path.clone(), error);
                    self.stack.truncate(n);
                    self.paths = self.stack.iter().map(|level| level.path.len()).sum();
                    return false;
                }
            }
        }
        true
    }

    fn leave(&mut self) {
        let Some(mut level) = self.stack.pop() else { return };
        self.paths = self.paths.saturating_sub(level.path.len());
        if let (Some(deletion), LevelDir::Open(open)) = (&mut level.deletion, &level.dir) {
            deletion.up_to(None, &level.names, self.context, open);
        }
    }

    fn send_to_workers(&mut self, node: Node, path: &[u8]) {
        if !self.open_all(true) {
            return;
        }
        let Some(LevelDir::Open(dir)) = self.stack.last().map(|level| &level.dir) else { return };
        let dir = Arc::clone(dir);
        let role = self.role(&node, path);
        let is_large = node.data_length() >= LARGE
            && self.context.options.run == Run::Real
            && !matches!(role, Role::Link(_));
        let item = Item { dir, node, role };
        if is_large {
            self.flush();
            let sender = &self.sender;
            return large::begin(self.context, item, &mut |job| sender.send(job).is_ok());
        }
        self.batch.push(item);
        let bytes: u64 = self.batch.iter().map(|item| item.node.data_length()).sum();
        let changes = self.batch.windows(2).filter(|pair| !Arc::ptr_eq(&pair[0].dir, &pair[1].dir));
        if self.batch.len() >= BATCH_NODES
            || bytes >= BATCH_BYTES
            || changes.count() >= BATCH_DIRECTORIES
        {
            self.flush();
        }
    }

    /// Returns the relation of a node to the names before it.
    fn role(&mut self, node: &Node, path: &[u8]) -> Role<'c> {
        let Some((filesystem, inode)) = node.link_group() else { return Role::Alone };
        let key = (self.selection.sources.snapshot_of(path), filesystem, inode);
        let same = SharedAttributes {
            kind: node.kind,
            size: node.size,
            content: node.content.clone(),
            target: node.target.clone(),
            device: node.device_number,
        };
        if let Some(known) = self.groups.get_mut(&key).filter(|known| known.same == same) {
            let group = Arc::clone(&known.group);
            known.left -= 1;
            if known.left == 0 {
                self.groups.remove(&key);
            }
            return Role::Link(group);
        }
        let group = LinkGroup::new();
        let known = Group { group: Arc::clone(&group), same, left: node.links - 1 };
        self.groups.insert(key, known);
        Role::First(group)
    }

    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        if !batch.is_empty() {
            // It fails only after all workers have ended, which they do after this thread.
            let _ = self.sender.send(Job::Batch(batch));
        }
    }
}
