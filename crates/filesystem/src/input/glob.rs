//! Hadoop's glob patterns.
//!
//! `*` any run of characters, `?` one character, `[a-z]` one of a set, `[^a]` or `[!a]` one that is not, `{a,b}` either of two
//! texts, `\` takes the next character as it is. None but braces match a slash. Braces are written out first, as Hadoop
//! does for those that hold a slash, so that what remains is matched one directory level at a time.

use std::collections::BTreeMap;

use crate::{FileError, FilePath, FileStatus, FileSystem};

/// How many patterns the braces of one may stand for. Ten groups of two are 1024; more is a mistake, and would be a list of
/// directories for each.
const MAX_ALTERNATIVES: usize = 10_000;

/// A pattern without braces is a list of components; with them, several such lists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GlobPattern {
    alternatives: Vec<Vec<Component>>,
}

/// A glob pattern is malformed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GlobError {
    /// `[` without `]`.
    #[error("unclosed character class in glob pattern {0:?}; write \\[ for the character itself")]
    UnclosedClass(String),
    /// `{` without `}`.
    #[error("unclosed group in glob pattern {0:?}; write \\{{ for the character itself")]
    UnclosedGroup(String),
    /// `[z-a]` or `[]`.
    #[error("empty range or class in glob pattern {0:?}")]
    EmptyClass(String),
    /// `\` at the end.
    #[error("glob pattern {0:?} ends in a backslash that escapes nothing")]
    TrailingEscape(String),
    /// The braces stand for too many patterns.
    #[error("the groups of glob pattern {0:?} stand for more than {MAX_ALTERNATIVES} patterns")]
    TooManyAlternatives(String),
}

/// One level of directories.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Component {
    /// The very name, without its escapes.
    Literal(String),
    Pattern(Vec<Token>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Char(char),
    AnyChar,
    AnyRun,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl GlobPattern {
    /// Reads a pattern of an absolute path, such as [`FilePath::path`] of a parsed one.
    pub fn parse(pattern: &str) -> Result<Self, GlobError> {
        let mut alternatives = Vec::new();
        for alternative in expand_groups(pattern)? {
            let components = split_components(&alternative);
            alternatives.push(components.iter().map(|text| parse_component(text, pattern)).collect::<Result<_, _>>()?);
        }
        Ok(Self { alternatives })
    }

    /// The one path that it stands for, if it holds no wildcard.
    pub fn literal(&self) -> Option<String> {
        let [components] = self.alternatives.as_slice() else { return None };
        let names = components.iter().map(|component| match component {
            Component::Literal(name) => Some(name.as_str()),
            Component::Pattern(_) => None,
        });
        names.collect::<Option<Vec<_>>>().map(|names| format!("/{}", names.join("/")))
    }

    /// Whether an absolute path is one that it stands for.
    pub fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        self.alternatives.iter().any(|components| {
            components.len() == names.len()
                && components.iter().zip(&names).all(|(component, name)| component.matches(name))
        })
    }

    /// The files and directories that it stands for, ordered by name, each once. `root` tells the file system's scheme and authority.
    pub(crate) fn find(&self, system: &dyn FileSystem, root: &FilePath) -> Result<Vec<FileStatus>, FileError> {
        let mut found = BTreeMap::new();
        for components in &self.alternatives {
            find_below(system, root.with_path("/"), components, &mut found)?;
        }
        Ok(found.into_values().collect())
    }
}

impl Component {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == name,
            Self::Pattern(tokens) => matches_tokens(tokens, name),
        }
    }
}

impl Token {
    fn matches(&self, character: char) -> bool {
        match self {
            Self::Char(own) => *own == character,
            Self::AnyChar | Self::AnyRun => true,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) != *negated
            }
        }
    }
}

