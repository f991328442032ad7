//! The project's own programs, as users have them.

use std::{
    env, io,
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

/// The binary of another package, beside a binary of the package under test, which cargo has built. Cargo builds it as well, so
/// that it is never older than its source; together with the package under test, so that what both need is built alike, and once.
pub fn built_binary(package: &str, name: &str, tested: &str, beside: &Path) -> Result<PathBuf, BuildError> {
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
    if status.success() {
        Ok(beside.with_file_name(name))
    } else {
        Err(BuildError::Failed { package: package.to_owned(), status })
    }
}

/// Puts a program into an installation, as a hard link, so that the system reports the place in the installation as the place of
/// the running binary. Where that cannot be, another process copies: a file that this process writes could not be executed while a
/// child of another test has it open.
///
/// # Panics
///
/// If it can be neither linked nor copied.
pub fn link_or_copy(from: &Path, to: &Path) {
    if std::fs::hard_link(from, to).is_err() {
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
    use super::*;

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
