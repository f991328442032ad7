//! Python's pairs as Hadoop's keys and values, and the other way.

use bytes::Bytes;
use firesteel::{Records, Writable};
use firesteel_executor::TaskFailure;
use serde::{Deserialize, Serialize};

use crate::pickle::{Node, NodeId, Pickle, PickleError, Pickler};

/// Dictionaries and tuples in each other may be so deep.
const MAX_DEPTH: usize = 100;

/// What one key or value may take up when what occurs in it often is there as often: Hadoop has no numbers for more.
const MAX_SIZE: usize = i32::MAX as usize;

/// A batch that is smaller than this is followed by one of twice as many elements, and one that is larger than ten of it by one of half as
/// many, as in Spark.
const WANTED_BATCH: usize = 1 << 20;

/// An element cannot be written in a format of Hadoop's.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum ElementError {
    #[error("an element cannot be read")]
    Pickle(#[from] PickleError),
    #[error("Data of type {0} cannot be used")]
    Data(String),
    #[error("RDD element of type {0} cannot be used: pairs of key and value are wanted")]
    Element(String),
    #[error("an element is nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("a key or value has 2 GiB or more, which Hadoop's formats cannot hold")]
    TooLarge,
}

/// How many elements are pickled together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum BatchSize {
    /// By their size.
    Automatic,
    /// So many.
    Fixed(u32),
}

/// Pickled batches of pairs, as pairs.
pub(crate) fn unpickled(_: &(), batches: Records<Bytes>) -> Records<(Writable, Writable)> {
    Box::new(batches.flat_map(|batch| {
        let pairs = Batch::read(&batch);
        pairs.unwrap_or_else(|error| fail(&error)).map(|pair| pair.unwrap_or_else(|error| fail(&error)))
    }))
}

/// No attempt finds other elements.
fn fail(error: &ElementError) -> ! {
    TaskFailure::from_final_error(error).throw()
}

/// A batch whose pairs are made one by one.
#[derive(Debug)]
struct Batch {
    pickle: Pickle,
    elements: std::vec::IntoIter<NodeId>,
}

impl Batch {
    fn read(bytes: &Bytes) -> Result<Self, ElementError> {
        let pickle = Pickle::read(bytes)?;
        let elements = match pickle.node(pickle.top()) {
            Node::List(elements) => elements.clone().into_iter(),
            other => return Err(ElementError::Element(java_class(other))),
        };
        Ok(Self { pickle, elements })
    }
}

impl Iterator for Batch {
    type Item = Result<(Writable, Writable), ElementError>;

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.pickle.node(self.elements.next()?);
        let Node::Tuple(parts) = element else { return Some(Err(ElementError::Element(java_class(element)))) };
        let [key, value] = parts[..] else { return Some(Err(ElementError::Element(java_class(element)))) };
        let writable = |id| {
            let mut left = MAX_SIZE;
            writable(&self.pickle, id, 0, &mut left)
        };
        Some(writable(key).and_then(|key| Ok((key, writable(value)?))))
    }
}

fn writable(pickle: &Pickle, id: NodeId, depth: usize, left: &mut usize) -> Result<Writable, ElementError> {
    if depth == MAX_DEPTH {
        return Err(ElementError::TooDeep);
    }
    let node = pickle.node(id);
    let content = match node {
        Node::Text(content) | Node::Bytes(content) | Node::ByteArray(content) => content.len(),
        _ => 0,
    };
    *left = left.checked_sub(size_of::<Writable>() + content).ok_or(ElementError::TooLarge)?;
    let mut part = |id: &NodeId| writable(pickle, *id, depth + 1, left);
    Ok(match node {
        Node::None => Writable::Null,
        Node::Bool(value) => Writable::Boolean(*value),
        Node::Int(number) => i32::try_from(*number).map_or(Writable::Long(*number), Writable::Int),
        Node::Float(number) => Writable::Double(*number),
        Node::Text(text) => Writable::Text(String::from_utf8_lossy(text).into_owned()),
        // A copy, as the batch is larger than what is kept of it.
        Node::Bytes(bytes) | Node::ByteArray(bytes) => Writable::Bytes(Bytes::copy_from_slice(bytes)),
        Node::Tuple(elements) => Writable::Array(elements.iter().map(part).collect::<Result<_, _>>()?),
        Node::Dict(entries) => {
            let entries = entries.iter().map(|(key, value)| Ok((part(key)?, part(value)?)));
            Writable::Map(entries.collect::<Result<_, ElementError>>()?)
        }
        other => return Err(ElementError::Data(java_class(other))),
    })
}

/// What Spark calls a value of Python's, as it is a value of Java's there; objects of other classes by Python's name.
fn java_class(node: &Node) -> String {
    let name = match node {
        Node::None => "null",
        Node::Bool(_) => "java.lang.Boolean",
        Node::Int(number) if i32::try_from(*number).is_ok() => "java.lang.Integer",
        Node::Int(_) => "java.lang.Long",
        Node::BigInt => "java.math.BigInteger",
        Node::Float(_) => "java.lang.Double",
        Node::Text(_) => "java.lang.String",
        Node::Bytes(_) | Node::ByteArray(_) => "[B",
        Node::Tuple(_) => "[Ljava.lang.Object;",
        Node::List(_) => "java.util.ArrayList",
        Node::Dict(_) => "java.util.HashMap",
        Node::Set => "java.util.HashSet",
        Node::Global(name) | Node::Object(name) => name,
    };
    name.to_owned()
}

