//! A volume in memory: one file or directory of each sort that a drive can hold.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use yore_platform::{
    Attr, DeviceNumber, Entry, FOREVER, Ino, Kind, ListControl, Listed, Owner, Seek, Space,
    Timestamp, Volume, VolumeError, Xattrs,
};

pub struct Node {
    pub attr: Attr,
    pub ttl: Duration,
    pub names: Vec<(Vec<u8>, Ino)>,
    pub data: Vec<u8>,
    /// Stretches of data; the rest is holes.
    pub stretches: Vec<(u64, u64)>,
    pub xattrs: Xattrs,
}

pub struct Memory {
    nodes: Mutex<HashMap<Ino, Node>>,
    /// The number of references that the host has to each.
    held: Mutex<HashMap<Ino, u64>>,
}

pub const BIG: usize = 9 * 1024 * 1024 + 17;
pub const MANY: usize = 10_000;
pub const SPARSE_SIZE: u64 = 8 << 20;
pub const CHANGING: Ino = Ino(5);

/// Returns the ACL that `getfacl` shows as `user:1234:r-x` beside the mode `rwxr-x---`, as the kernel has it: the
/// version, then tag, permissions and number of each entry.
pub fn acl() -> Vec<u8> {
    let mut value = 2_u32.to_le_bytes().to_vec();
    let none = u32::MAX;
    let entries = [
        (0x01_u16, 7_u16, none),
        (0x02, 5, 1234),
        (0x04, 5, none),
        (0x10, 5, none),
        (0x20, 0, none),
    ];
    for (tag, permissions, id) in entries {
        value.extend(tag.to_le_bytes());
        value.extend(permissions.to_le_bytes());
        value.extend(id.to_le_bytes());
    }
    value
}

