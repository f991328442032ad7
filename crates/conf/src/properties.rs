//! The syntax of `spark-defaults.conf`: Java properties (SS-71).
//!
//! Key, then blanks, `=` or `:`, then the value; `#` and `!` begin comments; a `\` at the end of a line joins the next one;
//! `\t \n \r \f \uXXXX` and `\` before any other character are escapes. As in Spark, blanks around the value are dropped,
//! but line ends that were written as escapes stay.

use std::iter::Peekable;

/// A text that is not in this syntax.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: \\u must be followed by four hexadecimal digits that form a character")]
pub struct ParsePropertiesError {
    /// The first line of the property, from 1.
    pub line: usize,
}

/// Reads properties in the order of the text. A key that comes twice is there twice; the last one counts.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, ParsePropertiesError> {
    let mut properties = parse_untrimmed(text)?;
    for (_, value) in &mut properties {
        *value = trim_except_line_ends(value).to_owned();
    }
    Ok(properties)
}

/// Reads properties as Java does: blanks at the end of a value stay, and so do escaped ones at its beginning.
pub fn parse_untrimmed(text: &str) -> Result<Vec<(String, String)>, ParsePropertiesError> {
    let mut properties = Vec::new();
    let mut lines = natural_lines(text).enumerate().peekable();
    'logical: while let Some((index, first)) = lines.next() {
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_in_continuation(&logical) {
            logical.pop();
            // Nothing is joined to nothing: what follows begins a line, and may be a comment.
            if logical.is_empty() && lines.peek().is_some() {
                continue 'logical;
            }
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(is_blank));
        }
        let (key, value) = split(&logical);
        let error = || ParsePropertiesError { line: index + 1 };
        let key = unescape(key).ok_or_else(error)?;
        let value = unescape(value).ok_or_else(error)?;
        properties.push((key, value));
    }
    Ok(properties)
}

/// Writes properties so that [`parse_untrimmed`] gives the same keys and values.
pub fn format<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (key, value) in properties {
        escape(&mut text, key, true);
        text.push('=');
        escape(&mut text, value, false);
        text.push('\n');
    }
    text
}

/// Lines ended by `\n`, `\r\n` or `\r`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value, both still escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (is_blank(c) || c == '=' || c == ':');
        escaped = c == '\\' && !escaped;
        ends
    });
    let Some(end) = end else { return (line, "") };
    let rest = line[end..].trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], value.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            None => {}
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => plain.push(unicode_escape(&mut chars)?),
            Some(other) => plain.push(other),
        }
    }
    Some(plain)
}

