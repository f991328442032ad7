//! `pyspark`: becomes a Python interpreter that begins with PySpark's shell.
//!
//! The interpreter is the parent: PySpark runs `spark-submit pyspark-shell` by itself, with the options that were given here, which it
//! gets as `PYSPARK_SUBMIT_ARGS`. They are judged here too, so that what is wrong is said before an interpreter starts.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
};

use anyhow::{Context, bail};
use firesteel_conf::{SparkConf, spark_env::Environment};
use firesteel_console::say;
use firesteel_submit::{Action, Arguments, Launcher, Parsed, resolve, usage};

use crate::submit::{load_spark_env, print_version, read_defaults, refuse_any};

const USAGE: &str = "Usage: ./bin/pyspark [options]";
/// What PySpark submits by itself.
const SHELL: &str = "pyspark-shell";
/// The name of the application, unless another is given.
const NAME: [&str; 2] = ["--name", "PySparkShell"];
/// Has PySpark's shell run when the interpreter starts.
const STARTUP: &str = "bin/pyspark-startup.py";

/// Runs the command; the result is its exit code. Does not return if an interpreter is started.
pub fn run(words: &[OsString]) -> u8 {
    match act(words) {
        Ok(code) => code,
        Err(error) => refuse_any(&error),
    }
}

fn act(words: &[OsString]) -> anyhow::Result<u8> {
    for removed in ["IPYTHON", "IPYTHON_OPTS"] {
        if env::var_os(removed).is_some_and(|value| !value.is_empty()) {
            bail!("{removed} is not heeded any more; set PYSPARK_DRIVER_PYTHON and PYSPARK_DRIVER_PYTHON_OPTS instead");
        }
    }
    let mut all: Vec<OsString> = NAME.map(OsString::from).into_iter().chain(words.iter().cloned()).collect();
    all.push(SHELL.into());
    let arguments = match Arguments::parse(Launcher::SparkSubmit, &all)? {
        Parsed::Version => return Ok(print_version()),
        Parsed::Help => return Ok(print_usage(0)),
        Parsed::UsageError | Parsed::NoArguments => return Ok(print_usage(1)),
        Parsed::Arguments(arguments) => arguments,
    };
    let environment = load_spark_env()?;
    let defaults = read_defaults(&arguments, &environment)?;
    let action = resolve(Launcher::SparkSubmit, Parsed::Arguments(arguments), &environment, &defaults, 0)?;
    let Action::Run(submission) = action else {
        bail!("--kill and --status are for spark-submit");
    };
    if submission.resource.text() != SHELL {
        bail!("{} is no option, and pyspark runs no programs: run bin/spark-submit {0}", submission.resource.text());
    }
    let error = become_interpreter(&submission.conf, environment, &all)?;
    Ok(error)
}

fn print_usage(code: u8) -> u8 {
    say(usage(Launcher::SparkSubmit, Some(USAGE)));
    code
}

fn become_interpreter(conf: &SparkConf, mut environment: Environment, words: &[OsString]) -> anyhow::Result<u8> {
    let variable = |name: &str| {
        let value = environment.get(OsStr::new(name)).filter(|value| !value.is_empty());
        value.map(|value| value.to_string_lossy().into_owned())
    };
    let setting = |key: &str| conf.get_raw(key).map(str::to_owned);
    let worker_python = setting("spark.pyspark.python").or_else(|| variable("PYSPARK_PYTHON"));
    let worker_python = worker_python.unwrap_or_else(|| "python3".to_owned());
    let python = setting("spark.pyspark.driver.python")
        .or_else(|| setting("spark.pyspark.python"))
        .or_else(|| variable("PYSPARK_DRIVER_PYTHON"))
        .unwrap_or_else(|| worker_python.clone());
    let options = variable("PYSPARK_DRIVER_PYTHON_OPTS").unwrap_or_default();
    let options =
        split(&options).with_context(|| format!("PYSPARK_DRIVER_PYTHON_OPTS ({options}) has no closing quote"))?;
    let home = variable("SPARK_HOME").context("SPARK_HOME is not set, and is not where this program is")?;
    let startup = Path::new(&home).join(STARTUP);
    if !startup.is_file() {
        bail!("{} is not there; is SPARK_HOME a Firesteel installation?", startup.display());
    }
    let words = words.iter().map(|word| word.to_str().map(quoted).context("an option is not UTF-8"));
    let submit_arguments = words.collect::<anyhow::Result<Vec<_>>>()?.join(" ");
    let old_startup = environment.remove(OsStr::new("PYTHONSTARTUP")).unwrap_or_default();
    let ours = [
        ("OLD_PYTHONSTARTUP", old_startup),
        ("PYTHONSTARTUP", startup.into_os_string()),
        ("PYSPARK_PYTHON", worker_python.into()),
        ("PYSPARK_DRIVER_PYTHON", python.clone().into()),
        ("PYSPARK_SUBMIT_ARGS", submit_arguments.into()),
        // Not Spark Connect.
        ("SPARK_CONNECT_MODE", "0".into()),
    ];
    environment.extend(ours.map(|(name, value)| (name.into(), value)));
    let error = Command::new(&python).args(options).env_clear().envs(&environment).exec();
    Err(error).with_context(|| {
        format!("could not start {python}; PYSPARK_DRIVER_PYTHON or PYSPARK_PYTHON names another interpreter")
    })
}

/// The word as a shell, and Python's `shlex`, would read it as one.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Splits at white space that is not quoted, as a shell does. None if a quote is not closed.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(characters.next()?),
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_split_as_by_a_shell() {
        let words = |text| split(text).unwrap();
        assert_eq!(words("notebook  --port 1"), ["notebook", "--port", "1"]);
        assert_eq!(words(r#"-c "a 'b' \"c" 'd "e' f\ g '' "#), ["-c", "a 'b' \"c", "d \"e", "f g", ""]);
        assert_eq!(words(" "), Vec::<String>::new());
        assert_eq!(split("'a"), None);
        assert_eq!(split("a\\"), None);
    }

    #[test]
    fn quoted_words_are_read_as_they_were() {
        for word in ["a", "a b", "it's", "", "$HOME \"x\" \\"] {
            assert_eq!(split(&quoted(word)).unwrap(), [word]);
        }
    }
}
