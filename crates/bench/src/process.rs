//! A side as a process: started, asked for rounds, ended.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::rounds::{GO, READY, Sample};

/// So many lines of a side may wait to be read: it says one for each round, whatever else it prints.
const LINES_WAITING: usize = 64;
/// How often it is looked whether a process that has nothing more to say has ended.
const POLL: Duration = Duration::from_millis(10);

/// A process that does rounds when it is told to. Its standard error goes to a file. It is killed when this is dropped before
/// its end.
pub struct Session {
    process: Running,
    input: ChildStdin,
    lines: Receiver<String>,
    log: PathBuf,
    time_out: Duration,
}

impl Session {
    /// Starts it and waits until it is warm. This, each round and its end may take `time_out` each.
    pub fn start(mut command: Command, log: PathBuf, time_out: Duration) -> anyhow::Result<Self> {
        let errors = File::create(&log).with_context(|| format!("could not create {}", log.display()))?;
        let mut process = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors))?;
        let input = process.0.stdin.take().context("standard input is a pipe")?;
        let output = process.0.stdout.take().context("standard output is a pipe")?;
        let (say, lines) = bounded(LINES_WAITING);
        thread::spawn(move || {
            // Ends with the process, or when nobody listens any more.
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| say.send(line))
        });
        let session = Self { process, input, lines, log, time_out };
        session.next_line(|line| (line == READY).then_some(()))?;
        Ok(session)
    }

    /// One round.
    pub fn round(&mut self) -> anyhow::Result<Sample> {
        // If it has ended and cannot be told, no line comes either, and that error says why.
        let _ = writeln!(self.input, "{GO}").and_then(|()| self.input.flush());
        self.next_line(Sample::parse)
    }

    /// Lets it end, and waits for that.
    pub fn end(self) -> anyhow::Result<()> {
        let Self { mut process, input, lines, log, time_out } = self;
        drop(input);
        let deadline = Instant::now() + time_out;
        // What it still prints would block it.
        while lines.recv_deadline(deadline).is_ok() {}
        let status = process.wait_until(deadline)?.with_context(|| too_long(time_out, &log))?;
        ensure!(status.success(), "it ended with {status}:\n{}", end_of(&log));
        Ok(())
    }

    fn next_line<A>(&self, wanted: impl Fn(&str) -> Option<A>) -> anyhow::Result<A> {
        let deadline = Instant::now() + self.time_out;
        loop {
            match self.lines.recv_deadline(deadline) {
                Ok(line) => {
                    if let Some(found) = wanted(line.trim_end_matches('\r')) {
                        return Ok(found);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!(too_long(self.time_out, &self.log)),
                Err(RecvTimeoutError::Disconnected) => bail!("it ended early:\n{}", end_of(&self.log)),
            }
        }
    }
}

/// Runs a program from launch to exit and gives the seconds and what it printed. Its standard error goes to `log`. It is killed
/// after `time_out`.
pub fn time_to_exit(mut command: Command, log: &Path, time_out: Duration) -> anyhow::Result<(f64, String)> {
    let errors = File::create(log).with_context(|| format!("could not create {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    let start = Instant::now();
    let deadline = start + time_out;
    let mut process = Running::start(&mut command)?;
    let mut output = process.0.stdout.take().context("standard output is a pipe")?;
    let (say, said) = bounded(1);
    thread::spawn(move || {
        let mut text = Vec::new();
        // Nobody listens any more if it took too long.
        let _ = say.send(output.read_to_end(&mut text).map(|_| text));
    });
    let printed = said.recv_deadline(deadline).ok().with_context(|| too_long(time_out, log))??;
    let status = process.wait_until(deadline)?.with_context(|| too_long(time_out, log))?;
    let elapsed = start.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}:\n{}", end_of(log));
    Ok((elapsed, String::from_utf8_lossy(&printed).into_owned()))
}

/// A process that is killed when this is dropped.
pub struct Running(pub Child);

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        Ok(Self(command.spawn().with_context(|| format!("could not run {command:?}"))?))
    }

    /// Waits for its end; None if it lives on at the deadline.
    fn wait_until(&mut self, deadline: Instant) -> anyhow::Result<Option<ExitStatus>> {
        // The system has no wait with a time-out that all of them share; who waits here has nothing else to do.
        loop {
            match self.0.try_wait()? {
                Some(status) => return Ok(Some(status)),
                None if Instant::now() >= deadline => return Ok(None),
                None => thread::sleep(POLL),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn too_long(time_out: Duration, log: &Path) -> String {
    format!("it took longer than {} s (--time-out), and was killed:\n{}", time_out.as_secs(), end_of(log))
}

/// The last lines are the ones that say what went wrong.
fn end_of(log: &Path) -> String {
    const KEPT_LINES: usize = 25;
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// The directory goes with the first.
    fn log() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("side.log");
        (directory, log)
    }

    #[test]
    fn a_side_that_hangs_is_killed_and_named() {
        let (_directory, log) = log();
        let error = Session::start(shell("exec sleep 600"), log.clone(), Duration::from_millis(50)).err().unwrap();
        assert!(error.to_string().starts_with("it took longer than 0 s (--time-out), and was killed"), "{error}");
        let error = time_to_exit(shell("exec sleep 600"), &log, Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().starts_with("it took longer than 0 s (--time-out), and was killed"), "{error}");
    }

    #[test]
    fn a_side_that_ends_early_says_why() {
        let (_directory, log) = log();
        let error = Session::start(shell("echo no Java >&2"), log, Duration::from_secs(60)).err().unwrap();
        assert_eq!(error.to_string(), "it ended early:\nno Java");
    }

    #[test]
    fn a_side_does_rounds_and_ends() {
        let script = "echo noise; echo @ready; read go; echo \"@sample 2 $go\"; cat";
        let (_directory, log) = log();
        let mut session = Session::start(shell(script), log, Duration::from_secs(60)).unwrap();
        assert_eq!(session.round().unwrap(), Sample { value: 2.0, answer: GO.to_owned() });
        session.end().unwrap();
    }
}
