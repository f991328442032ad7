//! What Python processes print, shown where the executor's own words are.
//!
//! Nobody who prints ever learns that it could not be shown: a log on a full disk, or a reader that is gone or slow, is no reason for a
//! task to fail.

use std::{
    io::{self, ErrorKind, Read, Write},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a reader of ours that takes nothing is waited for before something is left out.
const PATIENCE: Duration = Duration::from_secs(1);
const PIECE: usize = 16 << 10;

/// Reads until the end, and shows what can be shown. The thread ends with the last process that can print there.
pub(crate) fn show(name: &str, mut printed: impl Read + Send + 'static) -> io::Result<()> {
    let read = move || {
        let mut piece = vec![0; PIECE];
        loop {
            match printed.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => write(&mut io::stderr(), &piece[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(read).map(drop)
}

/// Writes what can be written in time.
fn write(output: &mut (impl Write + std::os::fd::AsFd), mut bytes: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return,
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let left = deadline.saturating_duration_since(Instant::now());
                let left = Timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
                let mut waited_for = [PollFd::new(&*output, PollFlags::OUT)];
                match poll(&mut waited_for, Some(&left)) {
                    Ok(0) => return,
                    Ok(_) | Err(rustix::io::Errno::INTR) => {}
                    Err(_) => return,
                }
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::net::UnixStream, sync::mpsc};

    use super::*;

    #[test]
    fn what_cannot_be_written_is_left_out() {
        // Nobody reads any more, the disk is full, and somebody is slow.
        let (mut broken, other) = UnixStream::pair().unwrap();
        drop(other);
        write(&mut broken, b"x");
        write(&mut File::options().write(true).open("/dev/full").unwrap(), b"x");
        let (mut slow, mut reader) = UnixStream::pair().unwrap();
        slow.set_nonblocking(true).unwrap();
        let large = vec![7; 4 << 20];
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            sender.send(all.len()).unwrap();
        });
        write(&mut slow, &large);
        drop(slow);
        assert_eq!(receiver.recv().unwrap(), large.len());
        // Nobody reads at all: it ends.
        let (mut stuck, _kept) = UnixStream::pair().unwrap();
        stuck.set_nonblocking(true).unwrap();
        write(&mut stuck, &large);
    }
}
