//! Room on a disk that is kept for others.
//!
//! What comes from elsewhere may be of any length: a server may send without end, and a small archive may hold terabytes. A
//! disk that is filled by it fails everybody who writes there, so it is given up before.

use std::{
    fs::File,
    io::{self, Write},
};

/// So much is written between two looks at the disk; what is shorter is written however full the disk is.
const CHECK_DISTANCE: u64 = 16 << 20;

/// What is left for others: so much, or a twentieth of a disk where that is less.
const MAX_RESERVE: u64 = 1 << 30;

/// Writes what comes from elsewhere, as long as the disk keeps room for others: 1 GiB, or a twentieth of a small disk. One
/// value watches over all files that are made of one content.
#[derive(Debug)]
pub struct DiskReserve {
    until_check: u64,
    space: fn(&File) -> io::Result<Space>,
}

/// What a file system has, in bytes.
#[derive(Debug)]
struct Space {
    total: u64,
    available: u64,
}

impl Default for DiskReserve {
    fn default() -> Self {
        Self { until_check: CHECK_DISTANCE, space: space_of }
    }
}

impl DiskReserve {
    /// Appends bytes to a file.
    ///
    /// # Errors
    ///
    /// What the system says, and [`io::ErrorKind::StorageFull`] if the disk's reserve is reached.
    pub fn write_all(&mut self, file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.until_check == 0 {
                self.check(file)?;
            }
            let length = usize::try_from(self.until_check).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(length);
            file.write_all(now)?;
            self.until_check -= length as u64;
            bytes = later;
        }
        Ok(())
    }

    fn check(&mut self, file: &File) -> io::Result<()> {
        let Space { total, available } = (self.space)(file)?;
        let reserve = MAX_RESERVE.min(total / 20);
        if available < reserve {
            let mib = |bytes: u64| bytes >> 20;
            let message = format!(
                "{} MiB are left on its disk, and {} MiB of it are kept for others; free some",
                mib(available),
                mib(reserve)
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, message));
        }
        self.until_check = CHECK_DISTANCE;
        Ok(())
    }
}

fn space_of(file: &File) -> io::Result<Space> {
    let status = rustix::fs::fstatvfs(file)?;
    let bytes = |blocks: u64| blocks.saturating_mul(status.f_frsize);
    Ok(Space { total: bytes(status.f_blocks), available: bytes(status.f_bavail) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(space: fn(&File) -> io::Result<Space>, length: usize) -> (io::Result<()>, u64) {
        let mut file = tempfile::tempfile().unwrap();
        let mut reserve = DiskReserve { space, ..DiskReserve::default() };
        let written = vec![7; length].chunks(1 << 20).try_for_each(|bytes| reserve.write_all(&mut file, bytes));
        (written, file.metadata().unwrap().len())
    }

    #[test]
    fn what_has_no_end_leaves_the_reserve() {
        let (written, length) = write(|_| Ok(Space { total: 100 << 30, available: (1 << 30) - 1 }), 40 << 20);
        let error = written.unwrap_err();
        assert_eq!((error.kind(), length), (io::ErrorKind::StorageFull, CHECK_DISTANCE));
        assert_eq!(
            error.to_string(),
            "1023 MiB are left on its disk, and 1024 MiB of it are kept for others; free some"
        );
    }

    #[test]
    fn what_has_room_is_written_and_so_is_what_is_small() {
        let roomy = |_: &File| Ok(Space { total: 10 << 30, available: 600 << 20 });
        assert!(matches!(write(roomy, 40 << 20), (Ok(()), length) if length == 40 << 20));
        let full = |_: &File| Ok(Space { total: 10 << 30, available: 0 });
        assert!(matches!(write(full, 1 << 20), (Ok(()), length) if length == 1 << 20));
    }

    #[test]
    fn the_system_tells_what_a_disk_has() {
        let Space { total, available } = space_of(&tempfile::tempfile().unwrap()).unwrap();
        assert!(total > 0 && available <= total, "{available} of {total}");
    }
}
