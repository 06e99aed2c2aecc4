//! Sources that are no files of the machine which wrote the snapshot (FORMAT.md §10, key 21).

use crate::format::cbor::{self, MapWriter, Read};

/// A source that is no file or folder of the machine that wrote the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignSource {
    /// Its position among the sources.
    pub position: u64,
    /// The kind.
    pub kind: ForeignKind,
    /// The command or machine, without secrets.
    pub text: String,
}

/// The kind of a foreign source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignKind {
    /// The output of a command.
    Command,
    /// Files of another machine.
    Machine,
    /// A kind of a later version, by its number.
    Unknown(u64),
}

const COMMAND: u64 = 1;
const MACHINE: u64 = 2;

pub(super) fn encode(map: &mut MapWriter<'_>, key: u64, foreign: &[ForeignSource]) {
    let mut items = map.key(key);
    items.array(foreign.len() as u64);
    for ForeignSource { position, kind, text } in foreign {
        let kind = match kind {
            ForeignKind::Command => COMMAND,
            ForeignKind::Machine => MACHINE,
            ForeignKind::Unknown(kind) => *kind,
        };
        items.array(3).u64(*position).u64(kind).str(text);
    }
}

pub(super) fn decode(d: &mut minicbor::Decoder<'_>) -> Read<Vec<ForeignSource>> {
    let items = cbor::items(d)?;
    (0..items).map(|_| decode_one(d)).collect()
}

fn decode_one(d: &mut minicbor::Decoder<'_>) -> Read<ForeignSource> {
    let items = cbor::items(d)?;
    if items < 3 {
        return cbor::refuse("a foreign source of another length");
    }
    let position = d.u64()?;
    let kind = match d.u64()? {
        COMMAND => ForeignKind::Command,
        MACHINE => ForeignKind::Machine,
        kind => ForeignKind::Unknown(kind),
    };
    let text = d.str()?.to_owned();
    (3..items).try_for_each(|_| cbor::skip(d))?;
    Ok(ForeignSource { position, kind, text })
}
