//! Runs seeds of the simulation: `--seeds N --start S` many, `--seed S` one with its event log.

use std::{env, panic, process::ExitCode};

use firesteel_simulation::run;

const USAGE: &str = "usage: firesteel-simulation [--seeds COUNT] [--start SEED] | --seed SEED";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
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
    match one {
        Some(seed) => replay(seed),
        None => run_many(start, seeds),
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

/// The log is printed as it grows, so that a run that breaks a promise shows what led to it.
fn replay(seed: u64) -> ExitCode {
    match panic::catch_unwind(|| run(seed, true)) {
        Ok(report) => {
            println!("{} jobs succeeded, {} failed", report.succeeded, report.failed);
            ExitCode::SUCCESS
        }
        Err(_) => ExitCode::FAILURE,
    }
}
