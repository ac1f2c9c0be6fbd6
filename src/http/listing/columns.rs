//! The columns of a list that are asked for: everything else is passed over while an item is written, and costs next to nothing.

use serde::ser::{Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::http::request::Request;

/// What `columns=` asks for: keys, and keys of objects within an item, `message_stats.publish`.
#[derive(Debug)]
pub(super) struct Columns<'a>(Vec<&'a str>);

impl<'a> Columns<'a> {
    /// Nothing if all of them are.
    pub(super) fn of(request: &'a Request<'_>) -> Option<Self> {
        request.parameter("columns").map(|columns| Self(columns.split(',').collect()))
    }

    /// As if one column were asked for.
    pub(super) fn only(column: &'a str) -> Self {
        Self(vec![column])
    }

    fn choice(&self, key: &str) -> Choice {
        let is_within = |column: &&str| column.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        if self.0.contains(&key) {
            Choice::Whole
        } else if self.0.iter().any(is_within) {
            Choice::Within
        } else {
            Choice::Nothing
        }
    }

    /// What is asked for of an object within the item.
    fn within(&self, key: &str, value: &Value) -> Map<String, Value> {
        let mut kept = Map::new();
        for column in &self.0 {
            if let Some(path) = column.strip_prefix(key).and_then(|rest| rest.strip_prefix('.')) {
                copy(value, path, &mut kept);
            }
        }
        kept
    }
}

fn copy(from: &Value, path: &str, to: &mut Map<String, Value>) {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let Some(value) = from.get(key) else { return };
    match rest {
        None => {
            to.insert(key.to_owned(), value.clone());
        }
        Some(rest) => {
            let mut inner = match to.remove(key) {
                Some(Value::Object(inner)) => inner,
                Some(_) | None => Map::new(),
            };
            copy(value, rest, &mut inner);
            if !inner.is_empty() {
                to.insert(key.to_owned(), Value::Object(inner));
            }
        }
    }
}

/// Whether a key is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Whole,
    /// Keys of its object are.
    Within,
    Nothing,
}

/// An item with the columns that are asked for, or with all of them. With none of them left it is an empty list, as RabbitMQ gives it.
#[derive(Debug)]
pub(super) struct Selected<'a, T> {
    pub(super) columns: Option<&'a Columns<'a>>,
    pub(super) item: T,
}

impl<T: Serialize> Serialize for Selected<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.columns {
            Some(columns) => self.item.serialize(Selecting { columns, serializer }),
            None => self.item.serialize(serializer),
        }
    }
}

/// Writes an object without what is not asked for.
struct Selecting<'a, S> {
    columns: &'a Columns<'a>,
    serializer: S,
}

/// An object of which nothing was written yet, or the open one.
enum Out<S: Serializer> {
    Before(S),
    Open(S::SerializeMap),
    /// What was to be opened could not be.
    Failed,
}

struct SelectedEntries<'a, S: Serializer> {
    columns: &'a Columns<'a>,
    out: Out<S>,
    /// The key whose value comes next, if it is asked for.
    key: Option<(String, Choice)>,
}

impl<S: Serializer> SelectedEntries<'_, S> {
    fn open(&mut self) -> Result<&mut S::SerializeMap, S::Error> {
        if let Out::Before(_) = &self.out
            && let Out::Before(serializer) = std::mem::replace(&mut self.out, Out::Failed)
        {
            self.out = Out::Open(serializer.serialize_map(None)?);
        }
        match &mut self.out {
            Out::Open(map) => Ok(map),
            Out::Before(_) | Out::Failed => Err(S::Error::custom("the object could not be begun")),
        }
    }

    fn entry<V: Serialize + ?Sized>(&mut self, key: &str, choice: Choice, value: &V) -> Result<(), S::Error> {
        match choice {
            Choice::Nothing => Ok(()),
            Choice::Whole => self.open()?.serialize_entry(key, value),
            Choice::Within => {
                let value = serde_json::to_value(value).map_err(S::Error::custom)?;
                let kept = self.columns.within(key, &value);
                if kept.is_empty() { Ok(()) } else { self.open()?.serialize_entry(key, &kept) }
            }
        }
    }

    fn close(self) -> Result<S::Ok, S::Error> {
        match self.out {
            Out::Open(map) => map.end(),
            Out::Before(serializer) => nothing(serializer),
            Out::Failed => Err(S::Error::custom("the object could not be begun")),
        }
    }
}

