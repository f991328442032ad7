//! Lines for the user, on standard error, from programs that have no [`Console`](crate::Console): before there is a log, and behind it.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, Write},
};

use firesteel_model::hide_secrets_of_urls;

/// Prints a text and ends its line, in one piece. Whatever the text is, it may name what the user has given, and that may be a URL with
/// a password, which is hidden, or a file whose characters would move the terminal's cursor, which are escaped. Standard error may be a disk that is full or a pipe that nobody reads: what cannot be said must not
/// end a submission or an application, as `eprintln!` would.
pub fn say(text: impl Display) {
    let _ = io::stderr().write_all(whole_lines(&text.to_string()).as_bytes());
}

fn whole_lines(text: &str) -> String {
    let mut lines = escape_controls(&hide_secrets_of_urls(text)).into_owned();
    if !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}

/// Characters that a terminal would obey, as Rust writes them; ends of lines and tabs stay.
fn escape_controls(text: &str) -> Cow<'_, str> {
    let is_obeyed = |character: char| character.is_control() && character != '\n' && character != '\t';
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_obeyed(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_of_a_text() {
        let text = whole_lines("key a\u{1b}[2Jb\r\u{7}c\u{7f}\u{9b}1m\u{8}\0");
        assert_eq!(text, "key a\\u{1b}[2Jb\\r\\u{7}c\\u{7f}\\u{9b}1m\\u{8}\\u{0}\n");
        assert_eq!(whole_lines("Usage:\n\t--name Größe 鍵 🔑\n"), "Usage:\n\t--name Größe 鍵 🔑\n");
    }

    #[test]
    fn lines_are_whole_and_without_secrets() {
        assert_eq!(whole_lines("Error: x"), "Error: x\n");
        assert_eq!(whole_lines("a\nb\n"), "a\nb\n");
        let line = whole_lines("Error: s3a://me:word@bucket/x is not a class");
        assert_eq!(line, "Error: s3a://*********(redacted)@bucket/x is not a class\n");
    }
}
