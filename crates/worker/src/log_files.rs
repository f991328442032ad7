//! The files that executors' output goes to, which may be rolled over (SA-47): Spark's `FileAppender` and `RollingFileAppender`.
//!
//! A process that writes to a file writes to that file for ever. Where files are rolled over, it writes to a pipe, and a thread
//! of the worker to the files.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, PipeReader, Read, Write},
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use tracing::warn;

/// `spark.executor.logs.rolling.*`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogRolling {
    /// When a new file begins.
    pub strategy: RollingStrategy,
    /// `spark.executor.logs.rolling.maxRetainedFiles`: how many rolled files are kept, the latest ones; all without.
    pub max_retained_files: Option<u32>,
    /// `spark.executor.logs.rolling.enableCompression`: rolled files are compressed.
    pub compress: bool,
}

/// `spark.executor.logs.rolling.strategy`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RollingStrategy {
    /// At the start of each interval of so many seconds since the Unix epoch: `spark.executor.logs.rolling.time.interval`.
    Time(Duration),
    /// Before a file has more than so many bytes: `spark.executor.logs.rolling.maxSize`.
    Size(u64),
}

/// How much is read of a process at once.
const BUFFER: usize = 8 << 10;
/// How long what a process has written last may take to be in its file. Something that it has started outside of its group may have
/// the pipe open for longer, and then writes to nobody in the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Where one of a process's outputs goes.
#[derive(Debug)]
pub(crate) struct LogFile {
    /// Says that all has been written, if a thread writes it.
    written: Option<Receiver<()>>,
}

impl LogFile {
    /// Begins a file, with `heading`.
    pub(crate) fn begin(path: &Path, heading: &str, rolling: Option<&LogRolling>) -> io::Result<(Self, Stdio)> {
        let mut file = File::create(path)?;
        file.write_all(heading.as_bytes())?;
        let Some(rolling) = rolling else { return Ok((Self { written: None }, file.into())) };
        let (reader, writer) = io::pipe()?;
        let mut log = RollingLog {
            path: path.to_owned(),
            file,
            length: heading.len() as u64,
            rolling: rolling.clone(),
            next: next_moment(rolling.strategy, SystemTime::now()),
        };
        let (done, written) = channel();
        thread::Builder::new().name("log-file".to_owned()).spawn(move || {
            copy(reader, &mut log);
            // Nobody waits any more.
            let _ = done.send(());
        })?;
        Ok((Self { written: Some(written) }, writer.into()))
    }

    /// The process has ended: waits until its last words are in the file.
    pub(crate) fn end(self) {
        if let Some(written) = self.written {
            // As it is told, or the thread has ended, or it takes too long.
            let _ = written.recv_timeout(LAST_WORDS);
        }
    }
}

/// Writes what comes until nobody writes any more. What cannot be written is lost: a process that nobody reads would hang.
fn copy(mut reader: PipeReader, log: &mut RollingLog) {
    let mut buffer = [0; BUFFER];
    let mut failed = false;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                let written = log.append(&buffer[..length], SystemTime::now());
                if let Err(error) = &written
                    && !failed
                {
                    warn!(%error, path = %log.path.display(), "the output of an executor cannot be written and is lost");
                }
                failed = written.is_err();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return warn!(%error, path = %log.path.display(), "the output of an executor cannot be read"),
        }
    }
}

/// The file that is written to, and those that were.
#[derive(Debug)]
struct RollingLog {
    path: PathBuf,
    file: File,
    length: u64,
    rolling: LogRolling,
    /// When the next file begins, by time.
    next: Option<SystemTime>,
}

impl RollingLog {
    fn append(&mut self, bytes: &[u8], now: SystemTime) -> io::Result<()> {
        let is_due = match self.rolling.strategy {
            RollingStrategy::Time(_) => self.next.is_some_and(|next| next <= now),
            RollingStrategy::Size(most) => self.length > 0 && self.length + bytes.len() as u64 > most,
        };
        if is_due {
            self.roll(now)?;
        }
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Gives what was written another name, and begins anew.
    fn roll(&mut self, now: SystemTime) -> io::Result<()> {
        self.next = next_moment(self.rolling.strategy, now);
        let rolled = self.free_name(now);
        fs::rename(&self.path, &rolled)?;
        self.file = File::create(&self.path)?;
        self.length = 0;
        if self.rolling.compress
            && let Err(error) = compress(&rolled)
        {
            warn!(%error, path = %rolled.display(), "a rolled file could not be compressed and stays as it is");
        }
        if let Some(most) = self.rolling.max_retained_files {
            self.remove_oldest(most as usize)?;
        }
        Ok(())
    }

    /// `stdout--2026-11-22--09-30-00`, with a number behind it if that is taken. In UTC, so that names sort by time.
    fn free_name(&self, now: SystemTime) -> PathBuf {
        let moment = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{name}--{}", moment.strftime("%Y-%m-%d--%H-%M-%S--%3f"));
        let is_taken = |path: &Path| path.exists() || compressed(path).exists();
        (0u32..)
            .map(|number| match number {
                0 => self.path.with_file_name(&name),
                number => self.path.with_file_name(format!("{name}.{number:04}")),
            })
            .find(|path| !is_taken(path))
            .expect("there are more numbers than files")
    }

    fn remove_oldest(&self, most: usize) -> io::Result<()> {
        let mut rolled = rolled_files(&self.path)?;
        let surplus = rolled.len().saturating_sub(most);
        for path in rolled.drain(..surplus) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// The rolled files of a log, the oldest first.
fn rolled_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let prefix = format!("{}--", path.file_name().unwrap_or_default().to_string_lossy());
    let mut found = Vec::new();
    for entry in fs::read_dir(path.parent().unwrap_or(Path::new(".")))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            found.push(entry.path());
        }
    }
    // A number comes after no number, compressed or not.
    found.sort_by_key(|path| path.to_string_lossy().trim_end_matches(".gz").to_owned());
    Ok(found)
}

