//! The benchmark command: each measure on Firesteel, on real Spark 4.3 and, as the limit of the machine, in a hand-written
//! threaded Rust program, or one of Python alone where functions are Python's; in one run and by turns.
//!
//! Every side is a process of its own that is set up once, says when it is warm, and then does one round of work whenever it
//! is told to; the sides take turns, so that a machine that becomes slower does so for all of them. All sides read the same
//! data and must give the same answers, or the measure fails. The median of the rounds counts.
//!
//! What is timed is written beside each measure ([`Measure::timed`](measure::Measure::timed)) and printed below the table.
//!
//! This is no test: it asserts that answers agree, never how long they took.

#![forbid(unsafe_code)]

mod compare;
mod data;
mod measure;
mod measures;
mod options;
mod parameters;
mod process;
mod python;
mod report;
mod resident;
mod rounds;
mod sorted;
mod spark;
mod submit;

use std::process::ExitCode;

use anyhow::Context;

use crate::{
    measure::{Measure, Role, Side},
    options::{Command, Comparison},
    parameters::Parameters,
    rounds::Rounds,
    spark::Spark,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Where a side runs executors in other processes, those are this binary, too.
    firesteel::main(&[("firesteel-bench", |words| Ok(command(&words)?))])
}

fn command(words: &[String]) -> anyhow::Result<()> {
    match options::parse(words)? {
        Command::Help => print!("{}", options::USAGE),
        Command::List => print!("{}", options::NAMES),
        Command::Side { role, measure, parameters } => side(role, measure, &parameters)?,
        Command::Compare(comparison) => run(&comparison)?,
    }
    Ok(())
}

/// What a process does that this program has started to be one side of a measure.
fn side(role: Role, measure: &Measure, parameters: &Parameters) -> anyhow::Result<()> {
    let side = match role {
        Role::Firesteel => measure.firesteel.as_ref(),
        Role::Limit => measure.limit.as_ref(),
        Role::Spark => None,
    };
    match side.with_context(|| format!("{} has no such side", measure.name))? {
        Side::Session(session) | Side::SessionOf { session, .. } => session(parameters, &Rounds::new(parameters)?),
        Side::Program(program, _) => program(parameters),
        Side::Python(_) | Side::Command(..) => anyhow::bail!("{} is another program's on this side", measure.name),
    }
}

fn run(comparison: &Comparison) -> anyhow::Result<()> {
    let spark = match comparison.spark {
        true => Some(Spark::install()?),
        false => None,
    };
    let mut results = Vec::new();
    let mut failed = Vec::new();
    for (before, measure) in comparison.measures.iter().enumerate() {
        compare::begun(measure, before + 1, comparison.measures.len());
        match compare::compare(measure, comparison.scale, spark.as_ref(), comparison.time_out) {
            Ok(result) => {
                eprintln!("{}", report::line(&result));
                results.push(result);
            }
            Err(error) => {
                eprintln!("{}: {error:#}", measure.name);
                failed.push(measure.name);
            }
        }
        if let Some(path) = &comparison.json {
            report::write_json(path, &results)?;
        }
    }
    report::print_table(&results, comparison.scale);
    anyhow::ensure!(failed.is_empty(), "no result for {}", failed.join(", "));
    Ok(())
}
