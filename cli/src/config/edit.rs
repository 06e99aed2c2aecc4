//! Changes of single values, which keep every other line as it is.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike, Value};

use super::address::{Address, Refused};
use super::schema::{Kind, NAME};
use super::value;

/// The value of a key of a new entry.
#[derive(Debug, Clone)]
pub enum Field {
    /// A text.
    Text(String),
    /// An array of texts.
    Texts(Vec<String>),
    /// `true` or `false`.
    Bool(bool),
}

/// Sets a key to what was typed for it, and returns the new text.
///
/// # Errors
/// The key is not known, its entry is not there, or the value is none of its type.
pub fn set(text: &str, key: &str, typed: &[String]) -> Result<String, Refused> {
    let address = Address::parse(key)?;
    // An entry that is not there is named before a wrong value is.
    address.item(&text.parse().unwrap_or_default())?;
    let new = of_type(address.kind, typed).map_err(|what| Refused {
        what: format!("{key} {what}"),
        hint: format!("as in: yore config set {key} {}", example(address.kind)),
    })?;
    change(text, |document| {
        let (last, above) = address.keys.split_last().expect("an address has keys");
        let mut table = address.table_mut(document)?;
        for name in above {
            table = below(table, name);
        }
        match table.get_mut(last).and_then(Item::as_value_mut) {
            Some(old) => {
                let decor = old.decor().clone();
                *old = new;
                *old.decor_mut() = decor;
            }
            None => {
                table.insert(last, Item::Value(new));
            }
        }
        Ok(())
    })
}

/// Removes a key, so that its usual value holds, and returns the new text.
///
/// # Errors
/// The key is not known, or not set.
pub fn unset(text: &str, key: &str) -> Result<String, Refused> {
    let address = Address::parse(key)?;
    change(text, |document| {
        let (last, above) = address.keys.split_last().expect("an address has keys");
        let not_set = || Refused {
            what: format!("{key} is not set"),
            hint: "`yore config show` lists what is set".into(),
        };
        let mut table = address.table_mut(document)?;
        for name in above {
            let item = table.get_mut(name).ok_or_else(not_set)?;
            table = item.as_table_like_mut().ok_or_else(not_set)?;
        }
        table.remove(last).map(drop).ok_or_else(not_set)
    })
}

/// Adds an entry to a list, and returns the new text.
pub fn add_entry(text: &str, list: &str, fields: &[(&str, Field)]) -> Result<String, Refused> {
    change(text, |document| {
        let mut entry = Table::new();
        for (key, field) in fields {
            entry.insert(key, Item::Value(field_value(field)));
        }
        let is_first = document.as_table().is_empty();
        entry.decor_mut().set_prefix(if is_first { "" } else { "\n" });
        let empty = Item::ArrayOfTables(ArrayOfTables::new());
        let entries = document.entry(list).or_insert(empty);
        let entries = entries.as_array_of_tables_mut().ok_or_else(|| Refused {
            what: format!("{list} is not written as [[{list}]]"),
            hint: "correct it: yore config edit".into(),
        })?;
        entries.push(entry);
        Ok(())
    })
}

/// Removes the entry of this name, with the comments in it, and returns the new text.
///
/// # Errors
/// No entry has the name.
pub fn remove_entry(text: &str, list: &'static str, name: &str) -> Result<String, Refused> {
    change(text, |document| {
        let place = super::address::position(document, list, name)?;
        let entries = document.get_mut(list).and_then(Item::as_array_of_tables_mut);
        let Some(entries) = entries else { return Ok(()) };
        entries.remove(place);
        if entries.is_empty() {
            document.remove(list);
        }
        Ok(())
    })
}

/// Applies a change to a text; its line ends and the mark before it stay as they are.
fn change(
    text: &str,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), Refused>,
) -> Result<String, Refused> {
    // Editors of Windows write both.
    let unmarked = text.strip_prefix('\u{feff}');
    let body = unmarked.unwrap_or(text);
    let dos_lines = body.matches("\r\n").count();
    let is_dos = dos_lines > 0 && dos_lines == body.matches('\n').count();
    let body = if is_dos { body.replace("\r\n", "\n") } else { body.to_owned() };
    let mut document: DocumentMut = body.parse().map_err(|_| Refused {
        what: "the configuration can't be read".into(),
        hint: "correct it: yore config edit".into(),
    })?;
    change(&mut document)?;
    let mut changed = document.to_string();
    if is_dos {
        changed = changed.replace('\n', "\r\n");
    }
    Ok(if unmarked.is_some() { format!("\u{feff}{changed}") } else { changed })
}

/// Returns the table below another one, which is made where it is not there.
fn below<'t>(table: &'t mut dyn TableLike, name: &str) -> &'t mut dyn TableLike {
    let new = || {
        let mut table = Table::new();
        // It is written as `limit.upload = …` where the other keys are.
        table.set_dotted(true);
        Item::Table(table)
    };
    let item = table.entry(name).or_insert_with(new);
    item.as_table_like_mut().expect("a configuration without mistakes has a table there")
}

/// Makes a value of what was typed.
fn of_type(kind: Kind, typed: &[String]) -> Result<Value, String> {
    let one = || match typed {
        [one] => Ok(one),
        _ => Err(format!("takes one value: {}", kind.expected())),
    };
    let value = match kind {
        Kind::Bool => match one()?.as_str() {
            "true" | "yes" | "on" => Value::from(true),
            "false" | "no" | "off" => Value::from(false),
            other => return Err(format!("must be true or false, not {other:?}")),
        },
        Kind::Count => {
            let typed = one()?;
            let count = typed.parse::<u32>();
            let wrong = |_| format!("must be {}, not {typed:?}", kind.expected());
            Value::from(i64::from(count.map_err(wrong)?))
        }
        Kind::Rates if typed.len() == 1 => Value::from(one()?),
        Kind::Rates => Value::Array(typed.iter().collect()),
        kind if kind.is_array() => Value::Array(typed.iter().collect()),
        Kind::Table(_) | Kind::List(_) => return Err("is not a single value".into()),
        _ => Value::from(one()?),
    };
    value::check(kind, &value).map(|()| value)
}

fn field_value(field: &Field) -> Value {
    match field {
        Field::Text(text) => Value::from(text),
        Field::Texts(texts) => Value::Array(texts.iter().collect::<Array>()),
        Field::Bool(bool) => Value::from(*bool),
    }
}

/// Returns what can be typed for a value.
fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "true",
        Kind::Size => "4G",
        Kind::Count => "7",
        Kind::Percent => "5%",
        Kind::Duration => "30d",
        Kind::Rates => "'5 MB/s' '08:00-18:00 1 MB/s'",
        Kind::Path => "/etc/yore.key",
        Kind::Paths | Kind::SourcePaths => "~/Documents ~/Pictures",
        Kind::Patterns => "'*.o' '*.tmp'",
        Kind::FileNames => ".nobackup",
        Kind::Url => "/mnt/disk/backup",
        Kind::UnchangedBy => "size,mtime,ctime",
        Kind::Choice(words) => words[0],
        Kind::Text | Kind::Name | Kind::Command | Kind::Words => "VALUE",
        Kind::Table(_) | Kind::List(_) => "",
    }
}

/// Returns the names of the entries of a list.
pub fn names(text: &str, list: &str) -> Vec<String> {
    let document: DocumentMut = text.parse().unwrap_or_default();
    let entries = document.get(list).and_then(Item::as_array_of_tables);
    let name = |entry: &Table| entry.get(NAME)?.as_str().map(str::to_owned);
    entries.into_iter().flatten().filter_map(name).collect()
}