fn compressed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    PathBuf::from(name)
}

/// Puts a compressed file in the place of a file. Whoever reads meanwhile finds one of them.
fn compress(path: &Path) -> io::Result<()> {
    let target = compressed(path);
    let written = OpenOptions::new().write(true).create_new(true).open(&target).and_then(|file| {
        let mut encoder = GzEncoder::new(file, Compression::default());
        io::copy(&mut File::open(path)?, &mut encoder)?;
        encoder.finish().map(drop)
    });
    match written {
        Ok(()) => fs::remove_file(path),
        Err(error) => {
            // It may not have been made.
            let _ = fs::remove_file(&target);
            Err(error)
        }
    }
}

/// When the interval after this moment begins.
fn next_moment(strategy: RollingStrategy, now: SystemTime) -> Option<SystemTime> {
    let RollingStrategy::Time(interval) = strategy else { return None };
    let seconds = interval.as_secs().max(1);
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs((since_epoch / seconds + 1).checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use flate2::read::GzDecoder;

    use super::*;

    fn log(path: &Path, strategy: RollingStrategy, max_retained_files: Option<u32>, compress: bool) -> RollingLog {
        RollingLog {
            path: path.to_owned(),
            file: File::create(path).unwrap(),
            length: 0,
            rolling: LogRolling { strategy, max_retained_files, compress },
            next: next_moment(strategy, at(0)),
        }
    }

    /// Seconds after a full hour.
    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_330_800 + seconds)
    }

    fn names(path: &Path) -> Vec<String> {
        let files = rolled_files(path).unwrap();
        files.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn by_size_no_file_has_more_than_it_may_and_the_latest_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stdout");
        let mut log = log(&path, RollingStrategy::Size(10), Some(2), false);
        for text in ["aaaaaa", "bbbb", "c", "dddddddddd", "e"] {
            log.append(text.as_bytes(), at(7)).unwrap();
        }
        let rolled = names(&path);
        assert_eq!(rolled, ["stdout--2026-11-22--07-00-07--000.0001", "stdout--2026-11-22--07-00-07--000.0002"]);
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!((read(&rolled[0]), read(&rolled[1]), read("stdout")), ("c".into(), "dddddddddd".into(), "e".into()));
    }

    #[test]
    fn by_time_a_file_begins_with_each_interval_in_which_something_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stderr");
        let mut log = log(&path, RollingStrategy::Time(Duration::from_secs(3600)), None, true);
        for (seconds, text) in [(0, "a"), (3599, "b"), (3600, "c"), (10_000, "d"), (10_001, "e")] {
            log.append(text.as_bytes(), at(seconds)).unwrap();
        }
        let rolled = names(&path);
        assert_eq!(rolled, ["stderr--2026-11-22--08-00-00--000.gz", "stderr--2026-11-22--09-46-40--000.gz"]);
        let read = |name: &str| {
            let mut text = String::new();
            let file = File::open(directory.path().join(name)).unwrap();
            GzDecoder::new(file).read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!((read(&rolled[0]).as_str(), read(&rolled[1]).as_str()), ("ab", "c"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "de");
    }

    #[test]
    fn all_that_a_process_writes_is_in_its_files_when_it_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stdout");
        let rolling =
            LogRolling { strategy: RollingStrategy::Size(16 << 10), max_retained_files: None, compress: false };
        for rolling in [Some(&rolling), None] {
            let (log, stdout) = LogFile::begin(&path, "heading\n", rolling).unwrap();
            let status = Command::new("sh").args(["-c", "seq 20000"]).stdout(stdout).status().unwrap();
            assert!(status.success());
            log.end();
            let rolled = rolled_files(&path).unwrap();
            assert_eq!(rolling.is_some(), rolled.len() > 3, "{rolled:?}");
            let files = rolled.iter().chain([&path]);
            let text: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
            let wanted: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
            assert_eq!(text, format!("heading\n{wanted}"));
            rolled.iter().for_each(|path| fs::remove_file(path).unwrap());
        }
    }
}