/// Pairs as pickled batches.
pub(crate) fn pickled(size: &BatchSize, mut pairs: Records<(Writable, Writable)>) -> Records<Bytes> {
    let size = *size;
    let mut count = match size {
        BatchSize::Automatic => 1,
        BatchSize::Fixed(count) => count as usize,
    };
    Box::new(std::iter::from_fn(move || {
        let first = pairs.next()?;
        let mut pickler = Pickler::new();
        pickler.begin_list();
        for (key, value) in std::iter::once(first).chain(pairs.by_ref().take(count - 1)) {
            pickler.begin_tuple();
            pickle(&key, &mut pickler);
            pickle(&value, &mut pickler);
            pickler.end_tuple();
        }
        pickler.end_list();
        let batch = pickler.finish();
        if size == BatchSize::Automatic {
            if batch.len() < WANTED_BATCH {
                count *= 2;
            } else if batch.len() > 10 * WANTED_BATCH && count > 1 {
                count /= 2;
            }
        }
        Some(batch)
    }))
}

fn pickle(value: &Writable, pickler: &mut Pickler) {
    match value {
        Writable::Null => pickler.none(),
        Writable::Boolean(value) => pickler.bool(*value),
        Writable::Int(number) => pickler.int((*number).into()),
        Writable::Long(number) => pickler.int(*number),
        Writable::Float(number) => pickler.float((*number).into()),
        Writable::Double(number) => pickler.float(*number),
        Writable::Text(text) => pickler.text(text),
        Writable::Bytes(bytes) => pickler.bytearray(bytes),
        Writable::Array(elements) => {
            pickler.begin_tuple();
            elements.iter().for_each(|element| pickle(element, pickler));
            pickler.end_tuple();
        }
        Writable::Map(entries) => {
            pickler.begin_dict();
            for (key, value) in entries {
                pickle(key, pickler);
                pickle(value, pickler);
            }
            pickler.end_dict();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8]) -> Result<Vec<(Writable, Writable)>, ElementError> {
        Batch::read(&Bytes::from_static(bytes))?.collect()
    }

    #[test]
    fn pairs_of_python_become_keys_and_values() {
        // [(1, {"a": 2**40, 1.5: (True, None)})]
        let batch = b"\x80\x05](K\x01}(\x8c\x01a\x8a\x06\0\0\0\0\0\x01G?\xf8\0\0\0\0\0\0\x88N\x86u\x86e.";
        let map = Writable::Map(vec![
            (Writable::Text("a".into()), Writable::Long(1 << 40)),
            (Writable::Double(1.5), Writable::Array(vec![Writable::Boolean(true), Writable::Null])),
        ]);
        assert_eq!(read(batch).unwrap(), [(Writable::Int(1), map)]);
    }

    #[test]
    fn other_elements_are_refused_by_their_class() {
        let data = |class: &str| Err(ElementError::Data(class.to_owned()));
        let element = |class: &str| Err(ElementError::Element(class.to_owned()));
        assert_eq!(read(b"\x80\x05](K\x01]\x86e."), data("java.util.ArrayList"));
        assert_eq!(read(b"\x80\x05](K\x01\x8f\x86e."), data("java.util.HashSet"));
        assert_eq!(read(b"\x80\x05](K\x01cdatetime\ndate\n)R\x86e."), data("datetime.date"));
        assert_eq!(read(b"\x80\x05](K\x01e."), element("java.lang.Integer"));
        assert_eq!(read(b"\x80\x05](K\x01K\x01K\x01\x87e."), element("[Ljava.lang.Object;"));
        assert_eq!(read(b"K\x01."), element("java.lang.Integer"));
    }

    #[test]
    fn what_contains_itself_or_doubles_has_an_end() {
        // d = {}; d[1] = d; [(1, d)]
        assert_eq!(read(b"\x80\x05](K\x01}\x94K\x01h\0s\x86e."), Err(ElementError::TooDeep));
        // Every tuple holds the one before twice.
        let mut bytes = b"\x80\x05](K\x01)\x94".to_vec();
        for _ in 0..60 {
            bytes.extend_from_slice(b"2\x86");
        }
        bytes.extend_from_slice(b"\x86e.");
        let batch = Batch::read(&bytes.into()).unwrap();
        let Node::Tuple(pair) = batch.pickle.node(batch.elements.as_slice()[0]) else { panic!("{batch:?}") };
        let mut left = 10_000;
        assert_eq!(writable(&batch.pickle, pair[1], 0, &mut left), Err(ElementError::TooLarge));
    }

    #[test]
    fn batches_have_the_size_that_was_asked_for_or_grow() {
        let pairs = || (0..100).map(|number| (Writable::Int(number), Writable::Null));
        let lengths = |size| {
            let batches = pickled(&size, Box::new(pairs()));
            let lengths = batches.map(|batch| unpickled(&(), Box::new(std::iter::once(batch))).count());
            lengths.collect::<Vec<_>>()
        };
        assert_eq!(lengths(BatchSize::Fixed(40)), [40, 40, 20]);
        assert_eq!(lengths(BatchSize::Automatic), [1, 2, 4, 8, 16, 32, 37]);
        let again: Vec<_> = unpickled(&(), pickled(&BatchSize::Automatic, Box::new(pairs()))).collect();
        assert_eq!(again, pairs().collect::<Vec<_>>());
    }
}