pub fn big_content() -> Vec<u8> {
    (0..BIG as u64).map(|place| (place.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

impl Memory {
    pub fn sample() -> Memory {
        let memory = Memory { nodes: Mutex::default(), held: Mutex::default() };
        memory.insert(Ino::ROOT, Kind::Directory);
        memory.add_fixed();
        memory.add_changing();
        memory
    }

    fn add_fixed(&self) {
        let hello = self.add(Ino::ROOT, b"hello", Ino(2), Kind::File);
        self.change(hello, |node| {
            node.data = b"hello, world\n".to_vec();
            node.stretches = vec![(0, 13)];
            node.attr.mode = 0o640;
            node.attr.owner = Owner { uid: 1234, gid: 4321 };
            node.attr.links = 2;
            node.attr.modified = Timestamp { seconds: -1_000_000_000, nanos: 123_456_789 };
            node.xattrs = vec![
                (b"user.colour".to_vec(), b"blue".to_vec()),
                (b"user.empty".to_vec(), Vec::new()),
            ];
        });
        self.change(Ino::ROOT, |root| root.names.push((b"link".to_vec(), hello)));
        let big = self.add(Ino::ROOT, b"big", Ino(3), Kind::File);
        self.change(big, |node| {
            node.data = big_content();
            node.stretches = vec![(0, BIG as u64)];
            node.attr.modified.seconds = 20_000_000_000;
        });
        let sparse = self.add(Ino::ROOT, b"sparse", Ino(4), Kind::File);
        self.change(sparse, |node| {
            let (from, to) = (1 << 20, (1 << 20) + 65_536);
            node.data = vec![0; SPARSE_SIZE as usize];
            node.data[from..to].fill(b'x');
            node.stretches = vec![(from as u64, to as u64)];
        });
        let symlink = self.add(Ino::ROOT, b"symlink", Ino(6), Kind::Symlink);
        self.change(symlink, |node| node.data = b"deep/er/est".to_vec());
        let disk = self.add(Ino::ROOT, b"disk", Ino(7), Kind::BlockDevice);
        self.change(disk, |node| {
            node.attr.device_number = DeviceNumber { major: 259, minor: 65_537 };
        });
        self.add(Ino::ROOT, b"fifo", Ino(8), Kind::Fifo);
        self.add(Ino::ROOT, b"bad", Ino(9), Kind::File);
        self.change(Ino(9), |node| node.attr.size = 100);
        let with_acl = self.add(Ino::ROOT, b"acl", Ino(10), Kind::File);
        self.change(with_acl, |node| {
            node.attr.mode = 0o750;
            node.xattrs = vec![(b"system.posix_acl_access".to_vec(), acl())];
        });
        let deep = self.add(Ino::ROOT, b"deep", Ino(11), Kind::Directory);
        let er = self.add(deep, b"er", Ino(12), Kind::Directory);
        self.add(er, b"est", Ino(13), Kind::File);
        let many = self.add(Ino::ROOT, b"many", Ino(14), Kind::Directory);
        for number in 0..MANY as u64 {
            let name = format!("file-{number:05}");
            self.add(many, name.as_bytes(), Ino(100_000 + number), Kind::File);
        }
        self.add(Ino::ROOT, b"torn", Ino(15), Kind::Directory);
        self.add(Ino::ROOT, b"panics", Ino(16), Kind::File);
        self.change(Ino(16), |node| node.attr.size = 100);
    }

    fn add_changing(&self) {
        let changing = self.add(Ino::ROOT, b"changing", CHANGING, Kind::Directory);
        self.add(changing, b"first", Ino(20), Kind::File);
        self.change(changing, |node| node.ttl = Duration::from_secs(3600));
    }

    fn insert(&self, ino: Ino, kind: Kind) {
        let attr = Attr {
            ino,
            kind,
            mode: if kind == Kind::Directory { 0o755 } else { 0o644 },
            owner: Owner { uid: 0, gid: 0 },
            size: 0,
            allocated: 0,
            modified: Timestamp { seconds: 1_700_000_000, nanos: 5 },
            changed: Timestamp::default(),
            born: Timestamp::default(),
            links: 1,
            device_number: DeviceNumber::default(),
        };
        let node = Node {
            attr,
            ttl: FOREVER,
            names: Vec::new(),
            data: Vec::new(),
            stretches: Vec::new(),
            xattrs: Vec::new(),
        };
        self.nodes.lock().expect("no panic").insert(ino, node);
    }

    pub fn add(&self, parent: Ino, name: &[u8], ino: Ino, kind: Kind) -> Ino {
        self.insert(ino, kind);
        self.change(parent, |node| node.names.push((name.to_vec(), ino)));
        ino
    }

    pub fn change(&self, ino: Ino, change: impl FnOnce(&mut Node)) {
        let mut nodes = self.nodes.lock().expect("no panic");
        let node = nodes.get_mut(&ino).expect("the node is there");
        change(node);
        if !node.data.is_empty() {
            node.attr.size = node.data.len() as u64;
            node.attr.allocated = node.stretches.iter().map(|(from, to)| to - from).sum();
        }
    }

    /// Returns the inodes to which the host has references.
    pub fn held(&self) -> Vec<Ino> {
        let held = self.held.lock().expect("no panic");
        held.iter().filter(|(_, count)| **count > 0).map(|(ino, _)| *ino).collect()
    }

    fn with<T>(
        &self,
        ino: Ino,
        look: impl FnOnce(&Node) -> Result<T, VolumeError>,
    ) -> Result<T, VolumeError> {
        let nodes = self.nodes.lock().expect("no panic");
        look(nodes.get(&ino).ok_or(VolumeError::Stale)?)
    }
}

impl Volume for Memory {
    fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Entry, VolumeError> {
        let child = self.with(parent, |node| {
            let found = node.names.iter().find(|(known, _)| known == name);
            found.map(|(_, ino)| *ino).ok_or(VolumeError::NotFound)
        })?;
        self.attr(child)
    }

    fn attr(&self, ino: Ino) -> Result<Entry, VolumeError> {
        self.with(ino, |node| Ok(Entry { attr: node.attr, ttl: node.ttl }))
    }

    fn list(
        &self,
        ino: Ino,
        from: u64,
        each: &mut dyn FnMut(Listed<'_>) -> ListControl,
    ) -> Result<(), VolumeError> {
        if ino == Ino(15) {
            return Err(VolumeError::Damaged);
        }
        let names = self.with(ino, |node| Ok(node.names.clone()))?;
        for (place, (name, child)) in names.iter().enumerate().skip(from as usize) {
            let listed = Listed { name, next: place as u64 + 1, entry: self.attr(*child)? };
            if each(listed) == ListControl::Stop {
                break;
            }
        }
        Ok(())
    }

    fn read(
        &self,
        ino: Ino,
        offset: u64,
        size: u32,
        reply: &mut dyn FnMut(&[u8]),
    ) -> Result<(), VolumeError> {
        assert_ne!(ino, Ino(16), "this file makes the volume panic");
        if ino == Ino(9) {
            return Err(VolumeError::Damaged);
        }
        self.with(ino, |node| {
            let from = node.data.len().min(offset as usize);
            let to = node.data.len().min(from + size as usize);
            reply(&node.data[from..to]);
            Ok(())
        })
    }

    fn read_link(&self, ino: Ino) -> Result<Vec<u8>, VolumeError> {
        self.with(ino, |node| match node.attr.kind {
            Kind::Symlink => Ok(node.data.clone()),
            _ => Err(VolumeError::NotSymlink),
        })
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>, VolumeError> {
        self.with(ino, |node| {
            let found = node.xattrs.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).ok_or(VolumeError::NoAttribute)
        })
    }

    fn xattr_names(&self, ino: Ino) -> Result<Vec<Vec<u8>>, VolumeError> {
        self.with(ino, |node| Ok(node.xattrs.iter().map(|(name, _)| name.clone()).collect()))
    }

    fn seek(&self, ino: Ino, offset: u64, whence: Seek) -> Result<u64, VolumeError> {
        self.with(ino, |node| {
            if offset >= node.attr.size {
                return Err(VolumeError::BeyondEnd);
            }
            let inside = node.stretches.iter().find(|(_, to)| offset < *to);
            match (whence, inside) {
                (Seek::Data, Some((from, _))) => Ok(offset.max(*from)),
                (Seek::Data, None) => Err(VolumeError::BeyondEnd),
                (Seek::Hole, Some((from, to))) if offset >= *from => Ok(*to),
                (Seek::Hole, _) => Ok(offset),
            }
        })
    }

    fn parent(&self, ino: Ino) -> Result<Ino, VolumeError> {
        let nodes = self.nodes.lock().expect("no panic");
        let holds = |node: &Node| node.names.iter().any(|(_, child)| *child == ino);
        Ok(nodes.iter().find(|(_, node)| holds(node)).map_or(Ino::ROOT, |(parent, _)| *parent))
    }

    fn hold(&self, ino: Ino) -> Result<(), VolumeError> {
        let known = self.nodes.lock().expect("no panic").contains_key(&ino);
        *self.held.lock().expect("no panic").entry(ino).or_default() += 1;
        known.then_some(()).ok_or(VolumeError::Stale)
    }

    fn forget(&self, ino: Ino, times: u64) {
        let mut held = self.held.lock().expect("no panic");
        let count = held.entry(ino).or_default();
        *count = count.checked_sub(times).expect("nothing is forgotten that is not held");
    }

    fn space(&self) -> Result<Space, VolumeError> {
        Ok(Space { total: 1 << 40, free: 1 << 39, files: 10_020 })
    }
}
