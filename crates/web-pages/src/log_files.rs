//! Reads parts of logs: the file that is written, and those that were rolled over before it, as if they were one (SA-63).
//!
//! Parts of paths come from requests. Each is a plain name, and is opened in the directory before it without following a link, so
//! that what is read is where it says it is, whatever a program has put there (SE-59).

use std::{
    ffi::CString,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, LazyLock},
};

use flate2::read::GzDecoder;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::Query;

/// A log: a directory, and the name of the file that is written.
#[derive(Debug)]
pub struct LogFiles {
    directory: OwnedFd,
    name: String,
    /// What people call it: its path below the root.
    shown: String,
}

/// Which part of a log somebody wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogWish {
    /// Where it begins; the end of the log if this is not said.
    pub offset: Option<u64>,
    /// How many bytes.
    pub length: u64,
}

/// A part of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPart {
    /// What people call the log.
    pub shown: String,
    /// What it says. Bytes that are no UTF-8 are shown as signs.
    pub text: String,
    /// Where that begins, in bytes.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// How long the log is.
    pub total: u64,
}

/// 100 KiB, as in Spark.
pub(crate) const DEFAULT_LENGTH: u64 = 100 << 10;
/// What a request holds in memory at most.
const MAX_LENGTH: u64 = 1 << 20;
/// How many parts are read at once: for a part of a compressed file all that is before it is unpacked.
const READERS: usize = 4;
/// The length that a compressed file says of itself is its lowest 32 bits. Below this size they are all of it, save where 4 GiB of
/// text have become a twentieth.
const TRUSTED_COMPRESSED: u64 = 200 << 20;

impl LogWish {
    /// What a query says. What is no number counts as not said.
    pub fn of(query: &Query) -> Self {
        let length = query.get("byteLength").parse().unwrap_or(DEFAULT_LENGTH);
        Self { offset: query.get("offset").parse().ok(), length: length.clamp(1, MAX_LENGTH) }
    }
}

impl LogFiles {
    /// The log `name` in the directory that `parts` lead to from `root`.
    pub fn open(root: &Path, parts: &[&str], name: &str) -> io::Result<Self> {
        let directory = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let mut opened = openat(CWD, root, directory, Mode::empty())?;
        for part in parts {
            opened = openat(&opened, plain(part)?, directory | OFlags::NOFOLLOW, Mode::empty())?;
        }
        plain(name)?;
        let shown = parts.iter().chain([&name]).copied().collect::<Vec<_>>().join("/");
        Ok(Self { directory: opened, name: name.to_owned(), shown })
    }

    /// Reads a part. The log may be written meanwhile.
    pub fn read(&self, wish: LogWish) -> io::Result<LogPart> {
        let files = self.files()?;
        let total: u64 = files.iter().map(|file| file.length).sum();
        let start = wish.offset.unwrap_or(total.saturating_sub(wish.length)).min(total);
        let end = start.saturating_add(wish.length.min(MAX_LENGTH)).min(total);
        let mut bytes = Vec::new();
        let mut begin = 0;
        for file in &files {
            let (from, to) = (start.max(begin), end.min(begin + file.length));
            if from < to {
                self.append(file, from - begin, to - from, &mut bytes)?;
            }
            begin += file.length;
        }
        let end = start + bytes.len() as u64;
        let (skipped, kept) = whole_characters(&bytes, start > 0, end < total);
        Ok(LogPart {
            shown: self.shown.clone(),
            text: String::from_utf8_lossy(&bytes[skipped..kept]).into_owned(),
            start: start + skipped as u64,
            end: start + kept as u64,
            total,
        })
    }

