//! Field tables with their tags spelled out (reference: 8), so that a test shows what is on the wire.

/// A field value; each variant is named by its tag on the wire.
#[derive(Clone, Debug, PartialEq)]
#[allow(non_camel_case_types, reason = "the names are the tags, and upper and lower case differ")]
pub enum Value {
    t(bool),
    b(i8),
    B(u8),
    s(i16),
    u(u16),
    I(i32),
    i(u32),
    l(i64),
    L(u64),
    f(f32),
    d(f64),
    D(u8, u32),
    S(Vec<u8>),
    x(Vec<u8>),
    T(u64),
    F(Table),
    A(Vec<Self>),
    V,
}

/// A field table: names and values in wire order, duplicates and all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(pub Vec<(Vec<u8>, Value)>);

/// A long string.
#[allow(non_snake_case, reason = "it is named by its tag")]
pub fn S(text: impl AsRef<[u8]>) -> Value {
    Value::S(text.as_ref().to_vec())
}

/// A table of these entries.
pub fn args<const N: usize>(entries: [(&str, Value); N]) -> Table {
    Table(entries.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value)).collect())
}

impl Table {
    /// The value under a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value)
    }

    /// The names in wire order.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    /// The table as it stands on the wire, length first.
    pub fn encode(&self) -> Vec<u8> {
        let mut pairs = Vec::new();
        for (name, value) in &self.0 {
            pairs.push(name.len() as u8);
            pairs.extend_from_slice(name);
            value.encode(&mut pairs);
        }
        with_length(&pairs)
    }

    /// Reads a table, length first, and leaves the rest in `bytes`.
    pub fn decode(bytes: &mut &[u8]) -> Self {
        let length = u32::from_be_bytes(take(bytes)) as usize;
        let (mut pairs, rest) = bytes.split_at(length);
        *bytes = rest;
        let mut table = Self::default();
        while !pairs.is_empty() {
            let name = short_string(&mut pairs);
            let value = Value::decode(&mut pairs);
            table.0.push((name, value));
        }
        table
    }
}

impl Value {
    /// Appends the tag and the value.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (tag, payload) = match self {
            Self::t(v) => (b't', vec![u8::from(*v)]),
            Self::b(v) => (b'b', v.to_be_bytes().to_vec()),
            Self::B(v) => (b'B', vec![*v]),
            Self::s(v) => (b's', v.to_be_bytes().to_vec()),
            Self::u(v) => (b'u', v.to_be_bytes().to_vec()),
            Self::I(v) => (b'I', v.to_be_bytes().to_vec()),
            Self::i(v) => (b'i', v.to_be_bytes().to_vec()),
            Self::l(v) => (b'l', v.to_be_bytes().to_vec()),
            Self::L(v) => (b'L', v.to_be_bytes().to_vec()),
            Self::f(v) => (b'f', v.to_be_bytes().to_vec()),
            Self::d(v) => (b'd', v.to_be_bytes().to_vec()),
            Self::D(scale, v) => (b'D', [&[*scale][..], &v.to_be_bytes()].concat()),
            Self::S(v) => (b'S', with_length(v)),
            Self::x(v) => (b'x', with_length(v)),
            Self::T(v) => (b'T', v.to_be_bytes().to_vec()),
            Self::F(v) => (b'F', v.encode()),
            Self::A(values) => {
                let mut items = Vec::new();
                values.iter().for_each(|value| value.encode(&mut items));
                (b'A', with_length(&items))
            }
            Self::V => (b'V', Vec::new()),
        };
        out.push(tag);
        out.extend_from_slice(&payload);
    }

    /// Reads a tag and its value.
    pub fn decode(bytes: &mut &[u8]) -> Self {
        let [tag] = take(bytes);
        match tag {
            b't' => Self::t(take::<1>(bytes)[0] != 0),
            b'b' => Self::b(i8::from_be_bytes(take(bytes))),
            b'B' => Self::B(u8::from_be_bytes(take(bytes))),
            b's' => Self::s(i16::from_be_bytes(take(bytes))),
            b'u' => Self::u(u16::from_be_bytes(take(bytes))),
            b'I' => Self::I(i32::from_be_bytes(take(bytes))),
            b'i' => Self::i(u32::from_be_bytes(take(bytes))),
            b'l' => Self::l(i64::from_be_bytes(take(bytes))),
            b'L' => Self::L(u64::from_be_bytes(take(bytes))),
            b'f' => Self::f(f32::from_be_bytes(take(bytes))),
            b'd' => Self::d(f64::from_be_bytes(take(bytes))),
            b'D' => Self::D(take::<1>(bytes)[0], u32::from_be_bytes(take(bytes))),
            b'S' => Self::S(long_string(bytes)),
            b'x' => Self::x(long_string(bytes)),
            b'T' => Self::T(u64::from_be_bytes(take(bytes))),
            b'F' => Self::F(Table::decode(bytes)),
            b'A' => {
                let items = long_string(bytes);
                let mut items = items.as_slice();
                let mut values = Vec::new();
                while !items.is_empty() {
                    values.push(Self::decode(&mut items));
                }
                Self::A(values)
            }
            b'V' => Self::V,
            other => panic!("unknown field tag {:?}", other as char),
        }
    }

    /// The text of a long string.
    pub fn text(&self) -> String {
        match self {
            Self::S(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("not a long string: {other:?}"),
        }
    }
}

/// The bytes behind their length in four bytes.
pub fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// The next `N` bytes.
pub fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (head, rest) = bytes.split_at(N);
    *bytes = rest;
    head.try_into().expect("split at N")
}

/// A short string's bytes.
pub fn short_string(bytes: &mut &[u8]) -> Vec<u8> {
    let [length] = take(bytes);
    let (text, rest) = bytes.split_at(length as usize);
    *bytes = rest;
    text.to_vec()
}

fn long_string(bytes: &mut &[u8]) -> Vec<u8> {
    let length = u32::from_be_bytes(take(bytes)) as usize;
    let (text, rest) = bytes.split_at(length);
    *bytes = rest;
    text.to_vec()
}
