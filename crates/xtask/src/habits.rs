//! Habits of this tree that no linter knows.

use crate::{finding::Finding, masked::masked, tree::Tree};

/// A file above this has more than one subject.
const LINES_MAX: usize = 1000;

/// Code that says it is not finished, and tests that do not run.
const UNFINISHED: [(&str, &str); 4] = [
    ("todo!(", "finish it or leave it out"),
    ("unimplemented!(", "finish it or leave it out"),
    ("#[ignore", "a test that does not run proves nothing; assert today's answer and say what is right"),
    ("dbg!(", "use tracing"),
];

/// First directories of absolute paths on the machines of developers. `/home` needs a name behind it that is no example.
const MACHINE_DIRECTORIES: [&str; 3] = ["work", "root", "Users"];

/// Directories of users that tests and pages make up.
const EXAMPLE_HOMES: [&str; 5] = ["ada", "alice", "bob", "spark", "user"];

/// Runs every check of this module.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(undocumented(tree));
    findings.extend(without_lints(tree));
    for (path, text) in &tree.files {
        findings.extend(machine_paths(path, text));
    }
    for (path, text) in tree.rust_sources("") {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            findings.push(Finding::new(path, format!("has {lines} lines; split it by noun, {LINES_MAX} is the limit")));
        }
        for (number, line) in masked(text).lines().enumerate() {
            let found = UNFINISHED.iter().filter(|(code, _)| line.contains(code));
            findings.extend(found.map(|(code, instead)| Finding::at_line(path, number, format!("{code}…; {instead}"))));
        }
    }
    findings
}

/// Modules of crates that do not open with a `//!` line.
fn undocumented(tree: &Tree) -> impl Iterator<Item = Finding> {
    let modules = tree.rust_sources("crates/").filter(|(path, _)| path.split('/').nth(2) == Some("src"));
    let silent = modules.filter(|(_, text)| !text.starts_with("//!"));
    silent.map(|(path, _)| Finding::new(path, "does not open with //!; say the idea and why this idea"))
}

/// Crates that do not take the lints of the workspace.
fn without_lints(tree: &Tree) -> impl Iterator<Item = Finding> {
    let manifests = tree.files.iter().filter(|(path, _)| path.starts_with("crates/") && path.ends_with("/Cargo.toml"));
    let without = manifests.filter(|(_, text)| {
        let mut lines = text.lines().skip_while(|line| line.trim() != "[lints]").skip(1);
        !lines.by_ref().take_while(|line| !line.starts_with('[')).any(|line| line.replace(' ', "") == "workspace=true")
    });
    without.map(|(path, _)| Finding::new(path, "does not take the workspace's lints; add [lints] workspace = true"))
}

/// Absolute paths of one machine.
fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for (at, _) in line.match_indices('/') {
            let begins = line[..at].chars().next_back().is_none_or(|before| " \t\"'`(=:,;<>[{|@".contains(before));
            if begins && is_of_a_machine(&line[at + 1..]) {
                let end =
                    line[at..].find([' ', '"', '\'', '`', ')', ',', '>']).map_or(line.len(), |length| at + length);
                let what = format!("{} is a path of one machine", &line[at..end]);
                findings.push(Finding::at_line(path, number, what));
            }
        }
    }
    findings
}

/// Whether this, after its slash, is a path on a machine of somebody.
fn is_of_a_machine(path: &str) -> bool {
    let mut names = path.split('/');
    let (first, second) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    let name: String = second.chars().take_while(|char| char.is_alphanumeric() || "._-".contains(*char)).collect();
    let is_named = name.chars().any(char::is_alphanumeric);
    match first {
        "home" => is_named && !EXAMPLE_HOMES.contains(&name.as_str()),
        _ => is_named && MACHINE_DIRECTORIES.contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).into_iter().map(|Finding { place, what }| format!("{place}: {what}")).collect()
    }

    #[test]
    fn a_tree_of_good_habits_has_no_findings() {
        let source = "//! Says why. Never todo!(), never #[ignore].\nfn f() { g(\"todo!()\") }\n";
        let files = [
            ("crates/a/Cargo.toml", MANIFEST),
            ("crates/a/src/lib.rs", source),
            ("crates/a/tests/t.rs", "fn t() {}\n"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }

    #[test]
    fn a_module_without_words_is_found() {
        let findings = found(&[("crates/a/src/b.rs", "fn f() {}\n")]);
        assert_eq!(findings, ["crates/a/src/b.rs: does not open with //!; say the idea and why this idea"]);
    }

    #[test]
    fn a_manifest_without_lints_is_found() {
        let expected = ["crates/a/Cargo.toml: does not take the workspace's lints; add [lints] workspace = true"];
        for manifest in ["[package]\n", "[lints]\n[x]\nworkspace = true\n", "[lints]\n# workspace = true\n"] {
            assert_eq!(found(&[("crates/a/Cargo.toml", manifest)]), expected, "{manifest}");
        }
    }

    #[test]
    fn unfinished_code_is_found_with_its_line() {
        for code in ["todo!()", "unimplemented!(\"x\")", "#[ignore]", "#[ignore = \"slow\"]", "dbg!(x)"] {
            let findings = found(&[("crates/a/tests/t.rs", &format!("// fine\n{code}\n"))]);
            assert_eq!(findings.len(), 1, "{code}");
            assert!(findings[0].starts_with("crates/a/tests/t.rs:2: "), "{findings:?}");
        }
    }

    #[test]
    fn a_long_file_is_found() {
        let at_limit = "//! x\n".repeat(LINES_MAX);
        assert_eq!(found(&[("crates/a/src/b.rs", &at_limit)]), Vec::<String>::new());
        let findings = found(&[("crates/a/src/b.rs", &format!("{at_limit}//! x\n"))]);
        assert!(findings[0].contains("has 1001 lines"), "{findings:?}");
    }

    #[test]
    fn paths_of_machines_are_told_from_paths_of_users() {
        for (first, rest, is_found) in [
            ("work", "main/x.rs", true),
            ("root", ".cargo", true),
            ("Users", "me/x", true),
            ("home", "somebody/x", true),
            ("home", "ada/x", false),
            ("home", "$USER/x", false),
            ("work", "", false),
            ("tmp", "x", false),
        ] {
            // Put together, so that this file holds no such path.
            let path = format!("/{first}/{rest}");
            for line in [path.clone(), format!("see `{path}`"), format!("X={path}"), format!("file://{path}")] {
                let is_found = is_found && !line.starts_with("file");
                assert_eq!(machine_paths("README.md", &line).len(), usize::from(is_found), "{line}");
            }
            assert_eq!(machine_paths("README.md", &format!("$SPARK_HOME{path}")), []);
        }
    }
}
