//! Cores have no clock, threads, files, sockets or chance of their own.
//!
//! Time and seeds come in as arguments, so that a run can be simulated and replayed. Whether a core iterates over a hash map
//! where the order can reach a command is left to its tests: the text does not tell.

use crate::{
    architecture::{Architecture, Reach},
    finding::Finding,
    masked::masked,
    tree::Tree,
    workspace::{Dependency, Workspace},
};

/// What the source of a core must not name, and what it does instead.
const FORBIDDEN_CODE: [(&str, &str); 13] = [
    ("SystemTime::now", "time is an argument"),
    ("Instant::now", "time is an argument"),
    ("std::fs", "files belong to a shell"),
    ("std::net", "sockets belong to a shell"),
    ("std::thread", "threads belong to a shell"),
    ("thread::sleep", "a core has deadlines and never waits"),
    ("std::process", "processes belong to a shell"),
    ("std::env", "settings are an argument"),
    ("tokio", "a core has no async"),
    ("async fn", "a core has no async"),
    ("thread_rng", "chance comes from a seed"),
    ("rand::rng()", "chance comes from a seed"),
    ("rand::random", "chance comes from a seed"),
];

/// Packages that exist to do what a core must not.
const FORBIDDEN_PACKAGES: [&str; 12] = [
    "crossbeam-channel",
    "futures-util",
    "getrandom",
    "hdfs-native",
    "libc",
    "mio",
    "object_store",
    "parking_lot",
    "rustix",
    "signal-hook",
    "socket2",
    "tokio",
];

/// Looks through the sources and the dependencies of the cores.
pub fn check(architecture: &Architecture, workspace: &Workspace, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let cores = architecture.layers.iter().filter(|layer| matches!(layer.reach, Reach::Core(_)));
    for folder in cores.flat_map(|layer| layer.crates) {
        let member = workspace.members.iter().find(|member| member.folder == **folder);
        for dependency in member.iter().flat_map(|member| &member.dependencies) {
            if let Dependency::Foreign(name) = dependency
                && FORBIDDEN_PACKAGES.contains(&name.as_str())
            {
                findings.push(Finding::new(*folder, format!("is a core and may not use {name}")));
            }
        }
        for (path, text) in tree.rust_sources(&format!("crates/{folder}/src/")) {
            for (number, line) in masked(text).lines().enumerate() {
                let found = FORBIDDEN_CODE.iter().filter(|(code, _)| line.contains(code));
                findings.extend(
                    found.map(|(code, instead)| Finding::at_line(path, number, format!("{code} in a core; {instead}"))),
                );
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{architecture::Layer, workspace::Member};

    const MADE_UP: Architecture = Architecture {
        prefix: "x-",
        layers: &[
            Layer { name: "cores", about: "", reach: Reach::Core(&[]), crates: &["core"] },
            Layer { name: "shells", about: "", reach: Reach::Below, crates: &["shell"] },
        ],
        arrows: &[],
    };

    #[test]
    fn a_core_that_looks_at_the_clock_is_found_and_a_shell_is_not() {
        let tree = Tree::of(&[
            ("crates/core/src/a.rs", "//! Never calls Instant::now.\nfn f() {\n    let t = Instant::now();\n}\n"),
            ("crates/core/tests/t.rs", "use std::fs;"),
            ("crates/core-like/src/a.rs", "use std::fs;"),
            ("crates/shell/src/a.rs", "use std::fs;"),
        ]);
        let findings = check(&MADE_UP, &Workspace::default(), &tree);
        assert_eq!(findings, [Finding::new("crates/core/src/a.rs:3", "Instant::now in a core; time is an argument")]);
    }

    #[test]
    fn a_core_that_takes_a_package_for_threads_is_found() {
        let member = |folder: &str| Member {
            name: String::new(),
            folder: folder.to_owned(),
            description: String::new(),
            dependencies: vec![Dependency::Foreign("tokio".to_owned()), Dependency::Foreign("thiserror".to_owned())],
        };
        let workspace = Workspace { members: vec![member("core"), member("shell")] };
        let findings = check(&MADE_UP, &workspace, &Tree::default());
        assert_eq!(findings, [Finding::new("core", "is a core and may not use tokio")]);
    }
}
