//! Writing a pickle of protocol 5.

use bytes::Bytes;

/// Writes one value, part by part: what is in a collection comes between its begin and its end.
#[derive(Debug)]
pub(crate) struct Pickler(Vec<u8>);

impl Pickler {
    pub(crate) fn new() -> Self {
        Self(vec![0x80, 5])
    }

    pub(crate) fn none(&mut self) {
        self.0.push(b'N');
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.0.push(if value { 0x88 } else { 0x89 });
    }

    pub(crate) fn int(&mut self, number: i64) {
        if let Ok(small) = i32::try_from(number) {
            self.0.push(b'J');
            self.0.extend_from_slice(&small.to_le_bytes());
        } else {
            self.0.extend_from_slice(&[0x8a, 8]);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub(crate) fn float(&mut self, number: f64) {
        self.0.push(b'G');
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.content(0x8d, text.as_bytes());
    }

    pub(crate) fn bytearray(&mut self, bytes: &[u8]) {
        self.content(0x96, bytes);
    }

    fn content(&mut self, operation: u8, content: &[u8]) {
        self.0.push(operation);
        self.0.extend_from_slice(&(content.len() as u64).to_le_bytes());
        self.0.extend_from_slice(content);
    }

    pub(crate) fn begin_list(&mut self) {
        self.0.extend_from_slice(b"](");
    }

    pub(crate) fn end_list(&mut self) {
        self.0.push(b'e');
    }

    pub(crate) fn begin_tuple(&mut self) {
        self.0.push(b'(');
    }

    pub(crate) fn end_tuple(&mut self) {
        self.0.push(b't');
    }

    /// Keys and values follow in turn.
    pub(crate) fn begin_dict(&mut self) {
        self.0.extend_from_slice(b"}(");
    }

    pub(crate) fn end_dict(&mut self) {
        self.0.push(b'u');
    }

    pub(crate) fn finish(mut self) -> Bytes {
        self.0.push(b'.');
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pickle::{Node, Pickle};

    #[test]
    fn what_is_written_is_read() {
        let mut pickler = Pickler::new();
        pickler.begin_list();
        pickler.int(-1);
        pickler.int(1 << 40);
        pickler.begin_tuple();
        pickler.text("\u{fc}");
        pickler.bytearray(b"b");
        pickler.end_tuple();
        pickler.begin_dict();
        pickler.none();
        pickler.float(0.5);
        pickler.end_dict();
        pickler.bool(false);
        pickler.end_list();
        let pickle = Pickle::read(&pickler.finish()).unwrap();
        let Node::List(elements) = pickle.node(pickle.top()) else { panic!("{pickle:?}") };
        let [first, second, tuple, dict, last] = elements[..] else { panic!("{pickle:?}") };
        assert_eq!((pickle.node(first), pickle.node(second)), (&Node::Int(-1), &Node::Int(1 << 40)));
        let Node::Tuple(parts) = pickle.node(tuple) else { panic!("{pickle:?}") };
        assert_eq!(pickle.node(parts[0]), &Node::Text("\u{fc}".into()));
        assert_eq!(pickle.node(parts[1]), &Node::ByteArray("b".into()));
        let Node::Dict(entries) = pickle.node(dict) else { panic!("{pickle:?}") };
        assert_eq!((pickle.node(entries[0].0), pickle.node(entries[0].1)), (&Node::None, &Node::Float(0.5)));
        assert_eq!(pickle.node(last), &Node::Bool(false));
    }
}
