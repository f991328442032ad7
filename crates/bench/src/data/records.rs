//! Records for sorting, as lines: ten random printable characters, then a number and filling, 100 bytes with the line's end.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use crate::data::{SplitMix, once};

/// Keys are made of the 64 characters from this one on.
const FIRST: u8 = b'0';
/// The character in the middle of those.
pub const MIDDLE: u8 = FIRST + 32;

/// A directory of `files` files with `count` records in all.
pub fn records(count: u64, files: u64) -> anyhow::Result<PathBuf> {
    once(&format!("records-1-{count}-{files}"), |directory| {
        for file in 0..files {
            let mut random = SplitMix::new(file);
            let mut out = BufWriter::new(File::create(directory.join(format!("part-{file:05}")))?);
            for record in count * file / files..count * (file + 1) / files {
                let bits = random.next();
                let key: [u8; 10] = std::array::from_fn(|index| FIRST + (bits >> (6 * index) & 63) as u8);
                out.write_all(&key)?;
                writeln!(out, "{record:089}")?;
            }
            out.flush()?;
        }
        Ok(())
    })
}
