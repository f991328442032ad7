//! Reading a pickle of protocols 2 to 5.
//!
//! Values go into one table and refer to each other by their places in it, as pickles do by their memo: what occurs often is there once,
//! and what contains itself is no endless value. So the table is bounded by the pickle's length.

use std::collections::HashMap;

use bytes::{Buf, Bytes};

/// The place of a value in [`Pickle`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NodeId(u32);

/// A value, whose parts are elsewhere in the table.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// A number that has more than 64 bits.
    BigInt,
    Float(f64),
    /// UTF-8, in which Python may have put halves of pairs.
    Text(Bytes),
    Bytes(Bytes),
    ByteArray(Bytes),
    Tuple(Vec<NodeId>),
    List(Vec<NodeId>),
    Dict(Vec<(NodeId, NodeId)>),
    Set,
    /// A class or function, by its full name.
    Global(String),
    /// An object of that class.
    Object(String),
}

/// Bytes are no pickle that can be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum PickleError {
    #[error("a pickle is cut off at byte {0}")]
    CutOff(usize),
    #[error("a pickle is malformed at byte {0}")]
    Malformed(usize),
    #[error("a pickle has the operation {operation:#04x} at byte {position}, which is not built in")]
    Operation { operation: u8, position: usize },
}

/// A pickle that was read.
#[derive(Debug)]
pub(crate) struct Pickle {
    nodes: Vec<Node>,
    top: NodeId,
}

impl Pickle {
    /// Reads a pickle.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, PickleError> {
        let length = bytes.len();
        let mut machine = Machine { input: bytes.clone(), length, ..Machine::default() };
        loop {
            if let Some(top) = machine.step()? {
                return Ok(Self { nodes: machine.nodes, top });
            }
        }
    }

    /// The value as a whole.
    pub(crate) fn top(&self) -> NodeId {
        self.top
    }

    /// A value.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

#[derive(Default)]
struct Machine {
    input: Bytes,
    length: usize,
    nodes: Vec<Node>,
    stack: Vec<NodeId>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, NodeId>,
}

