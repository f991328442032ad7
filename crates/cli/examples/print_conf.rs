//! The smallest application: prints what `spark-submit` handed over. The end-to-end tests run it.
//!
//! Its arguments are printed, except for two: `--exit N` ends it with that code, and `--wait` waits to be killed.

use std::{env, process};

use firesteel_conf::{CONF_FD_VARIABLE, MAIN_CLASS_VARIABLE, SparkConf};

fn main() {
    // Whatever is built on the crate firesteel has a table of functions; spark-submit knows applications by it.
    std::hint::black_box(firesteel_closure::table_len());
    let conf = SparkConf::from_launcher().unwrap_or_else(|error| {
        eprintln!("{error}");
        process::exit(2);
    });
    println!("pid={}", process::id());
    println!("class={}", env::var(MAIN_CLASS_VARIABLE).unwrap_or_default());
    println!("fd={:?}", env::var_os(CONF_FD_VARIABLE));
    for name in ["SPARK_HOME", "SPARK_CONF_DIR", "SPARK_ENV_LOADED", "FROM_SPARK_ENV"] {
        println!("env {name}={}", env::var(name).unwrap_or_default());
    }
    // A shell knows what else a process hands on.
    let shell = process::Command::new("/bin/sh").args(["-c", "echo umask=$(umask) files=$(ulimit -n)"]).output();
    print!("{}", String::from_utf8_lossy(&shell.map(|output| output.stdout).unwrap_or_default()));
    for (key, value) in conf.get_all() {
        println!("conf {key}={value}");
    }
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--exit" => process::exit(arguments.next().and_then(|code| code.parse().ok()).unwrap_or(2)),
            "--wait" => loop {
                std::thread::park();
            },
            _ => println!("arg {argument}"),
        }
    }
}
