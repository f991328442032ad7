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
    os::unix::process::CommandExt,
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use firesteel_closure::ConstructError;
use firesteel_executor::{TaskContext, TaskFailure, user_code_thread};
use firesteel_model::Partition;
use rustix::process::{Pid, Signal, kill_process_group};
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
    child: Child,
    waited_for: bool,
    lines: Option<Receiver<Result<String, std::io::Error>>>,
    feeder: Option<JoinHandle<Result<(), FeedError>>>,
    /// Nobody wants what the command says any more.
    unwanted: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
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
        let mut child = Command::new(&pipe.spec.program)
            .args(&pipe.spec.arguments)
            .envs(&pipe.spec.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(start)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (sender, lines) = bounded(LINES_AHEAD);
        let mut running = Self {
            command: command.clone(),
            child,
            waited_for: false,
            lines: Some(lines),
            feeder: None,
            unwanted: Arc::default(),
            reader: None,
            context: Arc::clone(context),
        };
        if let (Some(stdin), Some(stdout)) = (stdin, stdout) {
            let feeder = user_code_thread("pipe-stdin");
            let (context, unwanted) = (Arc::clone(context), Arc::clone(&running.unwanted));
            let feed = move || feed(&pipe, partition, &context, stdin, &unwanted);
            running.feeder = Some(feeder.spawn(feed).map_err(start)?);
            let reader = thread::Builder::new().name("pipe-stdout".to_owned());
            running.reader = Some(reader.spawn(move || read_lines(stdout, &sender)).map_err(start)?);
        }
        Ok(running)
    }

    /// The command has closed its output: did it, and what fed it, end well?
    fn finish(&mut self) -> Result<(), PipeError> {
        self.lines = None;
        let status = loop {
            self.context.end_if_killed();
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.waited_for = true;
                    break status;
                }
                // It has closed its output and works on.
                Ok(None) => thread::sleep(Duration::from_millis(1)),
                Err(source) => return Err(PipeError::Wait { command: self.command.clone(), source }),
            }
        };
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
        // Not if it was waited for: its number may be another process's.
        if !self.waited_for {
            // With all that it has started, or those would hold its output open. Fails only if it has ended already.
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
        // A command that was ended early takes its threads along, whatever they met. A parent that computes without end and gives no
        // record is waited for as it is in every task: it holds the task's memory, which the task must have back when it ends.
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

fn feed<T: Data + Display>(
    pipe: &Pipe<T>,
    partition: Partition,
    context: &Arc<TaskContext>,
    stdin: ChildStdin,
    unwanted: &AtomicBool,
) -> Result<(), FeedError> {
    let fed = catch_unwind(AssertUnwindSafe(|| {
        context.enter(|| {
            let mut stdin = BufWriter::new(stdin);
            for record in pipe.parent.records(partition, context) {
                if unwanted.load(Ordering::Relaxed) {
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

fn read_lines(stdout: ChildStdout, lines: &Sender<Result<String, std::io::Error>>) {
    for line in BufReader::new(stdout).lines() {
        let failed = line.is_err();
        if lines.send(line).is_err() || failed {
            return;
        }
    }
}
