//! A real master, a real worker, and this binary as the program of an application's executors and as drivers.

mod act;
mod cases;
mod cluster;
mod drivers;

use std::{env, panic, process::ExitCode};

use firesteel_executor_backend::is_executor;

fn main() -> ExitCode {
    if is_executor() {
        return act::run();
    }
    if env::args().nth(1).as_deref() == Some(drivers::DRIVER) {
        return drivers::become_driver();
    }
    let filter = env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    if env::args().any(|argument| argument == "--list") {
        cases::ALL.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, case) in cases::ALL.iter().filter(|(name, _)| name.contains(&filter)) {
        // A case owns all that it touches.
        let passed = panic::catch_unwind(case).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u32::from(!passed);
    }
    println!("\ntest result: {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