fn nothing<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_seq(Some(0))?.end()
}

impl<S: Serializer> SerializeMap for SelectedEntries<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Self::Error> {
        let key = key.serialize(KeyText(str::to_owned)).map_err(S::Error::custom)?;
        let choice = self.columns.choice(&key);
        self.key = Some((key, choice)).filter(|_| choice != Choice::Nothing);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        self.key.take().map_or(Ok(()), |(key, choice)| self.entry(&key, choice, value))
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Self::Error> {
        // Most keys are not asked for: they are not even copied.
        let columns = self.columns;
        let choice = key.serialize(KeyText(|key: &str| columns.choice(key))).map_err(S::Error::custom)?;
        if choice == Choice::Nothing {
            return Ok(());
        }
        let key = key.serialize(KeyText(str::to_owned)).map_err(S::Error::custom)?;
        self.entry(&key, choice, value)
    }

    fn end(self) -> Result<Self::Ok, Self::Error> {
        self.close()
    }
}

impl<S: Serializer> SerializeStruct for SelectedEntries<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Self::Error> {
        self.entry(key, self.columns.choice(key), value)
    }

    fn end(self) -> Result<Self::Ok, Self::Error> {
        self.close()
    }
}

/// What has no columns: an item that is no object is nothing once columns are asked for.
macro_rules! without_columns {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, _: $type) -> Result<Self::Ok, Self::Error> {
            self.refuse()
        })*
    };
}

/// Everything of a serializer that is no object, and no key.
macro_rules! only_scalars {
    () => {
        type SerializeSeq = Impossible<Self::Ok, Self::Error>;
        type SerializeTuple = Impossible<Self::Ok, Self::Error>;
        type SerializeTupleStruct = Impossible<Self::Ok, Self::Error>;
        type SerializeTupleVariant = Impossible<Self::Ok, Self::Error>;
        type SerializeStructVariant = Impossible<Self::Ok, Self::Error>;

        without_columns! {
            serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
            serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_f32: f32,
            serialize_f64: f64, serialize_char: char, serialize_bytes: &[u8], serialize_unit_struct: &'static str,
        }

        fn serialize_none(self) -> Result<Self::Ok, Self::Error> {
            self.refuse()
        }

        fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Self::Ok, Self::Error> {
            value.serialize(self)
        }

        fn serialize_unit(self) -> Result<Self::Ok, Self::Error> {
            self.refuse()
        }

        fn serialize_newtype_struct<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            value: &T,
        ) -> Result<Self::Ok, Self::Error> {
            value.serialize(self)
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<Self::Ok, Self::Error> {
            self.refuse()
        }

        fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Self::Error> {
            Err(Self::Error::custom("a list has no columns"))
        }

        fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Self::Error> {
            Err(Self::Error::custom("a list has no columns"))
        }

        fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Self::Error> {
            Err(Self::Error::custom("a list has no columns"))
        }

        fn serialize_tuple_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleVariant, Self::Error> {
            Err(Self::Error::custom("a list has no columns"))
        }

        fn serialize_struct_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeStructVariant, Self::Error> {
            Err(Self::Error::custom("a variant has no columns"))
        }
    };
}

impl<S: Serializer> Selecting<'_, S> {
    fn refuse(self) -> Result<S::Ok, S::Error> {
        nothing(self.serializer)
    }
}

