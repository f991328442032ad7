//! Runs one measure: all sides by turns.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fmt, fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use firesteel_testkit::cache_directory;

use crate::{
    data,
    measure::{Check, Measure, Role, Side, SparkSide},
    parameters::{Parameters, Scale},
    process::{Session, time_to_exit},
    python::Python,
    rounds::Sample,
    spark::Spark,
};

/// What came out of a measure: for each side that took part, the median of its rounds.
pub struct Comparison {
    /// Which.
    pub measure: &'static Measure,
    /// In its unit.
    pub medians: BTreeMap<Role, f64>,
}

/// A side that is ready for its turn.
enum Player<'a> {
    Session(Session),
    /// Started anew each time.
    Launch(Box<dyn Fn() -> anyhow::Result<Command> + 'a>, Check),
}

/// Runs a measure on every side that it has. `spark` is None where Spark is left out. What a side is asked for may take
/// `time_out` each time.
pub fn compare(
    measure: &'static Measure,
    scale: Scale,
    spark: Option<&Spark>,
    time_out: Duration,
) -> anyhow::Result<Comparison> {
    let parameters = (measure.parameters)(scale).context("could not prepare the data")?;
    let mut players = Vec::new();
    for role in Role::ALL {
        progress(format_args!("{}: preparing {}", measure.name, role.name()));
        let player = player(measure, role, &parameters, spark, time_out);
        if let Some(player) = player.with_context(|| format!("could not start {}", role.name()))? {
            players.push((role, player));
        }
    }
    let mut samples: BTreeMap<Role, Vec<f64>> = BTreeMap::new();
    let mut answers: BTreeSet<String> = BTreeSet::new();
    for round in 1..=measure.rounds {
        for (role, player) in &mut players {
            progress(format_args!("{}: round {round} of {}, {}", measure.name, measure.rounds, role.name()));
            let sample = play(player, measure, *role, time_out).with_context(|| format!("{} failed", role.name()))?;
            samples.entry(*role).or_default().push(sample.value);
            answers.insert(sample.answer);
            ensure!(answers.len() == 1, "the sides do not agree: {answers:?}, the last one is {}", role.name());
        }
    }
    progress(format_args!(""));
    for (role, player) in players {
        if let Player::Session(session) = player {
            session.end().with_context(|| format!("{} failed at the end", role.name()))?;
        }
    }
    let medians = samples.into_iter().map(|(role, samples)| (role, median(samples))).collect();
    Ok(Comparison { measure, medians })
}

/// Says what is going on, where somebody is looking.
fn progress(what: fmt::Arguments<'_>) {
    let errors = io::stderr();
    if errors.is_terminal() {
        // Nothing depends on it.
        let _ = write!(errors.lock(), "\r\x1b[K{what}");
    }
}

/// Says what is going on now, where it would not be seen otherwise: a run takes hours, and its table comes last.
pub fn begun(measure: &Measure, place: usize, of: usize) {
    if !io::stderr().is_terminal() {
        eprintln!("{}: running, {place} of {of}", measure.name);
    }
}

fn player<'a>(
    measure: &'static Measure,
    role: Role,
    parameters: &'a Parameters,
    spark: Option<&'a Spark>,
    time_out: Duration,
) -> anyhow::Result<Option<Player<'a>>> {
    let side = match role {
        Role::Firesteel => &measure.firesteel,
        Role::Limit => &measure.limit,
        Role::Spark => {
            let (Some(spark), Some(side)) = (spark, &measure.spark) else { return Ok(None) };
            return Ok(Some(match side {
                SparkSide::Session(class) => {
                    let command = spark.session(class, parameters);
                    Player::Session(Session::start(command, log_path(measure, role)?, time_out)?)
                }
                SparkSide::Python(script) => python_session(measure, role, script, parameters, time_out)?,
                SparkSide::Command(command, check) => {
                    Player::Launch(Box::new(move || command(spark, parameters)), *check)
                }
            }));
        }
    };
    Ok(match side {
        None => None,
        Some(Side::SessionOf { program, install, .. }) if !is_installed(program) => {
            eprintln!("{}: no {}, as {program} is not installed; Debian: {install}", measure.name, role.name());
            None
        }
        Some(Side::Session(_) | Side::SessionOf { .. }) => {
            let command = of_this_program(measure, role, parameters)?;
            Some(Player::Session(Session::start(command, log_path(measure, role)?, time_out)?))
        }
        Some(Side::Python(script)) => Some(python_session(measure, role, script, parameters, time_out)?),
        Some(Side::Program(_, check)) => {
            Some(Player::Launch(Box::new(move || of_this_program(measure, role, parameters)), *check))
        }
        Some(Side::Command(command, check)) => Some(Player::Launch(Box::new(move || command(parameters)), *check)),
    })
}

fn python_session<'a>(
    measure: &Measure,
    role: Role,
    script: &str,
    parameters: &Parameters,
    time_out: Duration,
) -> anyhow::Result<Player<'a>> {
    let command = Python::install()?.session(role, script, parameters)?;
    Ok(Player::Session(Session::start(command, log_path(measure, role)?, time_out)?))
}

fn play(player: &mut Player<'_>, measure: &Measure, role: Role, time_out: Duration) -> anyhow::Result<Sample> {
    match player {
        Player::Session(session) => session.round(),
        Player::Launch(command, check) => {
            let (value, printed) = time_to_exit(command()?, &log_path(measure, role)?, time_out)?;
            check(&printed)?;
            Ok(Sample { value, answer: String::new() })
        }
    }
}

fn of_this_program(measure: &Measure, role: Role, parameters: &Parameters) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["side", role.name(), measure.name]).args(parameters.words());
    Ok(command)
}

/// Whether a program of this name is in a directory of the PATH.
fn is_installed(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|directory| directory.join(program).is_file()))
}

/// Where the standard error of a side goes.
fn log_path(measure: &Measure, role: Role) -> anyhow::Result<PathBuf> {
    let directory = cache_directory(data::CACHE)?.join("logs");
    fs::create_dir_all(&directory).with_context(|| format!("could not create {}", directory.display()))?;
    Ok(directory.join(format!("{}-{}.log", measure.name, role.name())))
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let upper = samples[samples.len() / 2];
    let lower = samples[(samples.len() - 1) / 2];
    (lower + upper) / 2.0
}

#[cfg(test)]
mod tests {
    use super::{is_installed, median};

    #[test]
    fn programs_are_looked_for_on_the_path() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no program has this name"));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0]), 3.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), 3.0);
    }
}