    /// All files, the oldest first.
    fn files(&self) -> io::Result<Vec<Piece>> {
        let prefix = format!("{}--", self.name);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            if let Ok(name) = entry?.file_name().to_str()
                && name.starts_with(&prefix)
            {
                names.push(name.to_owned());
            }
        }
        // As they are named, a number comes after no number, compressed or not.
        names.sort_by_key(|name| name.trim_end_matches(".gz").to_owned());
        // While one is being compressed it is there twice.
        let plain_ones: Vec<String> = names.iter().filter(|name| !name.ends_with(".gz")).cloned().collect();
        names.retain(|name| !name.strip_suffix(".gz").is_some_and(|plain| plain_ones.iter().any(|one| one == plain)));
        let mut files = Vec::with_capacity(names.len() + 1);
        for name in names {
            match self.piece(name) {
                Ok(piece) => files.push(piece),
                // It was removed since, as too many are kept.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        files.push(self.piece(self.name.clone())?);
        Ok(files)
    }

    fn piece(&self, name: String) -> io::Result<Piece> {
        let stat = statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        let compressed = name.ends_with(".gz");
        let length = if compressed { unpacked_length(self.open_file(&name)?, size)? } else { size };
        Ok(Piece { name, compressed, length })
    }

    /// Never waits, as it would for the other side of a pipe.
    fn open_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.directory, name, flags, Mode::empty())?;
        let kind = FileType::from_raw_mode(fstat(&file)?.st_mode);
        if kind == FileType::RegularFile {
            Ok(file.into())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
        }
    }

    fn append(&self, piece: &Piece, from: u64, length: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut file = match self.open_file(&piece.name) {
            // It was rolled over since: what follows is read the next time.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        if piece.compressed {
            let mut unpacked = GzDecoder::new(file);
            io::copy(&mut (&mut unpacked).take(from), &mut io::sink())?;
            unpacked.take(length).read_to_end(bytes)?;
        } else {
            file.seek(SeekFrom::Start(from))?;
            file.take(length).read_to_end(bytes)?;
        }
        Ok(())
    }
}

/// One file of a log.
#[derive(Debug)]
struct Piece {
    name: String,
    compressed: bool,
    /// Of what is in it.
    length: u64,
}

/// Reads a part of a log where it may block.
pub async fn read_log(
    open: impl FnOnce() -> io::Result<LogFiles> + Send + 'static,
    wish: LogWish,
) -> io::Result<LogPart> {
    static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(READERS)));
    let place = Arc::clone(&ROOM).acquire_owned().await.map_err(io::Error::other)?;
    // Whoever has asked may be gone before it has been read; the place is taken for as long as it is read.
    let read = spawn_blocking(move || {
        let part = open()?.read(wish);
        drop(place);
        part
    });
    read.await.map_err(io::Error::other)?
}

fn plain(name: &str) -> io::Result<CString> {
    let is_plain = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
    let name = CString::new(name).ok().filter(|_| is_plain);
    name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is no name of a file"))
}

fn unpacked_length(mut file: File, compressed: u64) -> io::Result<u64> {
    if compressed > TRUSTED_COMPRESSED {
        return io::copy(&mut GzDecoder::new(file), &mut io::sink());
    }
    let mut length = [0; 4];
    file.seek(SeekFrom::End(-4))?;
    file.read_exact(&mut length)?;
    Ok(u64::from(u32::from_le_bytes(length)))
}