impl<'a, S: Serializer> Serializer for Selecting<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeMap = SelectedEntries<'a, S>;
    type SerializeStruct = SelectedEntries<'a, S>;

    only_scalars!();

    fn serialize_str(self, _: &str) -> Result<Self::Ok, Self::Error> {
        self.refuse()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<Self::Ok, Self::Error> {
        self.refuse()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        Ok(SelectedEntries { columns: self.columns, out: Out::Before(self.serializer), key: None })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Self::Error> {
        Ok(SelectedEntries { columns: self.columns, out: Out::Before(self.serializer), key: None })
    }
}

/// Does something with the text of a key.
struct KeyText<F>(F);

impl<R, F: FnOnce(&str) -> R> KeyText<F> {
    fn refuse(self) -> Result<R, serde_json::Error> {
        Err(serde_json::Error::custom("a key is a text"))
    }
}

impl<R, F: FnOnce(&str) -> R> Serializer for KeyText<F> {
    type Ok = R;
    type Error = serde_json::Error;
    type SerializeMap = Impossible<R, serde_json::Error>;
    type SerializeStruct = Impossible<R, serde_json::Error>;

    only_scalars!();

    fn serialize_str(self, key: &str) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(key))
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, key: &'static str) -> Result<Self::Ok, Self::Error> {
        Ok((self.0)(key))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        Err(serde_json::Error::custom("a key is a text"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Self::Error> {
        Err(serde_json::Error::custom("a key is a text"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Item {
        name: &'static str,
        depth: u64,
        #[serde(flatten)]
        more: Option<More>,
        absent: Option<u64>,
    }

    #[derive(Serialize)]
    struct More {
        stats: Map<String, Value>,
        rates: Vec<f64>,
    }

    fn item() -> Item {
        let stats = json!({ "publish": 1, "publish_details": { "rate": 0.5, "avg": 2.0 }, "ack": 3 });
        let more = Some(More { stats: stats.as_object().cloned().unwrap_or_default(), rates: vec![1.5] });
        Item { name: "q", depth: 7, more, absent: None }
    }

    fn selected(columns: &str) -> String {
        let columns = Columns(columns.split(',').collect());
        serde_json::to_string(&Selected { columns: Some(&columns), item: item() }).unwrap()
    }

    #[test]
    fn what_is_asked_for_is_written_and_nothing_else() {
        assert_eq!(selected("depth,name"), r#"{"name":"q","depth":7}"#);
        assert_eq!(selected("rates,unknown,absent"), r#"{"rates":[1.5],"absent":null}"#);
        assert_eq!(
            selected("stats.publish_details.rate,stats.ack"),
            r#"{"stats":{"ack":3,"publish_details":{"rate":0.5}}}"#
        );
        assert_eq!(
            selected("stats.ack,stats"),
            serde_json::to_string(&json!({ "stats": item().more.unwrap().stats })).unwrap()
        );
        assert_eq!(selected("stats.unknown,name.x,"), "[]");
        assert_eq!(selected(""), "[]");
        let columns = Columns(vec!["name"]);
        assert_eq!(serde_json::to_string(&Selected { columns: Some(&columns), item: 7 }).unwrap(), "[]");
        assert!(serde_json::to_string(&Selected { columns: None, item: item() }).unwrap().contains("\"depth\":7"));
    }

    /// The item that columns are picked from once it is there as a whole.
    fn picked(columns: &[&str]) -> Value {
        let whole = serde_json::to_value(item()).unwrap();
        let mut kept = Map::new();
        columns.iter().for_each(|column| copy(&whole, column, &mut kept));
        if kept.is_empty() { Value::Array(Vec::new()) } else { Value::Object(kept) }
    }

    proptest! {
        #[test]
        fn writing_them_is_picking_them(
            columns in prop::sample::subsequence(vec![
                "name", "depth", "stats.publish", "stats.publish_details.rate", "stats.publish_details", "rates", "absent",
                "unknown", "stats.unknown.more", "rates.0", "stats.ack", "", "name.x", "st",
            ], 0..8).prop_shuffle(),
        ) {
            // A column within one that is no object takes that away where picking was in this order; asked for, it is there.
            prop_assume!(!(columns.contains(&"name") && columns.contains(&"name.x")));
            prop_assume!(!(columns.contains(&"rates") && columns.contains(&"rates.0")));
            prop_assume!(!(columns.contains(&"stats.publish_details") && columns.contains(&"stats.publish_details.rate")));
            let text = columns.join(",");
            let columns: Vec<_> = text.split(',').collect();
            let written: Value = serde_json::from_str(&selected(&text)).unwrap();
            prop_assert_eq!(written, picked(&columns));
        }
    }
}
