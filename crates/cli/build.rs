//! Tells the binary which revision it was built from (SS-05), where that is known: in a git working tree, or by
//! `FIRESTEEL_BUILD_BRANCH` and `FIRESTEEL_BUILD_REVISION` of whoever packages a tarball.
//!
//! Only this crate is built anew after a commit.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const VARIABLES: [(&str, &[&str]); 2] = [
    ("FIRESTEEL_BUILD_BRANCH", &["rev-parse", "--abbrev-ref", "HEAD"]),
    ("FIRESTEEL_BUILD_REVISION", &["rev-parse", "HEAD"]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    // A tarball may lie in somebody else's repository.
    let is_working_tree = root.join(".git").exists();
    if is_working_tree {
        watch(&root);
    }
    for (variable, question) in VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
        let answer = || git(&root, question).filter(|_| is_working_tree);
        if let Some(value) = env::var(variable).ok().or_else(answer) {
            println!("cargo::rustc-env={variable}={value}");
        }
    }
}

/// Runs this again when something else is checked out or committed: the reflog of `HEAD` grows, or the branch's file changes.
fn watch(root: &Path) {
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()) {
        let Some(path) = git(root, &["rev-parse", "--git-path", name]) else { continue };
        let path = root.join(path);
        // What does not exist would count as changed each time.
        if path.exists() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

/// What git says, if it is there and says anything.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").env_remove("GIT_DIR").arg("-C").arg(root).args(arguments).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !answer.is_empty()).then_some(answer)
}
