//! Public operations of the library that the documentation does not show at work.
//!
//! Whoever looks up an operation wants to see it used, and an example that runs cannot become wrong unseen. So every public
//! function of a type that the crate exports, and every trait, has one that runs, names it, and asserts what comes of it. An
//! example on the type, or on what the documentation links to, will do where it names the function: small functions that
//! are used together are best shown together.
//!
//! Sources are read by lines, which is enough for a tree that rustfmt has formatted.

use std::collections::BTreeSet;

use crate::{finding::Finding, tree::Tree};

/// The crate that applications are built on.
const SOURCES: &str = "crates/firesteel/src/";

/// What needs no example, and why.
const EXCEPTIONS: [(&str, &str); 6] = [
    ("main", "takes the process over; its example is a whole program, which is not run"),
    ("Data", "is implemented for every type that fits, and never by hand"),
    ("Key", "is implemented for every type that fits, and never by hand"),
    ("Env", "is implemented for every type that fits, and never by hand"),
    ("Number", "is implemented for the numbers there are"),
    ("Partitioning", "is implemented for numbers and references to a partitioner, which examples pass"),
];

/// Something public with documentation.
#[derive(Debug)]
struct Item<'a> {
    path: &'a str,
    line: usize,
    kind: Kind,
    /// The type that a method is of.
    owner: Option<String>,
    name: String,
    documentation: Documentation,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Function,
    Trait,
    Type,
}

impl Item<'_> {
    /// As links name it.
    fn full_name(&self) -> String {
        self.owner.iter().map(|owner| format!("{owner}::")).collect::<String>() + &self.name
    }
}

/// Finds what has no example, and exceptions that are none.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let exported = exports(tree.files.get(&format!("{SOURCES}lib.rs")).map_or("", String::as_str));
    let items: Vec<Item<'_>> = tree.rust_sources(SOURCES).flat_map(|(path, text)| items(path, text)).collect();
    let public = items.iter().filter(|item| exported.contains(item.owner.as_ref().unwrap_or(&item.name)));
    let mut excused = BTreeSet::new();
    let mut findings = Vec::new();
    for item in public.filter(|item| item.kind != Kind::Type && !is_shown(item, &items)) {
        let name = item.full_name();
        if EXCEPTIONS.iter().any(|(exception, _)| *exception == name) {
            excused.insert(name);
            continue;
        }
        let what = format!(
            "{name} is in no example that runs and asserts; write one, or link to what has one, such as [`Type::method`]"
        );
        findings.push(Finding::at_line(item.path, item.line, what));
    }
    // A tree without the crate has nothing to excuse.
    let stale = EXCEPTIONS.iter().filter(|(name, _)| !exported.is_empty() && !excused.contains(*name));
    findings.extend(stale.map(|(name, _)| {
        Finding::new("crates/xtask/src/examples.rs", format!("{name} needs no exception; take it out of EXCEPTIONS"))
    }));
    findings
}

/// Is it in an example of its own, of its type, or of something that either links to?
fn is_shown(item: &Item<'_>, items: &[Item<'_>]) -> bool {
    let named = |documentation: &Documentation| documentation.examples.iter().any(|code| names(code, item));
    let of = |name: &str| items.iter().find(|other| other.full_name() == name).map(|other| &other.documentation);
    let own_type = item.owner.as_deref().and_then(of);
    let here = [Some(&item.documentation), own_type];
    here.into_iter().flatten().any(|documentation| {
        let mut linked = documentation.links.iter().map(|link| match (link.strip_prefix("Self::"), &item.owner) {
            (Some(method), Some(owner)) => format!("{owner}::{method}"),
            _ => link.clone(),
        });
        named(documentation) || linked.any(|link| of(&link).is_some_and(named))
    })
}

/// Does the code call the function, or implement the trait?
fn names(code: &str, item: &Item<'_>) -> bool {
    code.match_indices(&item.name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + item.name.len()..]);
        match item.kind {
            Kind::Function => {
                // A function of no type may be imported.
                let is_alone = item.owner.is_none() && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                (before.ends_with('.') || before.ends_with("::") || is_alone)
                    && (after.starts_with('(') || after.starts_with("::<"))
            }
            Kind::Trait => {
                before.ends_with("impl ") && after.trim_start_matches(|c: char| c != ' ').starts_with(" for")
            }
            Kind::Type => false,
        }
    })
}

