//! Keys of the configuration that are declared and that nothing reads.
//!
//! A declared key gets no warning, so one without a reader would be accepted and ignored. The compiler does not see it: a
//! declaration is public. A key is taken to be read if its name stands in code that is no test, or if it is what another key falls back
//! to. What warns of keys and what checks them against each other do nothing with a value, and so are no readers.

use crate::{finding::Finding, masked::masked, tree::Tree};

/// Where keys are declared.
const DECLARATIONS: &str = "crates/conf/src/keys/";

/// What names keys without doing what they say.
const NO_READERS: [&str; 2] = ["crates/conf/src/check.rs", "crates/conf/src/review.rs"];

/// Keys that need no reader, with the reason.
const WITHOUT_READER: [(&str, &str); 5] = [
    ("APP_ID", "information that the application leaves there"),
    ("APP_SUBMIT_TIME", "information that spark-submit leaves there"),
    ("HADOOP", "the file systems read the family by its prefix"),
    ("HADOOP_VALIDATE_OUTPUT_SPECS", "the file systems read it by its name, as one of that family"),
    ("SHUFFLE_MANAGER", "its check refuses whatever is not built in"),
];

/// Looks for a reader of each declaration.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let in_src = |path: &str| path.split('/').nth(2) == Some("src");
    let is_test = |path: &str| path.ends_with("/tests.rs");
    let is_reader =
        |path: &str| in_src(path) && !is_test(path) && !path.starts_with(DECLARATIONS) && !NO_READERS.contains(&path);
    let readers = tree.rust_sources("crates/").filter(|(path, _)| is_reader(path));
    let read: Vec<String> = readers.map(|(_, text)| without_tests(masked(text))).collect();
    let declarations: Vec<(&str, String)> =
        tree.rust_sources(DECLARATIONS).map(|(path, text)| (path, masked(text))).collect();
    let mut findings = Vec::new();
    for (path, text) in &declarations {
        for (number, line) in text.lines().enumerate() {
            let Some(name) = declared(line) else { continue };
            let needs_none = WITHOUT_READER.iter().any(|(known, _)| *known == name);
            let falls_back = |(_, text): &(&str, String)| {
                text.match_indices("falls_back_to(&").any(|(at, call)| {
                    let target = text[at + call.len()..].split(')').next().unwrap_or_default();
                    target.rsplit("::").next() == Some(name)
                })
            };
            if !needs_none && !read.iter().any(|code| has_word(code, name)) && !declarations.iter().any(falls_back) {
                let what = format!("declares {name}, which nothing reads; move the key to crates/conf/src/known.rs");
                findings.push(Finding::at_line(path, number, what));
            }
        }
    }
    findings
}

/// The code with all of its test modules blanked out. Each ends where its first line would be closed, as `rustfmt` has it.
fn without_tests(code: String) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut test_ends = None;
    let mut after_attribute = false;
    for line in code.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let begins = after_attribute && line.trim_start().starts_with("mod ") && line.trim_end().ends_with('{');
        if begins && test_ends.is_none() {
            test_ends = Some(format!("{indent}}}"));
        }
        after_attribute = line.trim() == "#[cfg(test)]";
        match &test_ends {
            None => kept.push_str(line),
            Some(end) if line.trim_end() == end => test_ends = None,
            Some(_) => {}
        }
        kept.push('\n');
    }
    kept
}

/// The name that a line of a `keys!` or `prefixes!` block declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("    ")?;
    let end = rest.find([':', ' '])?;
    let (name, rest) = rest.split_at(end);
    let is_name = name.starts_with(|char: char| char.is_ascii_uppercase())
        && name.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_');
    (is_name && rest.contains('=')).then_some(name)
}

/// Does the code have this word, and not only a longer one?
fn has_word(code: &str, word: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(is_part) && !code[at + word.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &str = "//! Keys.\n\nkeys! { X:\n    /// Read.\n    READ: u32 = \"spark.a\", since \"1\";\n\n    /// A base.\n    \
                        BASE: u32 = \"spark.b\", since \"1\";\n\n    /// Falls back.\n    READ_TOO: u32 = \"spark.c\", since \"1\",\n        \
                        falls_back_to(&super::BASE);\n\n    /// Nobody's.\n    LOST: u32 = \"spark.d\", since \"1\";\n}\n\n\
                        prefixes! { X:\n    /// Nobody's.\n    FAMILY = \"spark.e.\", since \"1\", on Managers::ALL;\n}\n";

    fn found(reader: &str) -> Vec<String> {
        let tree = Tree::of(&[("crates/conf/src/keys/x.rs", KEYS), ("crates/shell/src/a.rs", reader)]);
        check(&tree).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn keys_that_nothing_reads_are_found() {
        let reader = "//! LOST\nfn f() { get(&keys::READ); get(&keys::READ_TOO); g(\"FAMILY\", LOST_TOO) }\n";
        assert_eq!(found(reader), ["crates/conf/src/keys/x.rs:15", "crates/conf/src/keys/x.rs:20"]);
        let reader = "fn f() { get(&keys::READ); get(&keys::READ_TOO); get(&keys::LOST); family(&keys::FAMILY) }\n";
        assert_eq!(found(reader), [""; 0]);
    }

    #[test]
    fn tests_and_what_only_checks_are_no_readers() {
        let reader = "fn f() { get(&keys::READ); get(&keys::READ_TOO) }\n\n#[cfg(test)]\nmod tests {\n    fn g() {\n        \
                      get(&keys::LOST)\n    }\n}\n\nfn h() { family(&keys::FAMILY) }\n";
        assert_eq!(found(reader), ["crates/conf/src/keys/x.rs:15"]);
        let named = "fn f() { get(&keys::READ); get(&keys::READ_TOO); get(&keys::LOST); family(&keys::FAMILY) }\n";
        for path in NO_READERS.into_iter().chain(["crates/shell/src/a/tests.rs"]) {
            let tree = Tree::of(&[("crates/conf/src/keys/x.rs", KEYS), (path, named)]);
            assert_eq!(check(&tree).len(), 4, "{path}");
        }
    }
}
