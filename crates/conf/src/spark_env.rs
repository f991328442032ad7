//! `spark-env.sh` (SS-72).
//!
//! The file is a shell script: it quotes, calls programs, builds values from values, and says `umask` and `ulimit`. So, as in
//! Spark, the launcher's own process reads it: it becomes a shell, which reads the file with every assignment exported and
//! becomes the launcher again. Whatever a process hands on over `exec` comes along, and nothing has to be carried by hand. The
//! variable `SPARK_ENV_LOADED` says that this has been done, once per process tree.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::defaults_file::{conf_directory, is_absence};

/// Set when `spark-env.sh` has been read in this process tree.
pub const LOADED_VARIABLE: &str = "SPARK_ENV_LOADED";

/// The directory of the configuration. It is set while `spark-env.sh` is read, and for the application.
pub const CONF_DIR_VARIABLE: &str = "SPARK_CONF_DIR";

/// `$0` is the script, `$@` what comes after it. The last variable is set once more, as a script may unset it. No signal is
/// trapped: a shell does what a trap says when the program has ended that the script runs, so one that hangs would keep the
/// launcher from being ended. bash runs the trap of the shell's end for a signal too, and does not say which it was. Scripts use
/// `$HOSTNAME`, which bash has of itself and other shells have not; it is not exported.
const READ_AND_GO_ON: &str = r#": "${HOSTNAME:=$(uname -n)}"
trap 'printf "Error: %s was not read to its end (exit status %s): a signal ended the shell that read it, or the script called exit, which it must not, or its syntax is not that of bash, or of sh where there is no bash\n" "$0" "$?" >&2; exit 1' EXIT
set -a
. "$0"
SPARK_ENV_LOADED=1
set +a
trap - EXIT
if [ "$SPARK_ENV_LOADED" != 1 ]; then
    printf "Error: %s makes SPARK_ENV_LOADED read-only, by which it is known that it has been read\n" "$0" >&2
    exit 1
fi
exec "$@""#;

/// The environment of a process.
pub type Environment = BTreeMap<OsString, OsString>;