/// What of a piece of documentation counts here.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
struct Documentation {
    /// The code of every example that is run and asserts something.
    examples: Vec<String>,
    /// What it links to, by the name that stands there.
    links: Vec<String>,
}

impl Documentation {
    fn of(lines: &[&str]) -> Self {
        let mut documentation = Self::default();
        // Whether the block that is open is run, and its code.
        let mut open: Option<(bool, String)> = None;
        for line in lines {
            match (line.trim().strip_prefix("```"), &mut open) {
                (Some(attributes), None) => open = Some((matches!(attributes, "" | "rust"), String::new())),
                (Some(_), Some((is_run, code))) => {
                    if *is_run && code.contains("assert") {
                        documentation.examples.push(std::mem::take(code));
                    }
                    open = None;
                }
                (None, Some((_, code))) => *code += &format!("{line}\n"),
                (None, None) => {
                    let rest = line.split("[`").skip(1).filter_map(|rest| rest.split_once("`]"));
                    documentation.links.extend(rest.map(|(link, _)| link.to_owned()));
                }
            }
        }
        documentation
    }
}

/// The names that the root of a crate exports.
fn exports(root: &str) -> BTreeSet<String> {
    let uses = root.split("\npub use ").skip(1).filter_map(|rest| Some(rest.split_once(';')?.0));
    let names = uses.flat_map(|path| {
        let (_, names) = path.rsplit_once("::").unwrap_or(("", path));
        let listed = path.split_once('{').map_or(names, |(_, names)| names.trim_end_matches('}'));
        listed.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
    });
    names.collect()
}

/// Every public type, trait, function and method of a file, hidden ones left out.
fn items<'a>(path: &'a str, text: &'a str) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    let mut documentation: Vec<&str> = Vec::new();
    let mut owner: Option<String> = None;
    let (mut in_attribute, mut hidden) = (false, false);
    for (number, line) in text.lines().enumerate() {
        let code = line.trim();
        if let Some(said) = code.strip_prefix("///") {
            documentation.push(said.strip_prefix(' ').unwrap_or(said));
            continue;
        }
        if in_attribute || code.starts_with("#[") {
            in_attribute = !code.ends_with(']');
            hidden |= code == "#[doc(hidden)]";
            continue;
        }
        if line == "}" {
            owner = None;
        } else if line.starts_with("impl") {
            owner = Some(implemented(line).to_owned());
        }
        let is_method = line.starts_with("    pub ");
        if !hidden
            && (is_method && owner.is_some() || line.starts_with("pub "))
            && let Some((kind, name)) = declared(code)
        {
            let (owner, documentation) = (owner.clone().filter(|_| is_method), Documentation::of(&documentation));
            items.push(Item { path, line: number, kind, owner, name: name.to_owned(), documentation });
        }
        documentation.clear();
        hidden = false;
    }
    items
}

/// The name of the type in the first line of its `impl`.
fn implemented(line: &str) -> &str {
    let mut rest = line.trim_start_matches("impl");
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.find(|c| {
            depth += i32::from(c == '<') - i32::from(c == '>');
            depth == 0
        });
        rest = end.map_or("", |end| &rest[end + 1..]);
    }
    word(rest.trim_start())
}

/// What a line that begins with `pub` declares.
fn declared(code: &str) -> Option<(Kind, &str)> {
    let code = code.strip_prefix("pub ")?;
    let code = code.strip_prefix("const ").unwrap_or(code);
    let (keyword, rest) = code.split_once(' ')?;
    let kind = match keyword {
        "fn" => Kind::Function,
        "trait" => Kind::Trait,
        "struct" | "enum" => Kind::Type,
        _ => return None,
    };
    Some((kind, word(rest)))
}

fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "//! Crate.\n\npub use a::{\n    B, T,\n};\npub use c::C;\n";

    /// What is found in a file beside what the exceptions give rise to, as they are those of the real crate.
    fn found(source: &str) -> Vec<String> {
        let path = format!("{SOURCES}a.rs");
        let findings = check(&Tree::of(&[(&format!("{SOURCES}lib.rs"), ROOT), (&path, source)]));
        let in_file = findings.into_iter().filter(|finding| finding.place.starts_with(&path));
        in_file.map(|finding| finding.what.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    fn method(documentation: &str) -> String {
        let lines: String = documentation.lines().map(|line| format!("    /// {line}\n")).collect();
        format!(
            "impl<T: Into<Vec<T>>> B<T>\nwhere\n    T: Copy,\n{{\n{lines}    #[inline]\n    pub fn go(&self) {{}}\n}}\n"
        )
    }

    #[test]
    fn an_example_must_run_name_the_method_and_assert() {
        for (documentation, is_found) in [
            ("Goes.\n\n```\nassert!(b.go());\n```", false),
            ("Goes.\n\n```rust\nassert!(B::go(&b));\n```", false),
            ("Goes.\n\n```\nassert!(b.go::<u8>());\n```", false),
            ("Goes.", true),
            ("Goes.\n\n```\nb.go();\n```", true),
            ("Goes.\n\n```no_run\nassert!(b.go());\n```", true),
            ("Goes.\n\n```compile_fail,E0080\nassert!(b.go());\n```", true),
            ("Goes.\n\n```\nassert!(b.going());\n```", true),
            ("`assert!(b.go())`", true),
        ] {
            let expected: &[&str] = if is_found { &["B::go"] } else { &[] };
            assert_eq!(found(&method(documentation)), expected, "{documentation}");
        }
    }

    #[test]
    fn an_example_of_the_type_or_behind_a_link_will_do() {
        let on_type =
            "/// B.\n///\n/// ```\n/// assert!(b.go());\n/// ```\n#[derive(\n    Clone\n)]\npub struct B<T>(T);\n";
        assert_eq!(found(&format!("{on_type}\n{}", method("Goes."))), [""; 0]);
        let other = |code: &str| {
            format!("impl C {{\n    /// ```\n    /// {code}\n    /// ```\n    pub fn other(&self) {{}}\n}}\n")
        };
        let both = other("assert!(c.other() && b.go());");
        assert_eq!(found(&format!("{both}{}", method("Goes; see [`C::other`]."))), [""; 0]);
        assert_eq!(found(&format!("{both}{}", method("Goes."))), ["B::go"]);
        let only_other = other("assert!(c.other());");
        assert_eq!(found(&format!("{only_other}{}", method("Goes; see [`C::other`]."))), ["B::go"]);
    }

    #[test]
    fn what_nobody_can_reach_needs_none() {
        assert_eq!(found("impl Private {\n    pub fn go(&self) {}\n}\n"), [""; 0]);
        assert_eq!(found("impl B {\n    pub(crate) fn go(&self) {}\n    fn gone(&self) {}\n}\n"), [""; 0]);
        assert_eq!(
            found("impl B {\n    #[doc(hidden)]\n    pub fn go(&self) {}\n    pub fn shown(&self) {}\n}\n"),
            ["B::shown"]
        );
        assert_eq!(found("pub fn go() {}\npub fn C() {}\n"), ["C"]);
    }

    #[test]
    fn a_trait_is_shown_by_implementing_it() {
        let named = |code: &str| {
            found(&format!(
                "/// T.\n///\n/// ```\n/// {code}\n/// assert!(true);\n/// ```\npub trait T<K>: Copy {{\n    fn of(&self);\n}}\n"
            ))
        };
        assert_eq!(named("impl T<u8> for Mine {}"), [""; 0]);
        assert_eq!(named("fn f(t: impl T<u8>) {}"), ["T"]);
    }

    #[test]
    fn an_exception_that_is_none_is_found() {
        let findings = check(&Tree::of(&[(&format!("{SOURCES}lib.rs"), ROOT)]));
        assert_eq!(findings.len(), EXCEPTIONS.len());
        assert!(findings.iter().all(|finding| finding.what.contains("needs no exception")), "{findings:?}");
        assert_eq!(check(&Tree::of(&[])), []);
    }
}
