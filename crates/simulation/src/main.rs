//! Runs seeds of a simulation: `--seeds N --start S` many, `--seed S` one with its event log. `standalone` before that for the
//! one of standalone clusters.

use std::{env, panic, process::ExitCode};

use firesteel_simulation::{run, standalone};

const USAGE: &str = "usage: firesteel-simulation [standalone] [--seeds COUNT] [--start SEED] | --seed SEED";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1).peekable();
    let of_clusters = arguments.next_if(|word| word == "standalone").is_some();
    let (mut seeds, mut start, mut one) = (1000, 0, None);
    while let Some(name) = arguments.next() {
        let Some(value) = arguments.next().and_then(|value| value.parse::<u64>().ok()) else {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        };
        match name.as_str() {
            "--seeds" => seeds = value,
            "--start" => start = value,
            "--seed" => one = Some(value),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::FAILURE;
            }
        }
    }
    match (one, of_clusters) {
        (Some(seed), false) => replay(|| run(seed, true)),
        (Some(seed), true) => replay(|| standalone::run(seed, true)),
        (None, false) => run_many(start, seeds),
        (None, true) => run_clusters(start, seeds),
    }
}

fn run_many(start: u64, seeds: u64) -> ExitCode {
    let (mut succeeded, mut failed, mut events, mut launched, mut broken) = (0, 0, 0, 0, 0);
    // After the last number comes the first: so many seeds are run, wherever they start.
    for seed in (0..seeds).map(|number| start.wrapping_add(number)) {
        match panic::catch_unwind(|| run(seed, false)) {
            Ok(report) => {
                succeeded += u64::from(report.succeeded);
                failed += u64::from(report.failed);
                events += report.events;
                launched += report.launched;
            }
            Err(_) => {
                broken += 1;
                eprintln!("seed {seed} broke a promise; replay it with --seed {seed}");
            }
        }
    }
    println!(
        "{seeds} seeds: {succeeded} jobs succeeded, {failed} failed honestly, {launched} tasks launched, {events} events, {broken} seeds broken"
    );
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_clusters(start: u64, seeds: u64) -> ExitCode {
    let (mut succeeded, mut failed, mut drivers, mut elections, mut fenced, mut executors) = (0, 0, 0, 0, 0, 0);
    let (mut events, mut broken) = (0, 0);
    for seed in (0..seeds).map(|number| start.wrapping_add(number)) {
        match panic::catch_unwind(|| standalone::run(seed, false)) {
            Ok(report) => {
                succeeded += u64::from(report.succeeded);
                failed += u64::from(report.failed);
                drivers += u64::from(report.drivers);
                elections += report.elections;
                fenced += report.fenced;
                executors += report.executors;
                events += report.events;
            }
            Err(_) => {
                broken += 1;
                eprintln!("seed {seed} broke a promise; replay it with standalone --seed {seed}");
            }
        }
    }
    println!(
        "{seeds} clusters: {succeeded} applications succeeded, {failed} failed honestly, {executors} executors, {drivers} drivers, \
         {elections} elections, {fenced} orders and writes of deposed masters refused, {events} events, {broken} seeds broken"
    );
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The log is printed as it grows, so that a run that breaks a promise shows what led to it.
fn replay<R: std::fmt::Debug>(run: impl FnOnce() -> R + panic::UnwindSafe) -> ExitCode {
    match panic::catch_unwind(run) {
        Ok(report) => {
            println!("{report:?}");
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}
