//! How fast lines are read from a local file that is in the page cache, beside what `std::fs` alone costs.
//!
//! A split should cost what reading its bytes and looking once for line ends cost; the third line shows how far from that the
//! usual `BufRead::read_until` is.

use std::{
    fs::File,
    hint::black_box,
    io::{self, BufRead, BufReader, Read, Write},
    time::Instant,
};

use firesteel_filesystem::{FilePath, FileSplit, FileSystems, LineOptions, LineReader};

/// More than the caches of a processor hold, less than a test machine's memory.
const SIZE: u64 = 512 << 20;

const ROUNDS: usize = 5;

fn main() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let name = directory.path().join("text");
    let mut file = io::BufWriter::new(File::create(&name)?);
    let (mut written, mut number) = (0, 0u64);
    while written < SIZE {
        let line = format!("{number} a line of a text of about sixty bytes, give or take\n");
        file.write_all(line.as_bytes())?;
        (written, number) = (written + line.len() as u64, number + 1);
    }
    file.into_inner()?.sync_all()?;
    let path = FilePath::local(&name).ok_or_else(|| io::Error::other("the temporary directory's name is not UTF-8"))?;
    let split = FileSplit { path, start: 0, length: written, hosts: Vec::new() };
    let systems = FileSystems::default();

    measure("std::fs::File::read, no lines", written, || {
        let (mut file, mut buffer, mut sum) = (File::open(&name)?, vec![0; 256 << 10], 0);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(sum),
                read => sum += black_box(&buffer[..read]).len() as u64,
            }
        }
    })?;
    measure("LineReader::next_line", written, || {
        let mut reader = LineReader::open(&systems, &split, LineOptions::default())?;
        let mut lines = 0;
        while let Some(line) = reader.next_line()? {
            black_box(line);
            lines += 1;
        }
        Ok(lines)
    })?;
    measure("BufRead::read_until", written, || {
        let (mut file, mut line, mut lines) = (BufReader::with_capacity(256 << 10, File::open(&name)?), Vec::new(), 0);
        while file.read_until(b'\n', &mut line)? > 0 {
            black_box(&line);
            line.clear();
            lines += 1;
        }
        Ok(lines)
    })
}

fn measure(what: &str, bytes: u64, mut run: impl FnMut() -> io::Result<u64>) -> io::Result<()> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        black_box(run()?);
        best = best.min(begin.elapsed().as_secs_f64());
    }
    println!("{what:<32} {:>8.0} MB/s", bytes as f64 / best / 1e6);
    Ok(())
}
