//! A partition through an external command: its records are the command's standard input, the command's lines of standard
//! output are the result's records.
//!
//! Three threads: one computes the parent's records and feeds the command, one reads what it says, and the task's own
//! takes the lines and looks at the kill flag while it waits. So a task whose command hangs can be killed, and the command
//! with it. Standard error is the executor's own.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{BufRead, BufReader, BufWriter, ErrorKind, Write},
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use firesteel_closure::ConstructError;
use firesteel_executor::{KillSwitch, ProcessGroup, TaskContext, TaskFailure, user_code_thread};
use firesteel_model::Partition;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
};
use serde::{Deserialize, Serialize};

use crate::{
    data::{Data, Records},
    node::{Node, Operator, Parents},
};

/// So many lines may wait for the task: enough that neither side waits for the other at every line.
const LINES_AHEAD: usize = 1024;
/// How often a task that waits for its command looks whether it was killed.
const KILL_CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The command as it travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PipeSpec {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
}

/// `pipe`.
pub(crate) struct Pipe<T> {
    parent: Node<T>,
    spec: PipeSpec,
}

/// The command did not do its work.
#[derive(Debug, thiserror::Error)]
enum PipeError {
    #[error("could not start the command `{command}`; it must be installed on every executor's host")]
    Start {
        command: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the command `{command}` ended with {status}")]
    Failed { command: String, status: ExitStatus },
    #[error("could not write the partition to the command `{command}`")]
    Write {
        command: String,
        #[source]
        source: std::io::Error,
    },
    #[error("could not read what the command `{command}` said; each line must be UTF-8")]
    Read {
        command: String,
        #[source]
        source: std::io::Error,
    },
    #[error("could not wait for the command `{command}`")]
    Wait {
        command: String,
        #[source]
        source: std::io::Error,
    },
}

impl<T: Data + Display> Operator for Pipe<T> {
    type Env = PipeSpec;
    type Item = String;

    fn construct(spec: PipeSpec, parents: Parents<'_>) -> Result<Self, ConstructError> {
        Ok(Self { parent: parents.get(0)?, spec })
    }

    fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<String> {
        let running = Running::start(self, partition, context).unwrap_or_else(|error| fail(error));
        Box::new(running)
    }
}

fn fail(error: PipeError) -> ! {
    TaskFailure::from_error(&error).throw()
}

impl PipeSpec {
    fn command_line(&self) -> String {
        std::iter::once(&self.program).chain(&self.arguments).map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// A command at work. Dropping it ends the command and waits for the threads, so that nothing of the task outlives it.
struct Running {
    command: String,
    group: ProcessGroup,
    lines: Option<Receiver<Result<String, std::io::Error>>>,
    feeder: Option<JoinHandle<Result<(), FeedError>>>,
    /// Nobody wants what the command says any more.
    unwanted: Arc<AtomicBool>,
    context: Arc<TaskContext>,
}

/// What ended the feeding early.
enum FeedError {
    Write(std::io::Error),
    /// The parent's records failed.
    Records(TaskFailure),
}

impl Running {
    fn start<T: Data + Display>(
        pipe: Arc<Pipe<T>>,
        partition: Partition,
        context: &Arc<TaskContext>,
    ) -> Result<Self, PipeError> {
        let command = pipe.spec.command_line();
        let start = |source| PipeError::Start { command: command.clone(), source };
        let mut program = Command::new(&pipe.spec.program);
        program.args(&pipe.spec.arguments).envs(&pipe.spec.environment);
        program.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut group = ProcessGroup::spawn(&mut program).map_err(start)?;
        let (stdin, stdout) = (group.child().stdin.take(), group.child().stdout.take());
        let (sender, lines) = bounded(LINES_AHEAD);
        let mut running = Self {
            command: command.clone(),
            group,
            lines: Some(lines),
            feeder: None,
            unwanted: Arc::default(),
            context: Arc::clone(context),
        };
        if let (Some(stdin), Some(stdout)) = (stdin, stdout) {
            let feeder = user_code_thread("pipe-stdin");
            let unwanted = Arc::clone(&running.unwanted);
            let stdin = CommandInput::new(stdin, unwanted, Arc::clone(context.kill_switch())).map_err(start)?;
            let context = Arc::clone(context);
            let feed = move || feed(&pipe, partition, &context, stdin);
            running.feeder = Some(feeder.spawn(feed).map_err(start)?);
            let reader = thread::Builder::new().name("pipe-stdout".to_owned());
            reader.spawn(move || read_lines(stdout, &sender)).map_err(start)?;
        }
        Ok(running)
    }

    /// The command has closed its output: did it, and what fed it, end well?
    fn finish(&mut self) -> Result<(), PipeError> {
        self.lines = None;
        let status = loop {
            self.context.end_if_killed();
            match self.group.child().try_wait() {
                Ok(Some(status)) => break status,
                // It has closed its output and works on.
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                Err(source) => return Err(PipeError::Wait { command: self.command.clone(), source }),
            }
        };
        // What it has left running in the background is not ours to end.
        self.group.release().map_err(|source| PipeError::Wait { command: self.command.clone(), source })?;
        // The rest of the partition would go nowhere.
        self.unwanted.store(true, Ordering::Relaxed);
        let fed = self.feeder.take().map(JoinHandle::join);
        match fed {
            Some(Ok(Err(FeedError::Records(failure)))) => failure.throw(),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ if !status.success() => Err(PipeError::Failed { command: self.command.clone(), status }),
            Some(Ok(Err(FeedError::Write(source)))) => Err(PipeError::Write { command: self.command.clone(), source }),
            Some(Ok(Ok(()))) | None => Ok(()),
        }
    }
}

impl Iterator for Running {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let lines = self.lines.as_ref()?;
        loop {
            self.context.end_if_killed();
            match lines.recv_timeout(KILL_CHECK_INTERVAL) {
                Ok(Ok(line)) => return Some(line),
                Ok(Err(source)) => fail(PipeError::Read { command: self.command.clone(), source }),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.finish().unwrap_or_else(|error| fail(error));
                    return None;
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lines = None;
        self.unwanted.store(true, Ordering::Relaxed);
        // With all that it has started, or those would hold its output open. A command that has ended was released.
        let _ = self.group.kill();
        // A command that was ended early takes its feeder along, whatever that met. Its reader is not waited for: a process that
        // has left the group may keep the output open for as long as it likes. A parent that computes without end and gives no
        // record is waited for as it is in every task: it holds the task's memory, which the task must have back when it ends.
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

fn feed<T: Data + Display>(
    pipe: &Pipe<T>,
    partition: Partition,
    context: &Arc<TaskContext>,
    stdin: CommandInput<ChildStdin>,
) -> Result<(), FeedError> {
    let fed = catch_unwind(AssertUnwindSafe(|| {
        context.enter(|| {
            let mut stdin = BufWriter::new(stdin);
            for record in pipe.parent.records(partition, context) {
                // Records go through a buffer, which meets it late that nobody reads.
                if stdin.get_ref().is_unwanted() {
                    return Ok(());
                }
                writeln!(stdin, "{record}")?;
            }
            stdin.flush()
        })
    }));
    match fed {
        // A command such as `head` may have read enough.
        Ok(Err(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Ok(written) => written.map_err(FeedError::Write),
        Err(caught) => Err(FeedError::Records(TaskFailure::from_caught(caught, None))),
    }
}

/// Where a command reads from. It is not waited for where nobody wants what is written: the command may have ended, and a process
/// that has left its group may have the other end, open and unread, for as long as it likes.
struct CommandInput<W> {
    pipe: W,
    unwanted: Arc<AtomicBool>,
    kill: Arc<KillSwitch>,
}

impl<W: AsFd> CommandInput<W> {
    fn new(pipe: W, unwanted: Arc<AtomicBool>, kill: Arc<KillSwitch>) -> std::io::Result<Self> {
        // Of this end alone: each end of a pipe has flags of its own.
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        Ok(Self { pipe, unwanted, kill })
    }

    fn is_unwanted(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed) || self.kill.flag().load(Ordering::Relaxed)
    }
}

impl<W: Write + AsFd> Write for CommandInput<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        loop {
            match self.pipe.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                written => return written,
            }
            if self.is_unwanted() {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let interval = Timespec::try_from(KILL_CHECK_INTERVAL).map_err(std::io::Error::other)?;
            match poll(&mut [PollFd::new(&self.pipe, PollFlags::OUT)], Some(&interval)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.pipe.flush()
    }
}

fn read_lines(stdout: ChildStdout, lines: &Sender<Result<String, std::io::Error>>) {
    for line in JavaLines::new(BufReader::new(stdout)) {
        let failed = line.is_err();
        if lines.send(line).is_err() || failed {
            return;
        }
    }
}

/// Lines that end with `\n`, `\r\n` or `\r`, as those of Java's `BufferedReader` do. Each is given out as soon as its end is
/// there.
struct JavaLines<R> {
    input: R,
    after_carriage_return: bool,
}

impl<R: BufRead> JavaLines<R> {
    fn new(input: R) -> Self {
        Self { input, after_carriage_return: false }
    }

    /// The bytes of the next line; nothing at the end.
    fn next_line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = None::<Vec<u8>>;
        loop {
            let piece = match self.input.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                piece => piece?,
            };
            if piece.is_empty() {
                return Ok(line);
            }
            if std::mem::take(&mut self.after_carriage_return) && piece[0] == b'\n' {
                self.input.consume(1);
                continue;
            }
            let end = piece.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            line.get_or_insert_default().extend_from_slice(&piece[..end.unwrap_or(piece.len())]);
            let consumed = end.map_or(piece.len(), |end| end + 1);
            self.after_carriage_return = end.is_some_and(|end| piece[end] == b'\r');
            self.input.consume(consumed);
            if end.is_some() {
                return Ok(line);
            }
        }
    }
}

impl<R: BufRead> Iterator for JavaLines<R> {
    type Item = std::io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.next_line().transpose()?;
        Some(line.and_then(|line| {
            String::from_utf8(line).map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn what_nobody_reads_is_not_written_for_ever() {
        for ends in [true, false] {
            // More than any pipe holds.
            let records = vec![b'x'; 64 << 20];
            let (unread, pipe) = std::io::pipe().unwrap();
            let (unwanted, kill) = (Arc::<AtomicBool>::default(), Arc::<KillSwitch>::default());
            let mut input = CommandInput::new(pipe, Arc::clone(&unwanted), Arc::clone(&kill)).unwrap();
            let writing = thread::spawn(move || input.write_all(&records));
            // It has begun, so that it may be waiting.
            let begun = &mut [PollFd::new(&unread, PollFlags::IN)];
            poll(begun, None).unwrap();
            if ends {
                unwanted.store(true, Ordering::Relaxed);
            } else {
                kill.kill("the test");
            }
            assert_eq!(writing.join().unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
        }
    }

    #[test]
    fn a_command_that_reads_late_gets_everything() {
        let records: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_ne_bytes).collect();
        let (mut unread, pipe) = std::io::pipe().unwrap();
        let mut input = CommandInput::new(pipe, Arc::default(), Arc::default()).unwrap();
        let written = records.clone();
        let writing = thread::spawn(move || input.write_all(&written));
        let mut read = Vec::new();
        unread.read_to_end(&mut read).unwrap();
        assert!(read == records);
        writing.join().unwrap().unwrap();
    }

    #[test]
    fn lines_end_as_in_java() {
        let text = "a\rb\r\nc\n\n\r\rd\r\n\r\ne";
        for piece in 1..text.len() {
            let lines = JavaLines::new(BufReader::with_capacity(piece, text.as_bytes()));
            assert_eq!(lines.map(Result::unwrap).collect::<Vec<_>>(), ["a", "b", "c", "", "", "", "d", "", "e"]);
        }
        assert_eq!(JavaLines::new(&b""[..]).count(), 0);
        assert_eq!(JavaLines::new(&b"\r\n"[..]).count(), 1);
        assert!(JavaLines::new(&b"\xff\n"[..]).next().unwrap().is_err());
    }
}
