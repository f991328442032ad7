//! What whoever captures is told: a build that fails, and says why.
//!
//! The assertion is evaluated when code is made for a closure, so nothing less than a build shows it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds a program that makes a `Closure` of this expression. What the compiler says, if it refuses.
fn build(name: &str, closure: &str) -> Result<(), String> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    // The module stands for the crate, as it needs nothing of it.
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/zero_sized.rs");
    let source = format!(
        "#[path = {module:?}]\nmod zero_sized;\n\nfn main() {{\n    let offset = std::env::args().count();\n    \
         zero_sized::Closure::of({closure});\n    let _ = offset;\n}}\n"
    );
    let program = directory.join("main.rs");
    fs::write(&program, source).unwrap();
    let mut rustc = Command::new(rustc());
    rustc.args(["--edition", "2024", "--cap-lints", "allow", "--emit", "obj", "--out-dir"]).arg(&directory);
    let output = rustc.arg(&program).output().expect("the compiler that built this test starts");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The compiler of this toolchain: beside cargo, which runs this test.
fn rustc() -> PathBuf {
    let cargo = env::var_os("CARGO").map(PathBuf::from);
    let beside = cargo.and_then(|cargo| Some(cargo.parent()?.join("rustc"))).filter(|rustc| rustc.is_file());
    env::var_os("RUSTC").map(PathBuf::from).or(beside).unwrap_or_else(|| PathBuf::from("rustc"))
}

#[test]
fn what_captures_nothing_is_built() {
    build("nothing", "|n: usize| n + 1").unwrap();
    build("function", "str::len").unwrap();
}

#[test]
fn what_captures_is_refused_with_what_to_do() {
    for (name, closure) in [
        ("by-value", "move |n: usize| n + offset"),
        ("by-reference", "|n: usize| n + offset"),
        ("pointer", "str::len as fn(&str) -> usize"),
    ] {
        let said = build(name, closure).expect_err(closure);
        for words in [
            "error[E0080]",
            "this closure captures variables, which cannot travel to an executor: name what it needs, as in \
             `rdd.with(threshold).filter(|threshold, x| x > threshold)`",
            "a function pointer cannot travel either: pass the function itself",
        ] {
            assert!(said.contains(words), "{closure}: {said}");
        }
        assert_eq!(said.matches("error[").count(), 1, "nothing else is wrong: {said}");
    }
}