impl Machine {
    /// Performs one operation; the value, if that was the last.
    fn step(&mut self) -> Result<Option<NodeId>, PickleError> {
        let position = self.position();
        let operation = self.byte()?;
        match operation {
            b'.' => return self.pop().map(Some),
            // What protocol it is shows in its operations; frames only say how to read a file.
            0x80 => drop(self.byte()?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.peek()?;
                self.stack.push(top);
            }
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'J' => {
                let number = self.take(4)?.get_i32_le();
                self.push(Node::Int(number.into()));
            }
            b'K' => {
                let number = self.byte()?;
                self.push(Node::Int(number.into()));
            }
            b'M' => {
                let number = self.take(2)?.get_u16_le();
                self.push(Node::Int(number.into()));
            }
            0x8a => {
                let length = self.byte()?;
                self.long(length.into())?;
            }
            0x8b => {
                let length = self.length_32()?;
                self.long(length)?;
            }
            b'G' => {
                let number = self.take(8)?.get_f64();
                self.push(Node::Float(number));
            }
            0x8c | b'C' => {
                let length = self.byte()?;
                self.content(operation, length.into())?;
            }
            b'X' | b'B' => {
                let length = self.length_32()?;
                self.content(operation, length)?;
            }
            0x8d | 0x8e | 0x96 => {
                let length = self.take(8)?.get_u64_le();
                let length = usize::try_from(length).map_err(|_| PickleError::CutOff(position))?;
                self.content(operation, length)?;
            }
            b')' => self.push(Node::Tuple(Vec::new())),
            b't' => {
                let elements = self.pop_mark()?;
                self.push(Node::Tuple(elements));
            }
            0x85..=0x87 => {
                let begin = self.stack.len().checked_sub(usize::from(operation - 0x84));
                let begin = begin.filter(|begin| *begin >= self.floor()).ok_or(PickleError::Malformed(position))?;
                let elements = self.stack.split_off(begin);
                self.push(Node::Tuple(elements));
            }
            b']' => self.push(Node::List(Vec::new())),
            b'a' => {
                let element = self.pop()?;
                self.extend_list(vec![element])?;
            }
            b'e' => {
                let elements = self.pop_mark()?;
                self.extend_list(elements)?;
            }
            b'}' => self.push(Node::Dict(Vec::new())),
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(&[key, value])?;
            }
            b'u' => {
                let entries = self.pop_mark()?;
                self.extend_dict(&entries)?;
            }
            0x8f => self.push(Node::Set),
            0x90 => drop(self.pop_mark()?),
            0x91 => {
                self.pop_mark()?;
                self.push(Node::Set);
            }
            0x94 => {
                let index = u32::try_from(self.memo.len()).map_err(|_| PickleError::Malformed(position))?;
                self.memoize(index)?;
            }
            b'q' => {
                let index = self.byte()?;
                self.memoize(index.into())?;
            }
            b'r' => {
                let index = self.take(4)?.get_u32_le();
                self.memoize(index)?;
            }
            b'h' => {
                let index = self.byte()?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = self.take(4)?.get_u32_le();
                self.recall(index)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Node::Global(format!("{module}.{name}")));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |id: NodeId| match &self.nodes[id.0 as usize] {
                    Node::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
                    _ => Err(PickleError::Malformed(position)),
                };
                let global = format!("{}.{}", text(module)?, text(name)?);
                self.push(Node::Global(global));
            }
            b'R' | 0x81 => self.object(1)?,
            0x92 => self.object(2)?,
            // The state of an object, of which only its class is known.
            b'b' => drop(self.pop()?),
            operation => return Err(PickleError::Operation { operation, position }),
        }
        Ok(None)
    }

    fn position(&self) -> usize {
        self.length - self.input.len()
    }

    fn take(&mut self, length: usize) -> Result<Bytes, PickleError> {
        if length > self.input.len() {
            return Err(PickleError::CutOff(self.length));
        }
        Ok(self.input.split_to(length))
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        Ok(self.take(1)?.get_u8())
    }

    fn length_32(&mut self) -> Result<usize, PickleError> {
        Ok(self.take(4)?.get_u32_le() as usize)
    }

    fn line(&mut self) -> Result<String, PickleError> {
        let end = self.input.iter().position(|byte| *byte == b'\n').ok_or(PickleError::CutOff(self.length))?;
        let line = self.take(end + 1)?;
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    /// A number of so many bytes, least significant first, negative if its last bit is set.
    fn long(&mut self, length: usize) -> Result<(), PickleError> {
        let bytes = self.take(length)?;
        let is_negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut number = [if is_negative { 0xff } else { 0 }; 8];
        let node = if let Some(number) = number.get_mut(..length) {
            number.copy_from_slice(&bytes);
            None
        } else {
            Some(Node::BigInt)
        };
        self.push(node.unwrap_or(Node::Int(i64::from_le_bytes(number))));
        Ok(())
    }

    fn content(&mut self, operation: u8, length: usize) -> Result<(), PickleError> {
        let content = self.take(length)?;
        self.push(match operation {
            b'C' | b'B' | 0x8e => Node::Bytes(content),
            0x96 => Node::ByteArray(content),
            _ => Node::Text(content),
        });
        Ok(())
    }

    fn push(&mut self, node: Node) {
        // A pickle of 4 GiB of operations does not fit into a frame.
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        self.stack.push(id);
    }

    /// What lies below the last mark is not to be touched.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or_default()
    }

    fn peek(&self) -> Result<NodeId, PickleError> {
        let top = self.stack.last().copied().filter(|_| self.stack.len() > self.floor());
        top.ok_or(PickleError::Malformed(self.position()))
    }

    fn pop(&mut self) -> Result<NodeId, PickleError> {
        let top = self.peek()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<NodeId>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Malformed(self.position()))?;
        Ok(self.stack.split_off(mark))
    }

    fn extend_list(&mut self, elements: Vec<NodeId>) -> Result<(), PickleError> {
        let (list, position) = (self.peek()?, self.position());
        match &mut self.nodes[list.0 as usize] {
            Node::List(list) => list.extend(elements),
            // An object that appends, of which only its class is known.
            Node::Object(_) => {}
            _ => return Err(PickleError::Malformed(position)),
        }
        Ok(())
    }

    fn extend_dict(&mut self, entries: &[NodeId]) -> Result<(), PickleError> {
        let (dict, position) = (self.peek()?, self.position());
        let (pairs, rest) = entries.as_chunks::<2>();
        match &mut self.nodes[dict.0 as usize] {
            Node::Dict(dict) if rest.is_empty() => dict.extend(pairs.iter().map(|[key, value]| (*key, *value))),
            Node::Object(_) if rest.is_empty() => {}
            _ => return Err(PickleError::Malformed(position)),
        }
        Ok(())
    }

    fn memoize(&mut self, index: u32) -> Result<(), PickleError> {
        let top = self.peek()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), PickleError> {
        let id = self.memo.get(&index).copied().ok_or(PickleError::Malformed(self.position()))?;
        self.stack.push(id);
        Ok(())
    }

    /// An object of a class, with so many arguments.
    fn object(&mut self, arguments: usize) -> Result<(), PickleError> {
        for _ in 0..arguments {
            self.pop()?;
        }
        let (class, position) = (self.pop()?, self.position());
        let name = match &self.nodes[class.0 as usize] {
            Node::Global(name) | Node::Object(name) => name.clone(),
            _ => return Err(PickleError::Malformed(position)),
        };
        self.push(Node::Object(name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value as text.
    fn show(pickle: &Pickle, id: NodeId) -> String {
        let all = |ids: &[NodeId]| ids.iter().map(|id| show(pickle, *id)).collect::<Vec<_>>().join(" ");
        match pickle.node(id) {
            Node::Tuple(elements) => format!("({})", all(elements)),
            Node::List(elements) => format!("[{}]", all(elements)),
            Node::Dict(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| format!("{}:{}", show(pickle, *key), show(pickle, *value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
            Node::Text(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}"),
        }
    }

    fn read(bytes: &'static [u8]) -> Result<String, PickleError> {
        let pickle = Pickle::read(&Bytes::from_static(bytes))?;
        Ok(show(&pickle, pickle.top()))
    }

    #[test]
    fn values_as_python_writes_them() {
        // pickle.dumps([(1, "a"), (-70000, None), (2**40, True)], 5)
        let batch = b"\x80\x05\x95%\0\0\0\0\0\0\0]\x94(K\x01\x8c\x01a\x94\x86\x94J\x90\xee\xfe\xffN\x86\x94\x8a\x06\0\0\0\0\0\x01\x88\x86\x94e.";
        assert_eq!(read(batch).unwrap(), "[(Int(1) a) (Int(-70000) None) (Int(1099511627776) Bool(true))]");
        // pickle.dumps(({1.5: b"x", "k": bytearray(b"y")}, {1}, 2**70, 300), 5)
        let others = b"\x80\x05(}\x94(G?\xf8\0\0\0\0\0\0C\x01x\x94\x8c\x01k\x94\x96\x01\0\0\0\0\0\0\0y\x94u\x8f\x94(K\x01\x90\x8a\x09\0\0\0\0\0\0\0\0\x40M,\x01t\x94.";
        assert_eq!(read(others).unwrap(), "({Float(1.5):Bytes(b\"x\") k:ByteArray(b\"y\")} Set BigInt Int(300))");
        // The same list twice, and a negative long.
        assert_eq!(read(b"\x80\x02]q\0K\x07ah\0\x8a\x02\0\xff\x87.").unwrap(), "([Int(7)] [Int(7)] Int(-256))");
        // pickle.dumps(datetime.date(2020, 1, 2), 5)
        let date = b"\x80\x05\x8c\x08datetime\x94\x8c\x04date\x94\x93\x94C\x04\x07\xe4\x01\x02\x94\x85\x94R\x94.";
        assert_eq!(read(date).unwrap(), "Object(\"datetime.date\")");
    }

    #[test]
    fn what_contains_itself_has_an_end() {
        // l = []; l.append(l)
        let pickle = Pickle::read(&Bytes::from_static(b"\x80\x05]\x94h\0a.")).unwrap();
        assert_eq!(pickle.node(pickle.top()), &Node::List(vec![pickle.top()]));
    }

    #[test]
    fn what_is_no_pickle_is_an_error() {
        for (bytes, error) in [
            (&b""[..], PickleError::CutOff(0)),
            (b"\x80\x05", PickleError::CutOff(2)),
            (b".", PickleError::Malformed(1)),
            (b"K\x01a.", PickleError::Malformed(3)),
            (b"K\x01(\x85.", PickleError::Malformed(3)),
            (b"t", PickleError::Malformed(1)),
            (b"h\x05.", PickleError::Malformed(2)),
            (b"}(K\x01u.", PickleError::Malformed(5)),
            (b"X\xff\xff\xff\xffab", PickleError::CutOff(7)),
            (b"\x96\xff\xff\xff\xff\xff\xff\xff\xffab", PickleError::CutOff(11)),
            (b"K\x01I1\n.", PickleError::Operation { operation: b'I', position: 2 }),
        ] {
            assert_eq!(read(bytes), Err(error), "{bytes:?}");
        }
    }
}
