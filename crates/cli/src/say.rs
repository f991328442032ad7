//! Lines for the user, on standard error.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Prints a text and ends its line, in one piece. Standard error may be a disk that is full or a pipe that nobody reads: what
/// cannot be said must not end a submission, as `eprintln!` would.
pub fn say(text: impl Display) {
    let mut line = text.to_string();
    if !line.ends_with('\n') {
        line.push('\n');
    }
    let _ = io::stderr().write_all(line.as_bytes());
}
