//! One task in one worker.

use std::{
    fs,
    io::{self, ErrorKind, Read, Write},
    os::fd::AsFd,
    path::PathBuf,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::{event::PollFlags, net::sockopt::set_tcp_quickack};
use tracing::{debug, warn};

use crate::{
    Broadcasts, DecodeError, Output, OutputDecoder, TaskContextInfo, TaskInput, Worker,
    wait::{Waited, wait_for_event_or_end},
    worker::Connected,
};

/// So much is read and written at once: what PySpark's own buffers hold.
const PIECE: usize = 64 * 1024;
/// A worker that has read its whole input says at once whether it may be used again. One that does not is not waited for long.
const TIME_TO_END: Duration = Duration::from_secs(10);

/// What a task is, beside its input.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The partition of the data set.
    pub partition: u32,
    /// Python's version on the driver.
    pub python_version: String,
    /// The context.
    pub context: TaskContextInfo,
    /// Where the application's files are.
    pub files_directory: String,
    /// Those that are put on the path of modules.
    pub includes: Vec<String>,
    /// The broadcast values that it needs, and where they are.
    pub broadcasts: Broadcasts,
    /// The pickled function.
    pub command: Bytes,
    /// May the worker be used again?
    pub reuse_worker: bool,
    /// Larger elements are refused: this process could not hold them.
    pub most_element_bytes: usize,
    /// Where workers leave word of what they did when they crashed (`spark.python.worker.faulthandler.enabled`).
    pub fault_directory: Option<PathBuf>,
    /// After so long without a byte the worker counts as idle (`spark.python.worker.idleTimeoutSeconds`).
    pub idle_timeout: Option<Duration>,
    /// Is an idle one ended (`spark.python.worker.killOnIdleTimeout`)?
    pub kill_on_idle_timeout: bool,
    /// How long the worker of a killed task may go on until it says something (`spark.python.task.killTimeout`).
    pub kill_timeout: Duration,
}

/// The task did not go well.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The user's function has raised an exception.
    #[error("{traceback}")]
    Exception {
        /// Python's own text.
        traceback: String,
    },
    /// The worker has ended in the middle. Nobody knows where.
    #[error(
        "Python worker exited unexpectedly (crashed); spark.python.worker.faulthandler.enabled=true would show where, if it was a fault of the process"
    )]
    Crashed,
    /// The worker has ended in the middle, and has said where.
    #[error("Python worker exited unexpectedly (crashed): {threads}")]
    Faulted {
        /// What its threads did.
        threads: String,
    },
    /// It neither said nor took anything for too long.
    #[error(
        "Python worker process terminated due to idle timeout (timeout: {} seconds); spark.python.worker.killOnIdleTimeout asks for that",
        timeout.as_secs()
    )]
    Idle {
        /// How long.
        timeout: Duration,
    },
    /// The task was killed.
    #[error("the task was killed")]
    Killed,
    /// It speaks another protocol, or says too much at once.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The connection.
    #[error("could not talk to the Python worker")]
    Io(#[source] io::Error),
}

/// The elements that a worker makes of its input. After an error, or the end, nothing follows. Dropped before its end, it kills
/// the worker.
pub struct PythonRun<I, A, K, M, G> {
    /// Until the task ends.
    worker: Option<Worker>,
    input: Option<I>,
    /// What waits to be written, and how much of it was.
    pending: Vec<u8>,
    written: usize,
    /// What was read last.
    piece: Box<[u8]>,
    decoder: OutputDecoder,
    on_accumulators: A,
    is_killed: K,
    make_room: M,
    /// For the element that comes, or came last.
    room: Option<G>,
    reuse_worker: bool,
    fault_directory: Option<PathBuf>,
    idle_timeout: Option<Duration>,
    kill_on_idle_timeout: bool,
    kill_timeout: Duration,
}

