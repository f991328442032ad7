//! The project's own programs, as users have them.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

/// A binary of another package cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo cannot be run.
    #[error("could not run {cargo} to build the package {package}")]
    Run {
        /// Its place.
        cargo: String,
        /// What was to be built.
        package: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// It failed, and has printed why.
    #[error("cargo build of the package {package} failed: {status}")]
    Failed {
        /// What was to be built.
        package: String,
        /// How it ended.
        status: ExitStatus,
    },
}

/// The binary of another package, beside a binary of the package under test, which cargo has built. If it is older than its
/// sources, or not there, cargo builds it. Else it does not: alone, a package is built with other features of its dependencies than
/// with the whole workspace, so that most of them would be built twice.
pub fn built_binary(package: &str, name: &str, tested: &str, beside: &Path) -> Result<PathBuf, BuildError> {
    let binary = beside.with_file_name(name);
    if is_newer_than_its_sources(&binary) {
        return Ok(binary);
    }
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(&cargo);
    command.args(["build", "--quiet", "--locked", "--package", package, "--package", tested, "--bins"]);
    // `target/PROFILE/NAME`, where the profile `dev` has another name.
    let directory = beside.parent().unwrap_or(Path::new("."));
    let profile = directory.file_name().and_then(|profile| profile.to_str()).unwrap_or("debug");
    command.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
    if let Some(target) = directory.parent() {
        command.arg("--target-dir").arg(target);
    }
    let ran = command.stdin(Stdio::null()).status();
    let status = ran.map_err(|source| BuildError::Run { cargo, package: package.to_owned(), source })?;
    if status.success() { Ok(binary) } else { Err(BuildError::Failed { package: package.to_owned(), status }) }
}

/// By what cargo has written beside it: the files that it was built of.
fn is_newer_than_its_sources(binary: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path)?.modified();
    let Ok(built) = changed(binary) else { return false };
    let Ok(rule) = fs::read_to_string(binary.with_extension("d")) else { return false };
    // `target: source source`, with blanks in names escaped.
    let Some((_, sources)) = rule.lines().next().and_then(|rule| rule.split_once(": ")) else { return false };
    let sources = sources.replace("\\ ", "\0");
    let mut sources = sources.split(' ').filter(|source| !source.is_empty()).map(|source| source.replace('\0', " "));
    sources.all(|source| changed(Path::new(&source)).is_ok_and(|changed| changed <= built))
}

/// Puts a program into an installation, as a hard link, so that the system reports the place in the installation as the place of
/// the running binary. Where that cannot be, another process copies: a file that this process writes could not be executed while a
/// child of another test has it open.
///
/// # Panics
///
/// If it can be neither linked nor copied.
pub fn link_or_copy(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        let copied = Command::new("cp").arg("-p").arg(from).arg(to).status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "{} could not be copied to {}",
            from.display(),
            to.display()
        );
    }
}

/// A command that sees nothing of the surroundings of the tests.
pub fn clean(mut command: Command, directory: &Path) -> Command {
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(directory).stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_binary_is_new_as_long_as_no_source_has_changed_since() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let write = |name: &str, seconds: u64| {
            let file = fs::File::create(file(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        let binary = file("program");
        write("a.rs", 10);
        write("b c.rs", 20);
        write("program", 20);
        assert!(!is_newer_than_its_sources(&binary), "it has no rule");
        let blank = file("b c.rs").display().to_string().replace(' ', "\\ ");
        fs::write(file("program.d"), format!("{}: {} {blank}\n", binary.display(), file("a.rs").display())).unwrap();
        assert!(is_newer_than_its_sources(&binary));
        write("b c.rs", 21);
        assert!(!is_newer_than_its_sources(&binary));
        fs::remove_file(file("b c.rs")).unwrap();
        assert!(!is_newer_than_its_sources(&binary));
        assert!(!is_newer_than_its_sources(&file("a.rs")), "it was not built");
    }

    #[test]
    fn a_package_that_is_not_there_is_named() {
        let error =
            built_binary("no-such-package", "none", "firesteel-testkit", Path::new("target/debug/x")).unwrap_err();
        assert!(error.to_string().contains("no-such-package"), "{error}");
    }

    #[test]
    fn clean_commands_have_no_other_variables() {
        let ran = clean(Command::new("/usr/bin/env"), Path::new("/")).output().unwrap();
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), "PATH=/usr/bin:/bin\n");
    }
}
