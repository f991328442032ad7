//! The command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};

use crate::{
    measure::{Measure, Role},
    measures,
    parameters::{Parameters, Scale},
};

/// What `--help` prints. `bench/compare` prints the file by itself, as it would have to build this program to ask it.
pub const USAGE: &str = include_str!("../usage.txt");

/// What `--list` prints: the names of the measures, which `bench/compare` prints by itself, too.
pub const NAMES: &str = include_str!("../measures.txt");

/// Spark takes some minutes for the largest measures on two slow cores; whoever takes this long hangs.
const TIME_OUT: Duration = Duration::from_secs(900);

/// What to do.
pub enum Command {
    /// Print how to use it.
    Help,
    /// Print the names of the measures.
    List,
    /// Be one side of a measure; a process of this kind is started by a comparison.
    Side {
        /// Which side.
        role: Role,
        /// Of which measure.
        measure: &'static Measure,
        /// What every side is told.
        parameters: Parameters,
    },
    /// Compare.
    Compare(Comparison),
}

/// What to compare.
pub struct Comparison {
    /// In this order.
    pub measures: Vec<&'static Measure>,
    /// How large.
    pub scale: Scale,
    /// Whether Spark takes part.
    pub spark: bool,
    /// How long a side may take for whatever it is asked.
    pub time_out: Duration,
    /// Where numbers go.
    pub json: Option<PathBuf>,
}

/// Reads the words of the command line.
pub fn parse(words: &[String]) -> anyhow::Result<Command> {
    if let Some((first, rest)) = words.split_first().filter(|(first, _)| *first == "side") {
        let [role, name, parameters @ ..] = rest else { bail!("{first} needs a role and the name of a measure") };
        return Ok(Command::Side {
            role: role.parse()?,
            measure: find(name)?,
            parameters: Parameters::parse(parameters)?,
        });
    }
    let mut is_list = false;
    let mut comparison =
        Comparison { measures: Vec::new(), scale: Scale::FULL, spark: true, time_out: TIME_OUT, json: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--list" => is_list = true,
            "--only" => comparison.measures.push(find(value()?)?),
            "--scale" => comparison.scale = value()?.parse()?,
            "--no-spark" => comparison.spark = false,
            "--time-out" => {
                let text = value()?;
                let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
                let seconds =
                    seconds.with_context(|| format!("the time-out must be whole seconds above 0, not {text}"))?;
                comparison.time_out = Duration::from_secs(seconds);
            }
            "--json" => comparison.json = Some(value()?.into()),
            _ => bail!("unknown option {word}; see --help"),
        }
    }
    if is_list {
        return Ok(Command::List);
    }
    if comparison.measures.is_empty() {
        comparison.measures = measures::ALL.to_vec();
    }
    Ok(Command::Compare(comparison))
}

fn find(name: &str) -> anyhow::Result<&'static Measure> {
    let found = measures::ALL.iter().find(|measure| measure.name == name);
    found.copied().with_context(|| format!("there is no measure {name}; --list names them"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> anyhow::Result<Command> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_comparison_is_of_all_measures_unless_some_are_named() {
        let Command::Compare(all) = parse_line("--no-spark --scale 0.1").unwrap() else { panic!("not a comparison") };
        assert_eq!(all.measures.len(), measures::ALL.len());
        assert!(!all.spark);
        assert_eq!(all.scale.of(1000), 100);
        assert_eq!(all.time_out, TIME_OUT);
        let Command::Compare(one) = parse_line("--only word-count --json out.json --time-out 5").unwrap() else {
            panic!("not one")
        };
        assert_eq!(one.measures.iter().map(|measure| measure.name).collect::<Vec<_>>(), ["word-count"]);
        assert_eq!(one.json, Some(PathBuf::from("out.json")));
        assert!(one.spark);
        assert_eq!(one.time_out, Duration::from_secs(5));
    }

    #[test]
    fn the_names_that_the_script_prints_are_those_of_the_measures() {
        assert!(matches!(parse_line("--list"), Ok(Command::List)));
        let names: String = measures::ALL.iter().map(|measure| format!("{}\n", measure.name)).collect();
        assert_eq!(NAMES, names);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, message) in [
            ("--only nothing", "there is no measure nothing; --list names them"),
            ("--only", "--only needs a value"),
            ("--fast", "unknown option --fast; see --help"),
            ("--list --bogus", "unknown option --bogus; see --help"),
            ("--bogus --list", "unknown option --bogus; see --help"),
            ("--scale 0", "the scale must be a number above 0, not 0"),
            ("--time-out 0", "the time-out must be whole seconds above 0, not 0"),
            ("side nobody word-count", "nobody is no side"),
        ] {
            let Err(error) = parse_line(line) else { panic!("{line} was accepted") };
            assert_eq!(error.to_string(), message);
        }
    }
}
