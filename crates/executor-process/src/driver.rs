//! A driver's process as the worker that starts it sees it, in cluster deploy mode.

use std::{
    ffi::OsString,
    io::{self, Read, Write},
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::Path,
    process::{Command, Stdio},
};

use crate::ExecutorProcess;

/// What a driver's process is started with. All else of its environment is that of whoever starts it, save `removed`.
#[derive(Debug)]
pub struct DriverStart<'a> {
    /// What is run: it becomes the driver once it has been told which.
    pub program: &'a Path,
    /// With what arguments. None of them is a secret.
    pub arguments: &'a [OsString],
    /// Its working directory.
    pub directory: &'a Path,
    /// Variables that it does not get.
    pub removed: &'a [&'a str],
    /// Where its standard output goes.
    pub stdout: Stdio,
    /// Where its standard error goes.
    pub stderr: Stdio,
}

/// The worker's end of a driver's standard input. It is told there what it is, and says there why it cannot be that.
#[derive(Debug)]
pub struct DriverInput(UnixStream);

/// The longest reason that is read.
const LONGEST_REASON: u64 = 16 << 10;

impl DriverStart<'_> {
    /// Starts it, as the first of a process group.
    ///
    /// # Errors
    ///
    /// The program cannot be run.
    pub fn start(self) -> io::Result<(ExecutorProcess, DriverInput)> {
        let (ours, its) = UnixStream::pair()?;
        let mut command = Command::new(self.program);
        self.removed.iter().for_each(|name| {
            command.env_remove(name);
        });
        let child = command
            .args(self.arguments)
            .current_dir(self.directory)
            .stdin(OwnedFd::from(its))
            .stdout(self.stdout)
            .stderr(self.stderr)
            .process_group(0)
            .spawn()?;
        Ok((ExecutorProcess::of(child), DriverInput(ours)))
    }
}

impl DriverInput {
    /// Tells the process what it is, and waits until it has become that; otherwise it says why not. One that has ended says nothing:
    /// how it has ended tells more.
    pub fn tell(mut self, launch: &[u8]) -> Result<(), String> {
        // Who does not read it has ended, or says why below.
        let _ = self.0.write_all(launch).and_then(|()| self.0.shutdown(Shutdown::Write));
        let mut reason = Vec::new();
        // What came before an error counts.
        let _ = self.0.take(LONGEST_REASON).read_to_end(&mut reason);
        if reason.is_empty() { Ok(()) } else { Err(String::from_utf8_lossy(&reason).into_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    fn run(script: &str) -> (Result<(), String>, Option<i32>, String) {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("stdout");
        let start = DriverStart {
            program: Path::new("/bin/bash"),
            arguments: &["-c".into(), script.into()],
            directory: directory.path(),
            removed: &["HOME"],
            stdout: File::create(&output).unwrap().into(),
            stderr: Stdio::null(),
        };
        let (process, input) = start.start().unwrap();
        let told = input.tell(b"launch data");
        process.wait();
        let status = process.reap().unwrap().status;
        (told, status.code(), fs::read_to_string(output).unwrap())
    }

    #[test]
    fn it_reads_what_it_is_and_becomes_that() {
        let (told, code, output) = run("cat; exec 0<&-; echo \" in ${HOME:-nowhere}\"; exit 7");
        assert_eq!((told, code, output.as_str()), (Ok(()), Some(7), "launch data in nowhere\n"));
    }

    #[test]
    fn it_says_why_it_cannot_be_that_even_if_it_reads_nothing() {
        assert_eq!(run("printf 'no such file' >&0; exit 1").0, Err("no such file".to_owned()));
        assert_eq!(run("kill -9 $$").0, Ok(()), "its end tells more");
    }
}