/// The character after `\u`; characters above U+FFFF are two escapes, as in Java.
fn unicode_escape(chars: &mut Peekable<std::str::Chars<'_>>) -> Option<char> {
    let first = four_digits(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    let second = (chars.next() == Some('\\') && chars.next() == Some('u')).then(|| four_digits(chars))??;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn four_digits(chars: &mut Peekable<std::str::Chars<'_>>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number * 16 + chars.next()?.to_digit(16)?))
}

/// Blanks and control characters go, line ends stay: they can only have come from escapes.
fn trim_except_line_ends(value: &str) -> &str {
    value.trim_matches(|c: char| c <= ' ' && c != '\r' && c != '\n')
}

fn escape(text: &mut String, part: &str, is_key: bool) {
    for (index, c) in part.chars().enumerate() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{c}' => text.push_str("\\f"),
            ' ' | '=' | ':' | '#' | '!' if is_key || index == 0 => {
                text.push('\\');
                text.push(c);
            }
            _ => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What `java.util.Properties` with Spark's trimming makes of each text.
    #[test]
    fn corpus() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("\n \t\n# comment\n! comment\n   # comment\n", &[]),
            ("a=b", &[("a", "b")]),
            ("a:b", &[("a", "b")]),
            ("a b", &[("a", "b")]),
            ("a\tb\n", &[("a", "b")]),
            ("a = b", &[("a", "b")]),
            ("a   :   b", &[("a", "b")]),
            ("a  b  =  c", &[("a", "b  =  c")]),
            ("a==b", &[("a", "=b")]),
            ("a=:b", &[("a", ":b")]),
            ("a =  = b", &[("a", "= b")]),
            ("  a=b", &[("a", "b")]),
            ("a", &[("a", "")]),
            ("a=", &[("a", "")]),
            ("=b", &[("", "b")]),
            ("a=b  \t ", &[("a", "b")]),
            ("a=b\\n", &[("a", "b\n")]),
            ("a=b\\r\\n", &[("a", "b\r\n")]),
            ("a=b\\n  ", &[("a", "b\n")]),
            ("a=\\ b", &[("a", "b")]),
            ("a=b\\t", &[("a", "b")]),
            ("a=b # no comment", &[("a", "b # no comment")]),
            ("a=b\\\n   c", &[("a", "bc")]),
            ("a=b,\\\r\n   c,\\\r\n\td", &[("a", "b,c,d")]),
            ("a\\\n=b", &[("a", "b")]),
            ("a=b\\\\\nc=d", &[("a", "b\\"), ("c", "d")]),
            ("a=b\\\\\\\nc=d", &[("a", "b\\c=d")]),
            ("a=b\\", &[("a", "b")]),
            ("a=b\\\n# part of it", &[("a", "b# part of it")]),
            ("a=b\\\n\nc=d", &[("a", "b"), ("c", "d")]),
            ("\\\n# comment \\\na=b", &[("a", "b")]),
            (" \\\n  \\\n! C:\\users\n a=b", &[("a", "b")]),
            ("\\", &[("", "")]),
            ("\\\n", &[]),
            ("a\\ b=c", &[("a b", "c")]),
            ("a\\=b=c", &[("a=b", "c")]),
            ("a\\:b:c", &[("a:b", "c")]),
            ("a\\\\=c", &[("a\\", "c")]),
            ("\\#a=b", &[("#a", "b")]),
            ("a=\\u0041\\u00e9\\u4e2d", &[("a", "Aé中")]),
            ("a=\\ud83d\\ude00", &[("a", "😀")]),
            ("\\u0061=b", &[("a", "b")]),
            ("a=é中😀", &[("a", "é中😀")]),
            ("a=\\q\\w", &[("a", "qw")]),
            ("a=C:\\\\dir", &[("a", "C:\\dir")]),
            ("a=b\r\nc=d\r\n", &[("a", "b"), ("c", "d")]),
            ("a=b\rc=d", &[("a", "b"), ("c", "d")]),
            ("a=1\na=2", &[("a", "1"), ("a", "2")]),
            ("spark.master    spark://h:7077", &[("spark.master", "spark://h:7077")]),
            ("spark.x -Da=b -Dc=d", &[("spark.x", "-Da=b -Dc=d")]),
        ];
        for (text, properties) in cases {
            let parsed = parse(text).unwrap();
            let parsed: Vec<_> = parsed.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!(parsed, *properties, "{text:?}");
        }
    }

    #[test]
    fn bad_unicode_escapes_name_their_line() {
        for text in ["\n\na=\\u12", "\n#\na=\\u12g4", "\n\na=\\ud83d", "\n\na=\\ud83d\\u0041", "\n\na=\\udc00"] {
            assert_eq!(parse(text), Err(ParsePropertiesError { line: 3 }), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(settings in proptest::collection::vec(("\\PC{0,8}[\\\\\n\r\t =:#!]?\\PC{0,8}", "\\PC{0,8}[\\\\\n\r\t\u{c} =:#!]?\\PC{0,8}"), 0..5)) {
            let text = format(settings.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            prop_assert_eq!(parse_untrimmed(&text).unwrap(), settings);
        }

        #[test]
        fn no_text_panics(text in "[a\\\\=: \t\r\nu0-9#!]{0,40}") {
            let _ = parse(&text);
        }
    }
}
