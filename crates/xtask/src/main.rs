//! Repository chores: `cargo xtask check`.
//!
//! What the compiler and clippy cannot know is checked here, so that `ARCHITECTURE.md` stays true: which crate may use which,
//! that cores neither wait nor look at a clock, and a few habits of this tree. The layers are declared once, in
//! [`architecture`]; the table in `ARCHITECTURE.md` is generated from that and from the descriptions of the crates.

#![forbid(unsafe_code)]

mod architecture;
mod cores;
mod directions;
mod examples;
mod finding;
mod habits;
mod keys;
mod masked;
mod table;
mod tree;
mod workspace;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};

use crate::{architecture::FIRESTEEL, finding::Finding, tree::Tree, workspace::Workspace};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  check                 all checks
  check-architecture    dependency directions, the purity of cores, the table in ARCHITECTURE.md
  check-tree            crate and module docs, examples of public operations, lint settings, long files, unfinished code,
                        paths of build machines, keys that nothing reads
  write-architecture    write the table of crates in ARCHITECTURE.md";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let result = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => check(true, true),
        ["check-architecture"] => check(true, false),
        ["check-tree"] => check(false, true),
        ["write-architecture"] => write_architecture(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the checks and prints what they found.
fn check(architecture: bool, habits: bool) -> anyhow::Result<ExitCode> {
    let root = root()?;
    let tree = Tree::read(&root)?;
    let mut findings = Vec::new();
    if architecture {
        let workspace = Workspace::read(&root)?;
        findings.extend(directions::check(&FIRESTEEL, &workspace));
        findings.extend(cores::check(&FIRESTEEL, &workspace, &tree));
        findings.extend(table::check(&FIRESTEEL, &workspace, &tree));
    }
    if habits {
        findings.extend(habits::check(&tree));
        findings.extend(keys::check(&tree));
        findings.extend(examples::check(&tree));
    }
    for Finding { place, what } in &findings {
        eprintln!("{place}: {what}");
    }
    if findings.is_empty() {
        println!("xtask: {} files, no findings", tree.files.len());
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{} findings", findings.len())
}

fn write_architecture() -> anyhow::Result<ExitCode> {
    let root = root()?;
    let path = root.join(table::PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let page = table::replace(&page, &table::render(&FIRESTEEL, &Workspace::read(&root)?))?;
    std::fs::write(&path, page).with_context(|| format!("could not write {}", path.display()))?;
    println!("{}", table::PAGE);
    Ok(ExitCode::SUCCESS)
}

/// The root of this repository: two directories above this crate.
fn root() -> anyhow::Result<PathBuf> {
    let here = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    PathBuf::from(here).ancestors().nth(2).map(PathBuf::from).context("crates/xtask is not in a repository")
}
