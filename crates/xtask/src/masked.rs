//! Rust source with blanks in the place of comments and of what is written in quotes.
//!
//! So that a check of the code is not misled by a doc comment that names what the code must not do. Only what a lexer
//! needs for this is understood; line breaks stay where they are.

/// The code of a source file: comments, text and characters in quotes are blanks.
pub fn masked(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let after_word = code.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_');
        match hidden(rest, after_word) {
            Some(length) => {
                code.extend(rest[..length].chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
                rest = &rest[length..];
            }
            None => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    code
}

/// How many bytes at the beginning are a comment or a literal in quotes; to the end of the file if it is not closed.
fn hidden(text: &str, after_word: bool) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    if text.starts_with('"') {
        return Some(quoted(text, 1, '"'));
    }
    if !after_word {
        let prefix = ["br", "cr", "r"].into_iter().find(|prefix| text.starts_with(prefix)).unwrap_or_default();
        if !prefix.is_empty() {
            let hashes = text[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count();
            if text[prefix.len() + hashes..].starts_with('"') {
                let begin = prefix.len() + hashes + 1;
                let close = format!("\"{}", "#".repeat(hashes));
                return Some(text[begin..].find(&close).map_or(text.len(), |at| begin + at + close.len()));
            }
        }
    }
    character(text)
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn quoted(text: &str, begin: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text[begin..].char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return begin + at + char.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A character in quotes, which must be told from a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        return Some(quoted(text, 1, '\''));
    }
    inside[first.len_utf8()..].starts_with('\'').then(|| 1 + first.len_utf8() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_quotes_are_blank() {
        for (source, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("f(\"x // \\\" y\") + 1", "f(           ) + 1"),
            ("r\"\\\" x", "     x"),
            ("r#\"a \" b\"# c", "           c"),
            ("br\"a\" c", "      c"),
            ("for\"a\" c", "for    c"),
            ("'a' 'b T '\\'' '\"' x", "    'b T          x"),
            ("x: &'static str", "x: &'static str"),
            ("\"open", "     "),
            ("/* open", "       "),
        ] {
            assert_eq!(masked(source), code, "{source}");
        }
    }

    #[test]
    fn this_file_is_masked_to_its_end() {
        let code = masked(include_str!("masked.rs"));
        assert!(code.contains("fn this_file_is_masked_to_its_end"));
        assert!(!code.contains("Rust source with blanks"));
    }
}
