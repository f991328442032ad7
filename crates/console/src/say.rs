//! Lines for the user, on standard error, from programs that have no [`Console`](crate::Console): before there is a log, and behind it.

use std::{
    fmt::Display,
    io::{self, Write},
};

use firesteel_model::hide_secrets_of_urls;

/// Prints a text and ends its line, in one piece. Whatever the text is, it may name what the user has given, and that may be a URL with
/// a password, which is hidden. Standard error may be a disk that is full or a pipe that nobody reads: what cannot be said must not
/// end a submission or an application, as `eprintln!` would.
pub fn say(text: impl Display) {
    let _ = io::stderr().write_all(whole_lines(&text.to_string()).as_bytes());
}

fn whole_lines(text: &str) -> String {
    let mut lines = hide_secrets_of_urls(text).into_owned();
    if !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_and_without_secrets() {
        assert_eq!(whole_lines("Error: x"), "Error: x\n");
        assert_eq!(whole_lines("a\nb\n"), "a\nb\n");
        let line = whole_lines("Error: s3a://me:word@bucket/x is not a class");
        assert_eq!(line, "Error: s3a://*********(redacted)@bucket/x is not a class\n");
    }
}