impl<I, A, K, M, G> PythonRun<I, A, K, M, G>
where
    I: FnMut(&mut Vec<u8>) -> bool,
    A: FnMut(Vec<Bytes>),
    K: Fn() -> bool,
    M: FnMut(usize) -> Option<G>,
{
    /// Gives the task to the worker. `input` appends elements to what will be written, some at a time, and says false when
    /// there are no more; `on_accumulators` gets the updates of accumulators at the end. `make_room` is told the length of an element that
    /// comes in pieces before it is taken in; what it gives is kept until the next element is asked for.
    pub fn new(
        mut worker: Worker,
        options: &RunOptions,
        input: I,
        on_accumulators: A,
        is_killed: K,
        make_room: M,
    ) -> Self {
        let task = TaskInput {
            partition: options.partition,
            python_version: &options.python_version,
            context: &options.context,
            files_directory: &options.files_directory,
            includes: &options.includes,
            broadcasts: &options.broadcasts,
            command: &options.command,
        };
        let release = worker.release();
        let pending = task.encode(release, &mut worker.connected().broadcasts);
        Self {
            worker: Some(worker),
            input: Some(input),
            pending,
            written: 0,
            piece: vec![0; PIECE].into(),
            decoder: OutputDecoder::new(release, options.most_element_bytes),
            on_accumulators,
            is_killed,
            make_room,
            room: None,
            reuse_worker: options.reuse_worker,
            fault_directory: options.fault_directory.clone(),
            idle_timeout: options.idle_timeout,
            kill_on_idle_timeout: options.kill_on_idle_timeout,
            kill_timeout: options.kill_timeout,
        }
    }

    /// The next thing that the worker says.
    fn next_output(&mut self, deadline: Option<Instant>) -> Result<Output, RunError> {
        loop {
            if let Some(output) = self.decoder.decode()? {
                return Ok(output);
            }
            if self.room.is_none()
                && let Some(length) = self.decoder.awaited_element()
            {
                self.room = (self.make_room)(length);
            }
            if self.read()? {
                continue;
            }
            if self.written == self.pending.len() {
                self.refill();
            }
            if self.write()? {
                continue;
            }
            let waits_to_write = self.written < self.pending.len();
            let events = if waits_to_write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            let Some(worker) = &mut self.worker else { return Err(RunError::Crashed) };
            let idle = self.idle_timeout.map(|timeout| Instant::now() + timeout);
            let until = deadline.into_iter().chain(idle).min();
            let Connected { channel, process, .. } = worker.connected();
            // A worker's end of a task is several small writes. Its system holds each one back until this one has acknowledged the last,
            // which would take 40 ms for each. The option lasts until something is read; without it, the task is only slower. Sockets of
            // the file system have it not.
            let _ = set_tcp_quickack(&*channel, true);
            let process = process.as_ref().map(AsFd::as_fd);
            let waited = wait_for_event_or_end(&*channel, events, process, until, &self.is_killed);
            match waited.map_err(RunError::Io)? {
                Waited::Ready => {}
                // What it has said at last may have come meanwhile.
                Waited::Ended if self.read()? => {}
                Waited::Ended => return Err(self.crashed()),
                Waited::Killed => {
                    self.let_go_on();
                    return Err(RunError::Killed);
                }
                Waited::TimedOut if until == deadline => return Err(RunError::Io(ErrorKind::TimedOut.into())),
                Waited::TimedOut => self.is_idle(waits_to_write)?,
            }
        }
    }

    /// The task was killed: what the function is at may come to its end.
    fn let_go_on(&mut self) {
        let Some(worker) = self.worker.as_mut().filter(|_| !self.kill_timeout.is_zero()) else { return };
        let Connected { channel, process, .. } = worker.connected();
        let process = process.as_ref().map(AsFd::as_fd);
        let until = Some(Instant::now() + self.kill_timeout);
        // Whatever ends the wait, the worker ends next.
        if let Err(error) = wait_for_event_or_end(&*channel, PollFlags::IN, process, until, &|| false) {
            debug!(%error, "a Python worker whose task was killed could not be waited for");
        }
    }

    /// Nothing was read or written for too long.
    fn is_idle(&self, waits_to_write: bool) -> Result<(), RunError> {
        let Some(timeout) = self.idle_timeout else { return Ok(()) };
        let pid = self.worker.as_ref().map(Worker::pid);
        warn!(?pid, seconds = timeout.as_secs(), waits_to_write, "a Python worker is idle");
        if self.kill_on_idle_timeout { Err(RunError::Idle { timeout }) } else { Ok(()) }
    }

    /// Takes in what has come. False if nothing has.
    fn read(&mut self) -> Result<bool, RunError> {
        let Some(worker) = &mut self.worker else { return Err(RunError::Crashed) };
        let read = worker.connected().channel.read(&mut self.piece);
        match read {
            Ok(0) => Err(self.crashed()),
            Ok(read) => {
                self.decoder.buffer().extend_from_slice(&self.piece[..read]);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Err(self.crashed()),
            Err(error) => Err(RunError::Io(error)),
        }
    }

    /// The worker has closed the connection. Mostly it has ended; one that has only closed its files must not stay.
    fn crashed(&mut self) -> RunError {
        let pid = self.worker.take().map(|worker| worker.pid());
        let path = self.fault_directory.as_ref().zip(pid).map(|(directory, pid)| directory.join(pid.to_string()));
        let threads = path.as_ref().and_then(|path| fs::read(path).ok());
        let threads = threads.map(|threads| String::from_utf8_lossy(&threads).into_owned());
        if let Some(path) = path {
            // Another worker may get the number.
            let _ = fs::remove_file(path);
        }
        match threads {
            Some(threads) if !threads.trim().is_empty() => RunError::Faulted { threads },
            _ => RunError::Crashed,
        }
    }

    /// More of the input, at least a piece if there is so much.
    fn refill(&mut self) {
        self.pending.clear();
        // What a large element has needed is not kept for small ones.
        self.pending.shrink_to(2 * PIECE);
        self.written = 0;
        while let Some(input) = &mut self.input {
            if !input(&mut self.pending) {
                self.input = None;
                TaskInput::encode_end(&mut self.pending);
            } else if self.pending.len() >= PIECE {
                break;
            }
        }
    }

    /// Writes what the worker takes. False if it takes nothing.
    fn write(&mut self) -> Result<bool, RunError> {
        if self.written == self.pending.len() {
            return Ok(false);
        }
        let Some(worker) = &mut self.worker else { return Err(RunError::Crashed) };
        match worker.connected().channel.write(&self.pending[self.written..]) {
            Ok(written) => {
                self.written += written;
                Ok(written > 0)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            // It has closed its side. Why, it may have said before: that is to be read.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                self.written = self.pending.len();
                self.input = None;
                Ok(false)
            }
            Err(error) => Err(RunError::Io(error)),
        }
    }

    /// There are no more elements. A worker that has read all of its input can be used again; one that has stopped before that
    /// cannot, as what it has not read would be its next task.
    fn finish(&mut self) {
        let has_its_input = self.input.is_none();
        if self.reuse_worker && has_its_input {
            let ended = self.next_output(Some(Instant::now() + TIME_TO_END));
            if matches!(ended, Ok(Output::EndOfTask { reusable: true }))
                && let Some(worker) = self.worker.take()
            {
                return worker.give_back();
            }
            debug!(?ended, "a Python worker cannot be used again");
        }
        self.worker = None;
    }

    fn step(&mut self) -> Result<Option<Bytes>, RunError> {
        loop {
            match self.next_output(None)? {
                Output::Element(element) => return Ok(Some(element)),
                Output::Spilled { .. } => {}
                Output::Exception(traceback) => return Err(RunError::Exception { traceback }),
                Output::EndOfData(updates) => {
                    (self.on_accumulators)(updates);
                    self.finish();
                    return Ok(None);
                }
                // Only after the end of data, where it is waited for.
                Output::EndOfTask { .. } => return Ok(None),
            }
        }
    }
}

impl<I, A, K, M, G> Iterator for PythonRun<I, A, K, M, G>
where
    I: FnMut(&mut Vec<u8>) -> bool,
    A: FnMut(Vec<Bytes>),
    K: Fn() -> bool,
    M: FnMut(usize) -> Option<G>,
{
    type Item = Result<Bytes, RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.worker.as_ref()?;
        self.room = None;
        match self.step() {
            Ok(element) => element.map(Ok),
            Err(error) => {
                self.worker = None;
                Some(Err(error))
            }
        }
    }
}