/// `spark-env.sh` may not be looked at, or not be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read {}", script.display())]
pub struct SparkEnvError {
    /// The script.
    pub script: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// What [`load`] found.
#[derive(Debug)]
pub enum SparkEnv {
    /// There is nothing to read, or it has been read: the environment to go on with.
    Loaded(Environment),
    /// What this process is to become, so that the file is read. It ends in the program that [`load`] was given.
    ToRead(Command),
}

/// Looks whether `spark-env.sh` is to be read. `program` is this program and its arguments, as it is to be run again then.
pub fn load(mut environment: Environment, program: &[OsString]) -> Result<SparkEnv, SparkEnvError> {
    let variable = |name: &str| environment.get(OsStr::new(name)).cloned();
    if variable(LOADED_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return Ok(SparkEnv::Loaded(environment));
    }
    let directory = conf_directory(variable(CONF_DIR_VARIABLE), variable("SPARK_HOME"));
    environment.insert(LOADED_VARIABLE.into(), "1".into());
    let Some(directory) = directory else { return Ok(SparkEnv::Loaded(environment)) };
    environment.insert(CONF_DIR_VARIABLE.into(), directory.clone().into());
    let script = directory.join("spark-env.sh");
    match fs::metadata(&script) {
        Ok(metadata) if metadata.is_file() => match fs::File::open(&script) {
            Ok(_) => Ok(SparkEnv::ToRead(reader(&script, &environment, program))),
            Err(source) => Err(SparkEnvError { script, source }),
        },
        Ok(_) => Ok(SparkEnv::Loaded(environment)),
        Err(error) if is_absence(&error) => Ok(SparkEnv::Loaded(environment)),
        // What an administrator has set would be lost unseen.
        Err(source) => Err(SparkEnvError { script, source }),
    }
}

fn reader(script: &Path, environment: &Environment, program: &[OsString]) -> Command {
    // A plain name would be looked up in PATH.
    let script = if script.is_absolute() { script.to_owned() } else { Path::new(".").join(script) };
    let mut command = Command::new(shell(environment.get(OsStr::new("PATH"))));
    command.arg("-c").arg(READ_AND_GO_ON).arg(script).args(program).env_clear().envs(environment);
    command
}

/// bash, as in Spark, whose scripts are for it; `sh` where there is none.
fn shell(search_path: Option<&OsString>) -> PathBuf {
    let searched = search_path.into_iter().flat_map(env::split_paths);
    let usual = ["/bin", "/usr/bin"].map(PathBuf::from);
    let bash = searched.chain(usual).map(|directory| directory.join("bash")).find(|bash| bash.is_file());
    bash.unwrap_or_else(|| "/bin/sh".into())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read},
        os::unix::process::ExitStatusExt,
        process::{Output, Stdio},
    };

    use super::*;

    fn environment(pairs: &[(&str, &Path)]) -> Environment {
        let mut environment: Environment = pairs.iter().map(|(name, value)| (name.into(), value.into())).collect();
        environment.insert("PATH".into(), "/usr/bin:/bin".into());
        environment
    }

    /// What a program finds that is started behind a script: the shell as it is then, or how it ended.
    fn read(script: &str, program: &[&str]) -> Output {
        let directory = tempfile::Builder::new().prefix("conf with blanks ").tempdir().unwrap();
        fs::write(directory.path().join("spark-env.sh"), script).unwrap();
        let program: Vec<OsString> = program.iter().map(OsString::from).collect();
        match load(environment(&[("SPARK_CONF_DIR", directory.path())]), &program).unwrap() {
            SparkEnv::ToRead(mut command) => command.output().unwrap(),
            SparkEnv::Loaded(_) => panic!("there is a script"),
        }
    }

    fn loaded(script: &str) -> Environment {
        let output = read(script, &["env", "-0"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0')
            .filter_map(|entry| entry.split_once('='))
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    fn unread(environment: Environment) -> Environment {
        match load(environment, &[]).unwrap() {
            SparkEnv::Loaded(environment) => environment,
            SparkEnv::ToRead(command) => panic!("{command:?}"),
        }
    }

    fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
        environment.get(OsStr::new(name)).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_script_that_cannot_be_looked_for_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("loop");
        std::os::unix::fs::symlink("loop", &directory).unwrap();
        let error = load(environment(&[("SPARK_CONF_DIR", &directory)]), &[]).unwrap_err();
        assert!(error.to_string().starts_with("could not read "), "{error}");
        assert!(crate::read_properties_file_if_there(&directory.join("spark-defaults.conf")).is_err());
        let nowhere = parent.path().join("nowhere");
        unread(environment(&[("SPARK_CONF_DIR", &nowhere)]));
        assert_eq!(crate::read_properties_file_if_there(&nowhere.join("spark-defaults.conf")).unwrap(), []);
    }

    #[test]
    fn assignments_are_exported_with_quoting_and_substitution() {
        let after = loaded(
            "# a comment\nA=1\nexport B=\"two words\"\nC='$A'\nD=\"$A-$(printf x)\"\nE=\"line 1\nline 2\"\nHOST=\"$HOSTNAME\"\n\
             IN=\"$SPARK_CONF_DIR\"\nunset PATH_THAT_WAS_NOT SPARK_ENV_LOADED\nfalse\n",
        );
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
        assert!(value(&after, "IN").is_some_and(|directory| directory.contains("conf with blanks ")));
        assert_eq!(value(&after, "IN"), value(&after, CONF_DIR_VARIABLE));
    }

    #[test]
    fn what_bash_alone_understands_needs_no_first_line() {
        let after = loaded("if [[ -n \"$HOSTNAME\" ]]; then L=(a b); M=${L[1]}; fi\n");
        assert_eq!(value(&after, "M"), Some("b"));
        assert_eq!(shell(Some(&"/nowhere".into())).file_name(), Some(OsStr::new("bash")));
    }

    #[test]
    fn mask_and_limits_and_arguments_come_along() {
        let shown = read("umask 027\nulimit -n 77\n", &["sh", "-c", "umask; ulimit -n; echo \"$*\"", "x", "a b", ""]);
        assert_eq!(String::from_utf8_lossy(&shown.stdout), "0027\n77\na b \n");
    }

    #[test]
    fn a_script_cannot_be_read_for_ever() {
        let output = read("readonly SPARK_ENV_LOADED=\n", &["true"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("makes SPARK_ENV_LOADED read-only"), "{said}");
    }

    #[test]
    fn a_signal_ends_the_launcher_while_the_script_runs_a_program() {
        for (signal, number) in [("HUP", 1), ("TERM", 15)] {
            let directory = tempfile::tempdir().unwrap();
            // The program says that it runs. It ends when the test closes its input, or by itself if that does not come.
            let script = "bash -c 'echo runs; read -t 60'\nexport A=1\n";
            fs::write(directory.path().join("spark-env.sh"), script).unwrap();
            let loaded = load(environment(&[("SPARK_CONF_DIR", directory.path())]), &["env".into()]).unwrap();
            let SparkEnv::ToRead(mut command) = loaded else { panic!("there is a script") };
            let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut shell = command.spawn().unwrap();
            let stdin = shell.stdin.take();
            let mut stdout = BufReader::new(shell.stdout.take().unwrap());
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            assert_eq!(line, "runs\n");
            let told = Command::new("kill").args(["-s", signal, &shell.id().to_string()]).status().unwrap();
            assert!(told.success());
            assert_eq!(shell.wait().unwrap().signal(), Some(number), "SIG{signal}");
            drop(stdin);
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "");
            let mut said = String::new();
            shell.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            // Other shells than bash say nothing.
            assert!(said.is_empty() || said.contains("a signal ended the shell that read it"), "{said}");
        }
    }

    #[test]
    fn what_is_loaded_is_not_read_again() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("spark-env.sh"), "A=1\n").unwrap();
        let mut before = environment(&[("SPARK_CONF_DIR", directory.path()), (LOADED_VARIABLE, Path::new("1"))]);
        assert_eq!(unread(before.clone()), before);
        before.insert(LOADED_VARIABLE.into(), "".into());
        assert!(matches!(load(before, &[]), Ok(SparkEnv::ToRead(_))));
    }

    #[test]
    fn without_a_file_nothing_changes_but_the_guard_and_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let before = environment(&[("SPARK_HOME", directory.path())]);
        let mut after = unread(before.clone());
        assert_eq!(after.remove(OsStr::new(LOADED_VARIABLE)), Some("1".into()));
        assert_eq!(after.remove(OsStr::new(CONF_DIR_VARIABLE)), Some(directory.path().join("conf").into()));
        assert_eq!(after, before);
    }

    #[test]
    fn a_script_that_exits_runs_nothing_and_is_named() {
        // The second shell is what there is where there is no bash.
        let by_sh = |script: &str| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("spark-env.sh");
            fs::write(&path, script).unwrap();
            Command::new("/bin/sh")
                .args(["-c", READ_AND_GO_ON])
                .arg(path)
                .args(["sh", "-c", "echo $A"])
                .output()
                .unwrap()
        };
        assert_eq!(by_sh("A=1\n").stdout, b"1\n");
        let output = by_sh("if then\n");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("/spark-env.sh was not read to its end (exit status "), "{error}");
        assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
        for status in [0, 3] {
            let output = read(&format!("A=1\nexit {status}\n"), &["echo", "started"]);
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(error.contains("/spark-env.sh was not read to its end (exit status "), "{error}");
            assert!(error.contains(&format!("exit status {status})")), "{error}");
            assert_eq!((output.status.code(), output.stdout), (Some(1), Vec::new()));
        }
    }
}
