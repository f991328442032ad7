//! An application for tests that harm it: `e2e-application SCENARIO GATES [KEY=VALUE]...`.
//!
//! It runs one scenario and prints what came out on standard output. Executors of it are processes of this same binary.

#![forbid(unsafe_code)]

mod ended_tasks;
mod hosts;
mod managers;
mod scenarios;

use std::{error::Error, path::Path, process::ExitCode};

use anyhow::Context;
use firesteel::{SparkConf, SparkContext};
use firesteel_e2e::Gates;

fn main() -> ExitCode {
    if let Err(error) = hosts::move_executor() {
        eprintln!("the executor could not be moved to another host: {error}");
        return ExitCode::FAILURE;
    }
    firesteel::register_cluster_manager(managers::Dummy);
    firesteel::register_cluster_manager(managers::Rival);
    firesteel::main(&[("e2e", |arguments| run(&arguments))])
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [scenario, gates, settings @ ..] = arguments else {
        return Err("usage: e2e-application SCENARIO GATES [KEY=VALUE]...".into());
    };
    let scenario = scenarios::find(scenario).with_context(|| format!("there is no scenario {scenario}"))?;
    let mut conf = SparkConf::new();
    for setting in settings {
        let (key, value) = setting.split_once('=').context("a setting is KEY=VALUE")?;
        conf.set(key, value);
    }
    let spark = SparkContext::new(&conf)?;
    println!("application {}", spark.application_id());
    Ok(scenario(&spark, &Gates::in_directory(Path::new(gates)))?)
}
