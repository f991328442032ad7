//! `spark-env.sh` (SS-72).
//!
//! The file is a shell script: it quotes, calls programs and builds values from values. So a shell reads it, once per
//! process tree, with every assignment exported, and the environment that it leaves is taken over. The variable
//! `SPARK_ENV_LOADED` says that this has been done.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    io::Read,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use crate::defaults_file::{conf_directory, is_absence};

/// Set when `spark-env.sh` has been read in this process tree.
pub const LOADED_VARIABLE: &str = "SPARK_ENV_LOADED";

/// Variables that the reading shell changes for itself.
const OF_THE_SHELL: [&str; 4] = ["_", "SHLVL", "PWD", "OLDPWD"];

/// `$0` is the script. What it prints goes to standard error: standard output carries the environment. Scripts use
/// `$HOSTNAME`, which bash has of itself and other shells have not; it is not exported.
const READ_AND_PRINT: &str = r#": "${HOSTNAME:=$(uname -n)}"; set -a; . "$0" 1>&2; set +a; exec /usr/bin/env -0"#;

/// The environment of a process.
pub type Environment = BTreeMap<OsString, OsString>;

/// `spark-env.sh` is there, but could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SparkEnvError {
    /// It may not be looked at.
    #[error("could not look for {}", script.display())]
    Look {
        /// The script.
        script: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No shell could be started.
    #[error("could not start {shell} to read {}", script.display())]
    Start {
        /// The shell.
        shell: &'static str,
        /// The script.
        script: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The script ended the shell.
    #[error("{} ended the shell that read it ({status}); it must not call exit, and its syntax must be that of its first line's shell, or of sh", script.display())]
    Ended {
        /// The script.
        script: PathBuf,
        /// How the shell ended.
        status: ExitStatus,
    },
}

/// The environment after `spark-env.sh`; the given one if there is no such file or it has been read before.
pub fn load(environment: &Environment) -> Result<Environment, SparkEnvError> {
    let variable = |name: &str| environment.get(OsStr::new(name)).cloned();
    if variable(LOADED_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return Ok(environment.clone());
    }
    let mut environment = environment.clone();
    environment.insert(LOADED_VARIABLE.into(), "1".into());
    let directory = conf_directory(variable("SPARK_CONF_DIR"), variable("SPARK_HOME"));
    let Some(script) = directory.map(|directory| directory.join("spark-env.sh")) else { return Ok(environment) };
    match fs::metadata(&script) {
        Ok(metadata) if metadata.is_file() => read(&script, environment),
        Ok(_) => Ok(environment),
        Err(error) if is_absence(&error) => Ok(environment),
        // What an administrator has set would be lost unseen.
        Err(source) => Err(SparkEnvError::Look { script, source }),
    }
}

fn read(script: &Path, before: Environment) -> Result<Environment, SparkEnvError> {
    // A plain name would be looked up in PATH.
    let script = if script.is_absolute() { script.to_owned() } else { Path::new(".").join(script) };
    let shell = shell_for(&script);
    let output = Command::new(shell)
        .arg("-c")
        .arg(READ_AND_PRINT)
        .arg(&script)
        .env_clear()
        .envs(&before)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| SparkEnvError::Start { shell, script: script.clone(), source })?;
    if !output.status.success() {
        return Err(SparkEnvError::Ended { script, status: output.status });
    }
    let mut after: Environment = output
        .stdout
        .split(|byte| *byte == 0)
        .filter_map(|entry| {
            let equals = entry.iter().position(|byte| *byte == b'=')?;
            Some((OsString::from_vec(entry[..equals].to_vec()), OsString::from_vec(entry[equals + 1..].to_vec())))
        })
        .collect();
    for name in OF_THE_SHELL {
        match before.get(OsStr::new(name)) {
            Some(value) => after.insert(name.into(), value.clone()),
            None => after.remove(OsStr::new(name)),
        };
    }
    Ok(after)
}

