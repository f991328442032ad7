//! Values as lines: a letter for the type, then the text. No line holds a line feed, as texts escape theirs.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;

/// The number of an object that the program refers to. Ids are of the whole gateway, not of one connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectId(pub u64);

impl ObjectId {
    /// Reads `o12`.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix('o')?.parse().ok().map(Self)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o{}", self.0)
    }
}

/// An argument as it comes from Python.
#[derive(Clone, PartialEq, Debug)]
pub enum Argument {
    /// `None`
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number that fits into 32 bits.
    Int(i32),
    /// A larger one.
    Long(i64),
    /// A floating-point number.
    Double(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// An object of this side.
    Reference(ObjectId),
}

/// A line is no argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseArgumentError {
    /// Python objects that are to be called from here.
    #[error("callbacks into Python are not built in yet")]
    Callback,
    /// Anything else.
    #[error("an argument of type {0:?} is malformed or unknown")]
    Malformed(Option<char>),
}

impl Argument {
    /// Reads a line, without its line feed.
    pub fn parse(line: &str) -> Result<Self, ParseArgumentError> {
        let mut characters = line.chars();
        let kind = characters.next();
        let text = characters.as_str();
        let malformed = ParseArgumentError::Malformed(kind);
        Ok(match kind {
            Some('n') => Self::Null,
            Some('b') => Self::Bool(text.eq_ignore_ascii_case("true")),
            Some('i') => Self::Int(text.parse().map_err(|_| malformed)?),
            Some('L') => Self::Long(text.parse().map_err(|_| malformed)?),
            // Rust reads `NaN`, `Infinity` and `-Infinity` too.
            Some('d') => Self::Double(text.parse().map_err(|_| malformed)?),
            Some('s') => Self::Text(unescape(text)),
            Some('j') => Self::Bytes(BASE64_STANDARD.decode(text).map_err(|_| malformed)?.into()),
            Some('r') => Self::Reference(ObjectId::parse(text).ok_or(malformed)?),
            Some('f') => return Err(ParseArgumentError::Callback),
            _ => return Err(malformed),
        })
    }
}

/// Appends text so that it fits into a line.
pub(crate) fn escape(text: &str, line: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\r' => line.push_str("\\r"),
            '\n' => line.push_str("\\n"),
            other => line.push(other),
        }
    }
}

/// The text that was escaped. A backslash before anything else stands for itself.
pub(crate) fn unescape(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('\\') => text.push('\\'),
            Some('r') => text.push('\r'),
            Some('n') => text.push('\n'),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

/// Appends a number as Java prints it, where the two differ in what Python can read.
pub(crate) fn double(number: f64, line: &mut String) {
    use fmt::Write;
    let _ = if number.is_nan() {
        write!(line, "NaN")
    } else if number.is_infinite() {
        write!(line, "{}Infinity", if number < 0.0 { "-" } else { "" })
    } else {
        write!(line, "{number:?}")
    };
}

/// Appends bytes.
pub(crate) fn base64(bytes: &[u8], line: &mut String) {
    BASE64_STANDARD.encode_string(bytes, line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_as_python_writes_them() {
        let cases = [
            ("n", Argument::Null),
            ("bTrue", Argument::Bool(true)),
            ("bFalse", Argument::Bool(false)),
            ("i-7", Argument::Int(-7)),
            ("L139845768163488", Argument::Long(139_845_768_163_488)),
            ("d-Infinity", Argument::Double(f64::NEG_INFINITY)),
            ("d1e-05", Argument::Double(1e-5)),
            ("s", Argument::Text(String::new())),
            ("sa\\\\nb\\nc\\r\u{e9}", Argument::Text("a\\nb\nc\r\u{e9}".into())),
            ("jAAH/", Argument::Bytes(Bytes::from_static(&[0, 1, 255]))),
            ("ro12", Argument::Reference(ObjectId(12))),
        ];
        for (line, argument) in cases {
            assert_eq!(Argument::parse(line), Ok(argument), "{line}");
        }
        assert!(matches!(Argument::parse("dNaN"), Ok(Argument::Double(number)) if number.is_nan()));
        assert_eq!(Argument::parse("fp0;java.lang.Runnable"), Err(ParseArgumentError::Callback));
        for line in ["", "ix", "i3000000000", "j?", "rx", "rt", "q1", "\u{e9}"] {
            assert_eq!(Argument::parse(line), Err(ParseArgumentError::Malformed(line.chars().next())), "{line}");
        }
    }

    #[test]
    fn text_survives_a_line() {
        for text in ["", "\\", "\\n", "a\r\nb\\", "\u{1f525}\\\\"] {
            let mut line = String::new();
            escape(text, &mut line);
            assert!(!line.contains(['\n', '\r']), "{line:?}");
            assert_eq!(unescape(&line), text);
        }
        assert_eq!(unescape("\\x\\"), "\\x\\");
    }

    #[test]
    fn doubles_as_python_reads_them() {
        let print = |number| {
            let mut line = String::new();
            double(number, &mut line);
            line
        };
        let numbers = [1.0, 0.1, f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(print);
        assert_eq!(numbers, ["1.0", "0.1", "Infinity", "-Infinity", "NaN"]);
    }
}