/// Walks down from a directory: known names are appended without a look, a directory is listed only where a wildcard stands.
fn find_below(
    system: &dyn FileSystem,
    directory: FilePath,
    components: &[Component],
    found: &mut BTreeMap<FilePath, FileStatus>,
) -> Result<(), FileError> {
    let wildcard = components.iter().position(|component| matches!(component, Component::Pattern(_)));
    let known = wildcard.unwrap_or(components.len());
    let mut path = directory;
    for component in &components[..known] {
        if let Component::Literal(name) = component {
            path = path.join(name);
        }
    }
    let absent = |error: &FileError| matches!(error, FileError::NotFound { .. } | FileError::NotADirectory { .. });
    let Some(wildcard) = wildcard else {
        match system.status(&path) {
            Ok(status) => drop(found.insert(status.path.clone(), status)),
            Err(error) if absent(&error) => {}
            Err(error) => return Err(error),
        }
        return Ok(());
    };
    let entries = match system.list(&path) {
        Ok(entries) => entries,
        Err(error) if absent(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        // Listing a file gives that file, which is not below itself.
        let is_child = entry.path != path;
        if !is_child || !components[wildcard].matches(entry.path.name()) {
            continue;
        }
        let rest = &components[wildcard + 1..];
        if rest.is_empty() {
            found.insert(entry.path.clone(), entry);
        } else if entry.is_directory {
            find_below(system, entry.path, rest, found)?;
        }
    }
    Ok(())
}

/// Matches with one place to go back to: after a run has been tried shortest first, only the last run can need to be longer.
fn matches_tokens(tokens: &[Token], name: &str) -> bool {
    let characters: Vec<char> = name.chars().collect();
    let (mut token, mut character) = (0, 0);
    let mut last_run = None;
    while character < characters.len() {
        match tokens.get(token) {
            Some(Token::AnyRun) => {
                last_run = Some((token + 1, character));
                token += 1;
            }
            Some(other) if other.matches(characters[character]) => {
                token += 1;
                character += 1;
            }
            _ => {
                let Some((after, begin)) = last_run else { return false };
                last_run = Some((after, begin + 1));
                (token, character) = (after, begin + 1);
            }
        }
    }
    tokens[token..].iter().all(|token| *token == Token::AnyRun)
}

/// Writes out the braces, keeping escapes as they are.
fn expand_groups(pattern: &str) -> Result<Vec<String>, GlobError> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(text) = open.pop() {
        match first_group(&text, pattern)? {
            None => done.push(text),
            Some((begin, end, choices)) => {
                // In reverse, so that they are taken from the stack in the order in which they are written.
                for choice in choices.iter().rev() {
                    open.push(format!("{}{choice}{}", &text[..begin], &text[end..]));
                }
            }
        }
        if open.len() + done.len() > MAX_ALTERNATIVES {
            return Err(GlobError::TooManyAlternatives(pattern.to_owned()));
        }
    }
    Ok(done)
}

type Group<'a> = (usize, usize, Vec<&'a str>);

/// The first outermost `{…}`: where it begins and ends, and its choices.
fn first_group<'a>(text: &'a str, pattern: &str) -> Result<Option<Group<'a>>, GlobError> {
    let (mut depth, mut begin, mut choice) = (0usize, 0, 0);
    let mut choices = Vec::new();
    let (mut escaped, mut in_class) = (false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'[' if !in_class => in_class = true,
            b']' if in_class => in_class = false,
            _ if in_class => {}
            b'{' => {
                if depth == 0 {
                    (begin, choice) = (index, index + 1);
                }
                depth += 1;
            }
            b',' if depth == 1 => {
                choices.push(&text[choice..index]);
                choice = index + 1;
            }
            b'}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&text[choice..index]);
                    return Ok(Some((begin, index + 1, choices)));
                }
            }
            _ => {}
        }
    }
    if depth > 0 { Err(GlobError::UnclosedGroup(pattern.to_owned())) } else { Ok(None) }
}

/// Cuts at slashes. A slash is never escaped and never in a class.
fn split_components(text: &str) -> Vec<&str> {
    text.split('/').filter(|component| !component.is_empty()).collect()
}

fn parse_component(text: &str, pattern: &str) -> Result<Component, GlobError> {
    let mut tokens = Vec::new();
    let mut characters = text.chars();
    let trailing = || GlobError::TrailingEscape(pattern.to_owned());
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::AnyRun,
            '?' => Token::AnyChar,
            '\\' => Token::Char(characters.next().ok_or_else(trailing)?),
            '[' => parse_class(&mut characters, pattern)?,
            other => Token::Char(other),
        });
    }
    let literal = tokens.iter().map(|token| match token {
        Token::Char(character) => Some(*character),
        _ => None,
    });
    Ok(match literal.collect::<Option<String>>() {
        Some(name) => Component::Literal(name),
        None => Component::Pattern(tokens),
    })
}

