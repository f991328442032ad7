//! Hadoop's `Writable`s: the values that sequence files hold.
//!
//! Their bytes do not say of which class they are; whoever has them says so. Those of the classes here are what Spark makes of
//! ordinary values. Numbers are most significant byte first.

mod decode;
mod display;
mod encode;
mod vint;

use std::str::FromStr;

use bytes::Bytes;
pub use decode::DecodeWritableError;
pub use encode::EncodeWritableError;
use serde::{Deserialize, Serialize};
pub(crate) use vint::{read_length, write_vlong};

/// A value of one of Hadoop's classes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Writable {
    /// `NullWritable`: nothing.
    Null,
    /// `BooleanWritable`
    Boolean(bool),
    /// `IntWritable`
    Int(i32),
    /// `LongWritable`
    Long(i64),
    /// `FloatWritable`
    Float(f32),
    /// `DoubleWritable`
    Double(f64),
    /// `Text`
    Text(String),
    /// `BytesWritable`
    Bytes(Bytes),
    /// `ArrayWritable`, which can be written only: its bytes do not say what its elements are.
    Array(Vec<Self>),
    /// `MapWritable`; keys must differ.
    Map(Vec<(Self, Self)>),
}

/// One of Hadoop's classes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum WritableClass {
    /// `NullWritable`
    Null,
    /// `BooleanWritable`
    Boolean,
    /// `IntWritable`
    Int,
    /// `LongWritable`
    Long,
    /// `FloatWritable`
    Float,
    /// `DoubleWritable`
    Double,
    /// `Text`
    Text,
    /// `BytesWritable`
    Bytes,
    /// `ArrayWritable`
    Array,
    /// `MapWritable`
    Map,
}

/// A class is not one of those here.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0} is none of the Writable classes that are built in: of org.apache.hadoop.io those are NullWritable, BooleanWritable, \
     IntWritable, LongWritable, FloatWritable, DoubleWritable, Text, BytesWritable, ArrayWritable and MapWritable"
)]
pub struct UnknownWritableError(pub String);

impl WritableClass {
    /// Every class.
    pub const ALL: [Self; 10] = [
        Self::Null,
        Self::Boolean,
        Self::Int,
        Self::Long,
        Self::Float,
        Self::Double,
        Self::Text,
        Self::Bytes,
        Self::Array,
        Self::Map,
    ];

    /// Its full name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "org.apache.hadoop.io.NullWritable",
            Self::Boolean => "org.apache.hadoop.io.BooleanWritable",
            Self::Int => "org.apache.hadoop.io.IntWritable",
            Self::Long => "org.apache.hadoop.io.LongWritable",
            Self::Float => "org.apache.hadoop.io.FloatWritable",
            Self::Double => "org.apache.hadoop.io.DoubleWritable",
            Self::Text => "org.apache.hadoop.io.Text",
            Self::Bytes => "org.apache.hadoop.io.BytesWritable",
            Self::Array => "org.apache.hadoop.io.ArrayWritable",
            Self::Map => "org.apache.hadoop.io.MapWritable",
        }
    }
}

impl FromStr for WritableClass {
    type Err = UnknownWritableError;

    /// Takes a full name.
    fn from_str(name: &str) -> Result<Self, UnknownWritableError> {
        let known = Self::ALL.into_iter().find(|class| class.name() == name);
        known.ok_or_else(|| UnknownWritableError(name.to_owned()))
    }
}

impl Writable {
    /// Its class.
    pub fn class(&self) -> WritableClass {
        match self {
            Self::Null => WritableClass::Null,
            Self::Boolean(_) => WritableClass::Boolean,
            Self::Int(_) => WritableClass::Int,
            Self::Long(_) => WritableClass::Long,
            Self::Float(_) => WritableClass::Float,
            Self::Double(_) => WritableClass::Double,
            Self::Text(_) => WritableClass::Text,
            Self::Bytes(_) => WritableClass::Bytes,
            Self::Array(_) => WritableClass::Array,
            Self::Map(_) => WritableClass::Map,
        }
    }
}

/// The classes that every `MapWritable` has a number for. Others get numbers from 1 on, which it says at its beginning.
const NUMBERED: [(WritableClass, i8); 9] = [
    (WritableClass::Array, -127),
    (WritableClass::Boolean, -126),
    (WritableClass::Bytes, -125),
    (WritableClass::Float, -124),
    (WritableClass::Int, -123),
    (WritableClass::Long, -122),
    (WritableClass::Map, -121),
    (WritableClass::Null, -119),
    (WritableClass::Text, -116),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_writable() -> impl Strategy<Value = Writable> {
        let leaf = prop_oneof![
            Just(Writable::Null),
            any::<bool>().prop_map(Writable::Boolean),
            any::<i32>().prop_map(Writable::Int),
            any::<i64>().prop_map(Writable::Long),
            any::<f32>().prop_filter("equal to itself", |n| !n.is_nan()).prop_map(Writable::Float),
            any::<f64>().prop_filter("equal to itself", |n| !n.is_nan()).prop_map(Writable::Double),
            any::<String>().prop_map(Writable::Text),
            any::<Vec<u8>>().prop_map(|bytes| Writable::Bytes(bytes.into())),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Writable::Map)
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in any_writable()) {
            let mut bytes = Vec::new();
            value.encode(&mut bytes).unwrap();
            prop_assert_eq!(Writable::decode(value.class(), &bytes).unwrap(), value);
        }

        /// Damage is an error or another value, never a panic or a large allocation.
        #[test]
        fn any_bytes_may_come(bytes: Vec<u8>) {
            for class in WritableClass::ALL {
                let _ = Writable::decode(class, &bytes);
            }
        }
    }

    #[test]
    fn bytes_as_hadoop_writes_them() {
        let check = |value: Writable, expected: &[u8]| {
            let mut bytes = Vec::new();
            value.encode(&mut bytes).unwrap();
            assert_eq!(bytes, expected, "{value:?}");
        };
        check(Writable::Null, b"");
        check(Writable::Boolean(true), b"\x01");
        check(Writable::Int(-2), b"\xff\xff\xff\xfe");
        check(Writable::Long(5), b"\0\0\0\0\0\0\0\x05");
        check(Writable::Float(1.5), b"\x3f\xc0\0\0");
        check(Writable::Double(1.5), b"\x3f\xf8\0\0\0\0\0\0");
        check(Writable::Text("\u{fc}".into()), b"\x02\xc3\xbc");
        check(Writable::Bytes("ab".into()), b"\0\0\0\x02ab");
        check(Writable::Array(vec![Writable::Int(1), Writable::Text("a".into())]), b"\0\0\0\x02\0\0\0\x01\x01a");
        check(Writable::Map(vec![(Writable::Int(1), Writable::Null)]), b"\0\0\0\0\x01\x85\0\0\0\x01\x89");
        let with_double =
            [&b"\x01\x01\0\x23org.apache.hadoop.io.DoubleWritable"[..], b"\0\0\0\x01\x01\x3f\xf8\0\0\0\0\0\0\x8c\x01a"];
        check(Writable::Map(vec![(Writable::Double(1.5), Writable::Text("a".into()))]), &with_double.concat());
    }
}