/// Which of these bytes are whole characters: those that are cut belong to what is before and behind.
fn whole_characters(bytes: &[u8], cut_before: bool, cut_behind: bool) -> (usize, usize) {
    const LONGEST: usize = 4;
    let is_inside = |byte: &&u8| **byte & 0xc0 == 0x80;
    let skipped = if cut_before { bytes.iter().take(LONGEST - 1).take_while(is_inside).count() } else { 0 };
    if !cut_behind {
        return (skipped, bytes.len());
    }
    let begins = bytes.iter().rev().take(LONGEST).position(|byte| byte & 0xc0 != 0x80);
    let Some(last) = begins.map(|back| bytes.len() - 1 - back).filter(|last| *last >= skipped) else {
        return (skipped, bytes.len());
    };
    let is_cut = str::from_utf8(&bytes[last..]).is_err_and(|error| error.error_len().is_none());
    // A part that is less than a character must still lead on.
    if is_cut && last > skipped { (skipped, last) } else { (skipped, bytes.len()) }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, os::unix::fs::symlink};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn part(files: &LogFiles, offset: Option<u64>, length: u64) -> (String, u64, u64, u64) {
        let part = files.read(LogWish { offset, length }).unwrap();
        (part.text, part.start, part.end, part.total)
    }

    #[test]
    fn rolled_files_and_the_one_that_is_written_are_one_log() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("app-1/0");
        fs::create_dir_all(&directory).unwrap();
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(b"0123456789").unwrap();
        fs::write(directory.join("stderr--2026-11-22--07-00-00--000.gz"), packed.finish().unwrap()).unwrap();
        fs::write(directory.join("stderr--2026-11-22--07-00-00--000.0001"), "abcde").unwrap();
        fs::write(directory.join("stderr--2026-11-22--08-00-00--000"), "FGHIJ").unwrap();
        // It is being compressed.
        fs::write(directory.join("stderr--2026-11-22--08-00-00--000.gz"), "half").unwrap();
        fs::write(directory.join("stderr"), "xyz").unwrap();
        fs::write(directory.join("stdout"), "other").unwrap();
        let log = LogFiles::open(root.path(), &["app-1", "0"], "stderr").unwrap();
        assert_eq!(part(&log, Some(0), 100), ("0123456789abcdeFGHIJxyz".into(), 0, 23, 23));
        assert_eq!(part(&log, None, 5), ("IJxyz".into(), 18, 23, 23));
        assert_eq!(part(&log, Some(8), 4), ("89ab".into(), 8, 12, 23));
        assert_eq!(part(&log, Some(99), 4), (String::new(), 23, 23, 23));
        assert_eq!(log.read(LogWish { offset: None, length: 1 }).unwrap().shown, "app-1/0/stderr");
    }

    /// SE-59
    #[test]
    fn nothing_leads_out_of_the_root() {
        let root = tempfile::tempdir().unwrap();
        let (work, outside) = (root.path().join("work"), root.path().join("outside"));
        fs::create_dir_all(work.join("app-1/0")).unwrap();
        fs::create_dir_all(outside.join("0")).unwrap();
        fs::write(outside.join("0/stderr"), "secret").unwrap();
        fs::write(outside.join("stderr"), "secret").unwrap();
        fs::write(work.join("app-1/0/stderr"), "log").unwrap();
        symlink(&outside, work.join("app-link")).unwrap();
        symlink(outside.join("stderr"), work.join("app-1/0/stdout")).unwrap();
        symlink(outside.join("stderr"), work.join("app-1/0/stderr--2026-11-22--07-00-00--000")).unwrap();
        let read = |parts: &[&str], name: &str| {
            LogFiles::open(&work, parts, name).and_then(|log| log.read(LogWish { offset: Some(0), length: 100 }))
        };
        let absolute = outside.to_str().unwrap();
        let ways: [(&[&str], &str); 12] = [
            (&["..", "outside"], "stderr"),
            (&["app-1", "../../outside"], "stderr"),
            (&["app-1/../../outside", "0"], "stderr"),
            (&[absolute, "0"], "stderr"),
            (&["app-link", "0"], "stderr"),
            (&["app-1", "0"], "../../../outside/stderr"),
            (&["app-1", "0"], "stdout"),
            (&["app-1", "0"], "stderr"),
            (&["app-1", ""], "stderr"),
            (&["app-1", "."], "stderr"),
            (&["app-1\0", "0"], "stderr"),
            (&["%2e%2e", "outside"], "stderr"),
        ];
        for (parts, name) in ways {
            assert!(read(parts, name).is_err(), "{parts:?} {name}");
        }
        fs::remove_file(work.join("app-1/0/stderr--2026-11-22--07-00-00--000")).unwrap();
        assert_eq!(read(&["app-1", "0"], "stderr").unwrap().text, "log");
        // Opening a pipe would wait for a writer.
        fs::remove_file(work.join("app-1/0/stderr")).unwrap();
        rustix::fs::mknodat(CWD, work.join("app-1/0/stderr"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(read(&["app-1", "0"], "stderr").is_err());
    }

    #[test]
    fn parts_join_at_whole_characters() {
        let root = tempfile::tempdir().unwrap();
        let text = "aä€🔥z".repeat(20);
        fs::write(root.path().join("stdout"), &text).unwrap();
        let log = LogFiles::open(root.path(), &[], "stdout").unwrap();
        for length in 4..12 {
            let (mut offset, mut joined) = (0, String::new());
            while offset < text.len() as u64 {
                let (part, start, end, _) = part(&log, Some(offset), length);
                assert_eq!(start, offset);
                joined += &part;
                offset = end;
            }
            assert_eq!(joined, text, "{length}");
        }
        // What is no UTF-8 is shown all the same, and leads on.
        fs::write(root.path().join("stdout"), [0xff, 0x80, 0x80, 0x80, 0x80, 0xf0, b'x']).unwrap();
        assert_eq!(part(&log, Some(0), 6).2, 5);
        assert_eq!(part(&log, Some(5), 1).2, 6);
    }

    #[test]
    fn a_wish_has_bounds() {
        let wish = |query: &str| LogWish::of(&Query::parse(query.as_bytes()));
        assert_eq!(wish(""), LogWish { offset: None, length: DEFAULT_LENGTH });
        assert_eq!(wish("offset=5&byteLength=7"), LogWish { offset: Some(5), length: 7 });
        assert_eq!(wish("offset=-5&byteLength=99999999999"), LogWish { offset: None, length: MAX_LENGTH });
        assert_eq!(wish("byteLength=0").length, 1);
    }
}
