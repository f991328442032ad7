//! A Python program as a child that does not outlive its parent.
//!
//! Only a process can ask the system for that itself. So the child begins as this binary, asks, and becomes the interpreter; the
//! wish outlives that.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    os::unix::process::{CommandExt, parent_id},
    process::{Command, ExitCode},
};

use rustix::process::{Signal, set_parent_process_death_signal};

/// Says to the child what it is: its parent's process id.
const PARENT: &str = "_FIRESTEEL_PYTHON_PARENT";

/// A command that runs the interpreter as such a child. It must be started by a thread that lives as long as the process: the
/// system counts the thread as the parent.
pub(crate) fn command(python: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.env(PARENT, std::process::id().to_string()).arg(python);
    Ok(command)
}

/// Becomes the interpreter, if this process is such a child. Returns if it is not, or that fails.
pub(crate) fn become_interpreter() -> Option<ExitCode> {
    let parent = env::var_os(PARENT)?;
    let mut words = env::args_os().skip(1);
    let python = words.next().unwrap_or_else(|| OsString::from("python3"));
    let error = match set_parent_process_death_signal(Some(Signal::TERM)) {
        // It has ended before the wish was known.
        Ok(()) if parent != parent_id().to_string().as_str() => return Some(ExitCode::FAILURE),
        Ok(()) => Command::new(&python).args(words).env_remove(PARENT).exec(),
        Err(error) => error.into(),
    };
    let python = python.to_string_lossy();
    let hint = "PYSPARK_DRIVER_PYTHON or PYSPARK_PYTHON names another interpreter";
    // Where that cannot be written, the exit code has to do.
    let _ = writeln!(io::stderr(), "Error: could not start {python}; {hint}: {error}");
    Some(ExitCode::FAILURE)
}