/// The shell that the first line names if it is bash, as in files that began as a copy of Spark's template; else `sh`.
fn shell_for(script: &Path) -> &'static str {
    let mut beginning = [0; 64];
    let length = fs::File::open(script).and_then(|mut file| file.read(&mut beginning)).unwrap_or(0);
    let first_line = beginning[..length].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let names_bash = first_line.starts_with(b"#!") && OsStr::from_bytes(first_line).to_string_lossy().contains("bash");
    let bash = ["/bin/bash", "/usr/bin/bash"].into_iter().find(|path| names_bash && Path::new(path).exists());
    bash.unwrap_or("/bin/sh")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &Path)]) -> Environment {
        let mut environment: Environment = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        environment.insert("PATH".into(), "/usr/bin:/bin".into());
        environment
    }

    fn loaded(script: &str) -> Result<Environment, SparkEnvError> {
        let directory = tempfile::Builder::new().prefix("conf with blanks ").tempdir().unwrap();
        fs::write(directory.path().join("spark-env.sh"), script).unwrap();
        load(&environment(&[("SPARK_CONF_DIR", directory.path())]))
    }

    fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
        environment.get(OsStr::new(name)).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_script_that_cannot_be_looked_for_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("loop");
        std::os::unix::fs::symlink("loop", &directory).unwrap();
        let error = load(&environment(&[("SPARK_CONF_DIR", &directory)])).unwrap_err();
        assert!(matches!(error, SparkEnvError::Look { .. }), "{error}");
        assert!(crate::read_properties_file_if_there(&directory.join("spark-defaults.conf")).is_err());
        let nowhere = parent.path().join("nowhere");
        assert!(load(&environment(&[("SPARK_CONF_DIR", &nowhere)])).is_ok());
        assert_eq!(crate::read_properties_file_if_there(&nowhere.join("spark-defaults.conf")).unwrap(), []);
    }

    #[test]
    fn assignments_are_exported_with_quoting_and_substitution() {
        let after = loaded(
            "# a comment\nA=1\nexport B=\"two words\"\nC='$A'\nD=\"$A-$(printf x)\"\nE=\"line 1\nline 2\"\nHOST=\"$HOSTNAME\"\n\
             echo noise\nunset PATH_THAT_WAS_NOT\n",
        )
        .unwrap();
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "$A"),
            ("D", "1-x"),
            ("E", "line 1\nline 2"),
            (LOADED_VARIABLE, "1"),
        ];
        for (name, text) in expected {
            assert_eq!(value(&after, name), Some(text), "{name}");
        }
        assert!(value(&after, "HOST").is_some_and(|host| !host.is_empty()));
        assert!(!after.contains_key(OsStr::new("HOSTNAME")));
        assert!(!after.contains_key(OsStr::new("SHLVL")) && !after.contains_key(OsStr::new("PWD")));
    }

    #[test]
    fn a_script_for_bash_is_read_by_bash() {
        let after = loaded("#!/usr/bin/env bash\nif [[ -n \"$HOSTNAME\" ]]; then L=(a b); M=${L[1]}; fi\n").unwrap();
        assert_eq!(value(&after, "M"), Some("b"));
    }

    #[test]
    fn variables_can_be_unset_and_the_last_status_does_not_matter() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("spark-env.sh"), "unset GONE\nfalse\n").unwrap();
        let after = load(&environment(&[("SPARK_CONF_DIR", directory.path()), ("GONE", Path::new("x"))])).unwrap();
        assert!(!after.contains_key(OsStr::new("GONE")));
    }

    #[test]
    fn it_is_read_once() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("conf")).unwrap();
        fs::write(directory.path().join("conf/spark-env.sh"), "COUNT=${COUNT}x\n").unwrap();
        let once = load(&environment(&[("SPARK_HOME", directory.path())])).unwrap();
        assert_eq!(value(&once, "COUNT"), Some("x"));
        assert_eq!(load(&once).unwrap(), once);
    }

    #[test]
    fn without_a_file_nothing_changes_but_the_guard() {
        let directory = tempfile::tempdir().unwrap();
        let before = environment(&[("SPARK_HOME", directory.path())]);
        let mut after = load(&before).unwrap();
        assert_eq!(after.remove(OsStr::new(LOADED_VARIABLE)), Some("1".into()));
        assert_eq!(after, before);
    }

    #[test]
    fn a_script_that_exits_is_an_error_that_names_it() {
        let error = loaded("A=1\nexit 3\n").unwrap_err();
        assert!(error.to_string().contains("spark-env.sh") && error.to_string().contains("exit"), "{error}");
        assert!(matches!(loaded("if then\n"), Err(SparkEnvError::Ended { .. })));
    }
}
