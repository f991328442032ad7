//! A side as a process: started, asked for rounds, ended.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use anyhow::{Context, bail, ensure};

use crate::{
    data,
    rounds::{GO, READY, Sample},
};

/// A process that does rounds when it is told to. Its standard error goes to a file of the cache.
pub struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Session {
    /// Starts it and waits until it is warm.
    pub fn start(mut command: Command, log_name: &str) -> anyhow::Result<Self> {
        let log = log_path(log_name)?;
        let errors = File::create(&log).with_context(|| format!("could not create {}", log.display()))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("could not run {command:?}"))?;
        let input = child.stdin.take().context("standard input is a pipe")?;
        let output = BufReader::new(child.stdout.take().context("standard output is a pipe")?);
        let mut session = Self { child, input, output, log };
        session.next_line(|line| (line == READY).then_some(()))?;
        Ok(session)
    }

    /// One round.
    pub fn round(&mut self) -> anyhow::Result<Sample> {
        let told = writeln!(self.input, "{GO}").and_then(|()| self.input.flush());
        if told.is_err() {
            return Err(self.ended());
        }
        self.next_line(Sample::parse)
    }

    /// Lets it end, and waits for that.
    pub fn end(self) -> anyhow::Result<()> {
        let Self { mut child, input, mut output, log } = self;
        drop(input);
        // What it still prints would block it.
        std::io::copy(&mut output, &mut std::io::sink())?;
        let status = child.wait()?;
        ensure!(status.success(), "it ended with {status}:\n{}", end_of(&log));
        Ok(())
    }

    fn next_line<A>(&mut self, wanted: impl Fn(&str) -> Option<A>) -> anyhow::Result<A> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                return Err(self.ended());
            }
            if let Some(found) = wanted(line.trim_end_matches(['\r', '\n'])) {
                return Ok(found);
            }
        }
    }

    fn ended(&mut self) -> anyhow::Error {
        match self.child.wait() {
            Ok(status) => anyhow::anyhow!("it ended early with {status}:\n{}", end_of(&self.log)),
            Err(error) => error.into(),
        }
    }
}

/// Runs a program from launch to exit and gives the seconds and what it printed.
pub fn time_to_exit(mut command: Command, log_name: &str) -> anyhow::Result<(f64, String)> {
    let log = log_path(log_name)?;
    let errors = File::create(&log).with_context(|| format!("could not create {}", log.display()))?;
    command.stdin(Stdio::null()).stderr(errors);
    let start = Instant::now();
    let output = command.output().with_context(|| format!("could not run {command:?}"))?;
    let elapsed = start.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!("{command:?} ended with {}:\n{}", output.status, end_of(&log));
    }
    Ok((elapsed, String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn log_path(name: &str) -> anyhow::Result<PathBuf> {
    let directory = data::cache_directory()?.join("logs");
    fs::create_dir_all(&directory).with_context(|| format!("could not create {}", directory.display()))?;
    Ok(directory.join(format!("{name}.log")))
}

/// The last lines are the ones that say what went wrong.
fn end_of(log: &Path) -> String {
    const KEPT_LINES: usize = 25;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n")
}
