//! `org.apache.spark.deploy.Client`: Spark's older command for drivers in a standalone cluster (SA-72).

use std::ffi::OsString;

use firesteel_conf::{MasterUrl, SparkConf};
use firesteel_console::say;
use firesteel_model::error_chain;

use crate::{Environment, daemon::report, properties, refusal::Refusal, submissions};

const USAGE: &str = "\
Usage: spark-class org.apache.spark.deploy.Client [options] launch MASTER PROGRAM MAIN-CLASS [arguments]
Usage: spark-class org.apache.spark.deploy.Client kill MASTER DRIVER-ID

MASTER is spark://HOST:PORT, or spark://HOST1:PORT1,HOST2:PORT2 if there are several.

Options:
  -c CORES, --cores CORES   Cores of the driver (default: 1)
  -m MEM, --memory MEM      Memory of the driver (default: 1g); a number alone means MiB
  -s, --supervise           Start the driver again when it fails
  -v, --verbose             Accepted; what is done is always said
  --help                    Print this and end";

/// What was asked for.
#[derive(PartialEq, Eq, Debug)]
enum Asked {
    Help,
    Kill {
        master: String,
        id: String,
    },
    /// As words of `spark-submit`.
    Launch {
        words: Vec<OsString>,
    },
}

/// How words of `spark-submit` become a driver: this crate does not read files of properties for it.
pub type SubmitWords<'a> = &'a dyn Fn(&[OsString]) -> u8;

/// Runs the command; the result is its exit code.
pub fn run(words: &[OsString], environment: &Environment, submit: SubmitWords<'_>) -> u8 {
    report(act(words, environment, submit), USAGE)
}

fn act(words: &[OsString], environment: &Environment, submit: SubmitWords<'_>) -> Result<u8, Refusal> {
    match asked(words)? {
        Asked::Help => {
            say(USAGE);
            Ok(0)
        }
        Asked::Kill { master, id } => {
            let url: MasterUrl = master.parse().map_err(|error| Refusal::Usage(error_chain(&error)))?;
            let (conf, _): (SparkConf, _) = properties::read(None, environment, "SPARK_SUBMIT_OPTS")?;
            Ok(submissions::kill(&url, &id, &conf, environment))
        }
        Asked::Launch { words } => Ok(submit(&words)),
    }
}

fn asked(words: &[OsString]) -> Result<Asked, Refusal> {
    let mut options: Vec<OsString> = vec!["--deploy-mode".into(), "cluster".into()];
    let mut words = words.iter();
    let text = |word: &OsString| {
        word.to_str()
            .map(str::to_owned)
            .ok_or_else(|| Refusal::Usage(format!("{} is not UTF-8", word.to_string_lossy())))
    };
    let mut next = |what: &str| words.next().ok_or_else(|| Refusal::Usage(format!("{what} is missing")));
    loop {
        let word = text(next("launch or kill")?)?;
        match word.as_str() {
            "--help" | "-h" => return Ok(Asked::Help),
            "--cores" | "-c" => options.extend(["--driver-cores".into(), next("the number of cores")?.clone()]),
            "--memory" | "-m" => options.extend(["--driver-memory".into(), next("the memory")?.clone()]),
            "--supervise" | "-s" => options.push("--supervise".into()),
            "--verbose" | "-v" => {}
            "kill" => {
                let (master, id) = (text(next("the master")?)?, text(next("the driver's id")?)?);
                return Ok(Asked::Kill { master, id });
            }
            "launch" => {
                options.extend(["--master".into(), next("the master")?.clone()]);
                let program = next("the program")?.clone();
                options.extend(["--class".into(), next("the main class")?.clone(), program]);
                options.extend(words.cloned());
                return Ok(Asked::Launch { words: options });
            }
            other => return Err(Refusal::Usage(format!("{other:?} is neither launch nor kill, nor an option"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_by(line: &str) -> Result<Asked, String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        asked(&words).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn words_of_the_older_command_become_those_of_spark_submit() {
        let words = "--deploy-mode cluster --driver-cores 2 --supervise --driver-memory 512 --master spark://m:1 --class Main app -c 9";
        let words = words.split_whitespace().map(OsString::from).collect();
        assert_eq!(asked_by("-c 2 -s -v -m 512 launch spark://m:1 app Main -c 9"), Ok(Asked::Launch { words }));
        let kill = Asked::Kill { master: "spark://m:1".to_owned(), id: "driver-1".to_owned() };
        assert_eq!(asked_by("kill spark://m:1 driver-1"), Ok(kill));
        assert_eq!(asked_by("--help"), Ok(Asked::Help));
        for (line, part) in [("", "launch or kill"), ("kill spark://m:1", "driver's id"), ("end x", "neither launch")] {
            assert!(asked_by(line).unwrap_err().contains(part), "{line}");
        }
    }
}
