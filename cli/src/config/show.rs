//! The configuration as objects, and single values of it.

use serde_json::{Map, Value as Json};
use toml_edit::{DocumentMut, Item, TableLike, Value};

use super::address::{Address, Refused};

/// Returns the configuration as an object: keys as in the file, lists as arrays.
pub fn to_json(text: &str) -> Json {
    let document: DocumentMut = text.parse().unwrap_or_default();
    of_table(document.as_table())
}

/// Returns the value of a key, `None` where it is not set.
///
/// # Errors
/// The key is not known, or its entry is not there.
pub fn get(text: &str, key: &str) -> Result<Option<Json>, Refused> {
    let document: DocumentMut = text.parse().unwrap_or_default();
    Ok(Address::parse(key)?.item(&document)?.map(of_item))
}

fn of_table(table: &dyn TableLike) -> Json {
    Json::Object(table.iter().map(|(key, item)| (key.to_owned(), of_item(item))).collect())
}

fn of_item(item: &Item) -> Json {
    match item {
        Item::None => Json::Null,
        Item::Value(value) => of_value(value),
        Item::Table(table) => of_table(table),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| of_table(table)).collect(),
    }
}

fn of_value(value: &Value) -> Json {
    match value {
        Value::String(text) => text.value().as_str().into(),
        Value::Integer(number) => (*number.value()).into(),
        Value::Float(number) => (*number.value()).into(),
        Value::Boolean(bool) => (*bool.value()).into(),
        Value::Datetime(date) => date.value().to_string().into(),
        Value::Array(array) => array.iter().map(of_value).collect(),
        Value::InlineTable(table) => {
            let fields = table.iter().map(|(key, value)| (key.to_owned(), of_value(value)));
            Json::Object(fields.collect::<Map<_, _>>())
        }
    }
}
