//! Reading a file that a setting names, whatever it turns out to be.
//!
//! Whoever writes a path into a configuration may slip, and then it is that of a device without an end, of a data set, or of a pipe that
//! nobody writes to. Nothing here takes memory without bound for it, nor waits without a word.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::{OFlags, fcntl_setfl};

/// No configuration is longer: what is may be a device without an end, or another file altogether.
const MOST_BYTES: u64 = 16 << 20;

/// Reads a file or a pipe, which is what `<(…)` of a shell names, unless it has more than 16 MiB. A named pipe that nobody has open for
/// writing would make whoever opens it wait without a word, so it is opened as if it were not to be waited for.
pub fn read_bounded_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    let mut begin = Vec::new();
    // The pipe of a shell has no name of its own, and had its writer when it was made.
    if file.metadata()?.file_type().is_fifo() && fs::canonicalize(path).is_ok() {
        let mut first = [0];
        match file.read(&mut first) {
            Ok(0) => return Err(io::Error::other("it is a named pipe, and nobody writes to it")),
            Ok(_) => begin.extend(first),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    fcntl_setfl(&file, OFlags::empty())?;
    read_bounded(begin.as_slice().chain(file))
}

/// Reads to the end, unless that is more than 16 MiB away: for what is not a file of this machine.
pub fn read_bounded(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other(format!("it has more than {} MiB", MOST_BYTES >> 20)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::fd::AsRawFd, thread};

    use rustix::{
        fs::{CWD, FileType, Mode, mknodat},
        io::ioctl_fionread,
    };

    use super::*;

    fn refused(path: &Path) -> String {
        read_bounded_file(path).unwrap_err().to_string()
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let long = directory.path().join("long");
        let file = File::create(&long).unwrap();
        file.set_len(MOST_BYTES + 1).unwrap();
        assert_eq!(refused(&long), "it has more than 16 MiB");
        file.set_len(MOST_BYTES).unwrap();
        assert_eq!(read_bounded_file(&long).unwrap().len() as u64, MOST_BYTES);
        assert_eq!(read_bounded(io::repeat(0)).unwrap_err().to_string(), "it has more than 16 MiB");
    }

    #[test]
    fn pipes_are_read_if_somebody_writes() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(refused(&pipe), "it is a named pipe, and nobody writes to it");
        // Open for reading too, as a pipe that nobody reads cannot be opened for writing alone.
        let mut writer = File::options().read(true).write(true).open(&pipe).unwrap();
        writer.write_all(b"spark.x 1\n").unwrap();
        let read = thread::scope(|scope| {
            let reading = scope.spawn(|| read_bounded_file(&pipe));
            while ioctl_fionread(&writer).unwrap() > 0 {
                thread::yield_now();
            }
            drop(writer);
            reading.join().unwrap()
        });
        assert_eq!(read.unwrap(), b"spark.x 1\n");

        let (read, mut write) = io::pipe().unwrap();
        write.write_all(b"spark.x 1\n").unwrap();
        drop(write);
        let path = format!("/proc/self/fd/{}", read.as_raw_fd());
        assert_eq!(read_bounded_file(Path::new(&path)).unwrap(), b"spark.x 1\n");
    }
}
