//! The address of a value: `limit.upload`, `destination.nas.verify-writes`.

use toml_edit::{DocumentMut, Item, TableLike};

use super::check::unknown;
use super::schema::{self, Key, Kind, NAME, TOP};

/// A request that can't be carried out: the message, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The message.
    pub what: String,
    /// The hint.
    pub hint: String,
}

/// The address of a value.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    /// The list and the name of the entry that holds it; `None` outside of lists.
    pub entry: Option<(&'static str, String)>,
    /// The keys that lead to it, from there; at least one.
    pub keys: Vec<&'static str>,
    /// The type of the value.
    pub kind: Kind,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// It leads to no single value that the configuration can have.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let mut words = text.split('.');
        let mut table: &'static [Key] = TOP;
        let (mut entry, mut keys) = (None, Vec::new());
        loop {
            let Some(word) = words.next() else { return Err(incomplete(text, table)) };
            let Some(key) = schema::find(table, word) else {
                return Err(Refused {
                    what: unknown(table, word, text),
                    hint: "`yore config show` lists what is set".into(),
                });
            };
            match key.kind {
                Kind::Table(below) => {
                    keys.push(key.name);
                    table = below;
                }
                Kind::List(below) => {
                    let Some(name) = words.next().filter(|name| !name.is_empty()) else {
                        return Err(Refused {
                            what: format!("{text:?} does not say which {} is meant", key.name),
                            hint: format!("write {}.NAME.KEY", key.name),
                        });
                    };
                    entry = Some((key.name, name.to_owned()));
                    table = below;
                }
                kind => {
                    keys.push(key.name);
                    return match words.next() {
                        None => Ok(Self { entry, keys, kind }),
                        Some(_) => Err(Refused {
                            what: format!("{text:?} is not a key: {} is a single value", key.name),
                            hint: "`yore config show` lists what is set".into(),
                        }),
                    };
                }
            }
        }
    }

    /// Returns the table in which the first key is, or is to be.
    pub fn table_mut<'d>(
        &self,
        document: &'d mut DocumentMut,
    ) -> Result<&'d mut dyn TableLike, Refused> {
        let Some((list, name)) = &self.entry else { return Ok(document.as_table_mut()) };
        let place = position(document, list, name)?;
        let entries = document.get_mut(list).and_then(Item::as_array_of_tables_mut);
        let entry = entries.and_then(|entries| entries.get_mut(place));
        Ok(entry.expect("the entry is at its position"))
    }

    /// Returns the value, if it is set.
    pub fn item<'d>(&self, document: &'d DocumentMut) -> Result<Option<&'d Item>, Refused> {
        let mut table: &dyn TableLike = match &self.entry {
            None => document.as_table(),
            Some((list, name)) => {
                let place = position(document, list, name)?;
                let entries = document.get(list).and_then(Item::as_array_of_tables);
                let entry = entries.and_then(|entries| entries.get(place));
                entry.expect("the entry is at its position")
            }
        };
        let (last, above) = self.keys.split_last().expect("an address has keys");
        for name in above {
            match table.get(name).and_then(Item::as_table_like) {
                Some(below) => table = below,
                None => return Ok(None),
            }
        }
        Ok(table.get(last))
    }
}

fn incomplete(text: &str, table: &'static [Key]) -> Refused {
    let keys: Vec<String> = table.iter().map(|key| format!("{text}.{}", key.name)).collect();
    Refused {
        what: format!("{text:?} is not a single value"),
        hint: format!("there are {}", keys.join(", ")),
    }
}

/// Finds the place of an entry in its list.
pub fn position(document: &DocumentMut, list: &str, name: &str) -> Result<usize, Refused> {
    let entries = document.get(list).and_then(Item::as_array_of_tables);
    let names: Vec<&str> = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.get(NAME).and_then(Item::as_str).unwrap_or_default())
        .collect();
    names.iter().position(|known| *known == name).ok_or_else(|| Refused {
        what: format!("there is no {list} {name:?}"),
        hint: match names.is_empty() {
            true => format!("none is configured: yore {list} add"),
            false => format!("there are {}", names.join(", ")),
        },
    })
}