fn parse_class(characters: &mut std::str::Chars<'_>, pattern: &str) -> Result<Token, GlobError> {
    let unclosed = || GlobError::UnclosedClass(pattern.to_owned());
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut negated = false;
    let mut at_begin = true;
    loop {
        let mut character = characters.next().ok_or_else(unclosed)?;
        match character {
            '^' | '!' if at_begin => {
                negated = true;
                at_begin = false;
                continue;
            }
            ']' if ranges.is_empty() => return Err(GlobError::EmptyClass(pattern.to_owned())),
            ']' => return Ok(Token::Class { negated, ranges }),
            '\\' => character = characters.next().ok_or_else(unclosed)?,
            _ => {}
        }
        at_begin = false;
        let mut ahead = characters.clone();
        let is_range = ahead.next() == Some('-') && !matches!(ahead.clone().next(), Some(']') | None);
        let last = if is_range {
            let last = ahead.next().ok_or_else(unclosed)?;
            let last = if last == '\\' { ahead.next().ok_or_else(unclosed)? } else { last };
            *characters = ahead;
            last
        } else {
            character
        };
        if last < character {
            return Err(GlobError::EmptyClass(pattern.to_owned()));
        }
        ranges.push((character, last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let glob = GlobPattern::parse(pattern).unwrap();
        for path in matching {
            assert!(glob.matches(path), "{pattern} should match {path}");
        }
        for path in other {
            assert!(!glob.matches(path), "{pattern} should not match {path}");
        }
    }

    #[test]
    fn every_construct() {
        check("/a/*", &["/a/b", "/a/.b"], &["/a", "/a/b/c", "/b/a"]);
        check("/a?c", &["/abc", "/aéc"], &["/ac", "/a/c"]);
        check("/[a-c]x", &["/ax", "/cx"], &["/dx", "/x"]);
        check("/[^a-c]x", &["/dx", "/-x"], &["/ax"]);
        check("/[!a]x", &["/bx"], &["/ax"]);
        check("/[a-]x", &["/ax", "/-x"], &["/bx"]);
        check("/[\\]a]x", &["/]x", "/ax"], &["/bx"]);
        check("/{a,b}c", &["/ac", "/bc"], &["/c", "/abc"]);
        check("/{a,b{c,d}}e", &["/ae", "/bce", "/bde"], &["/be", "/ace"]);
        check("/{a/b,c}/d", &["/a/b/d", "/c/d"], &["/a/d"]);
        check("/x{,y}", &["/x", "/xy"], &["/xyy"]);
        check("/\\*\\{a", &["/*{a"], &["/b{a"]);
        check("/a}b", &["/a}b"], &[]);
        check("/*a*b*", &["/ab", "/xaxbx", "/aab"], &["/ba"]);
        check("/[{]x,y", &["/{x,y"], &["/x"]);
        check("/{a*,ab}", &["/ab", "/a"], &["/b"]);
    }

    #[test]
    fn literals_are_known_without_looking() {
        assert_eq!(GlobPattern::parse("/a\\*b/c").unwrap().literal().as_deref(), Some("/a*b/c"));
        assert_eq!(GlobPattern::parse("/a*").unwrap().literal(), None);
        assert_eq!(GlobPattern::parse("/{a,b}").unwrap().literal(), None);
    }

    #[test]
    fn malformed_patterns_are_named() {
        let errors = ["/[a", "/{a", "/[]", "/[z-a]", "/a\\"].map(|pattern| GlobPattern::parse(pattern).unwrap_err());
        assert!(matches!(errors[0], GlobError::UnclosedClass(_)));
        assert!(matches!(errors[1], GlobError::UnclosedGroup(_)));
        assert!(matches!(errors[2], GlobError::EmptyClass(_)));
        assert!(matches!(errors[3], GlobError::EmptyClass(_)));
        assert!(matches!(errors[4], GlobError::TrailingEscape(_)));
        let many = format!("/{}", "{a,b}".repeat(20));
        assert!(matches!(GlobPattern::parse(&many), Err(GlobError::TooManyAlternatives(_))));
    }

    proptest::proptest! {
        /// Safety: a name with every special character escaped matches itself, and nothing panics on any pattern.
        #[test]
        fn an_escaped_name_matches_itself(name in "[^/\u{0}]{1,20}", pattern in "[a-c*?\\[\\]{},^!\\\\/-]{0,20}") {
            let escaped: String = name.chars().flat_map(|character| ['\\', character]).collect();
            let glob = GlobPattern::parse(&format!("/{escaped}")).unwrap();
            let path = format!("/{name}");
            proptest::prop_assert!(glob.matches(&path));
            if let Ok(glob) = GlobPattern::parse(&pattern) {
                glob.matches("/abc/b");
            }
        }
    }
}
