//! A collection of the program, on its way to become a data set: a piece for each partition, of elements with their lengths, as they
//! come. Collections may be large, so that no element is here twice.

use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read, Seek},
    mem,
    os::unix::fs::FileExt,
    thread::{self, JoinHandle},
};

use bytes::{Buf, Bytes};
use firesteel::Records;
use firesteel_python_worker::encode_element;

use super::{Address, Sockets, accept::Listener, chunks::Chunks};

/// Takes a collection from one connection, in what its chunks hold together.
pub(crate) struct ParallelizeServer {
    address: Address,
    receiver: JoinHandle<io::Result<Vec<Bytes>>>,
}

impl ParallelizeServer {
    pub(crate) fn start(sockets: &Sockets, partitions: u32) -> io::Result<Self> {
        let listener = Listener::bind(sockets)?;
        let address = listener.address().clone();
        let receive = move || {
            let stream = listener.accept()?;
            let elements = read_elements(Chunks::new(BufReader::new(stream)))?;
            Ok(slices(elements, partitions))
        };
        let receiver = thread::Builder::new().name("python-parallelize".to_owned()).spawn(receive)?;
        Ok(Self { address, receiver })
    }

    /// Where the collection goes.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Waits until all elements have come, and gives the pieces.
    pub(crate) fn finish(self) -> io::Result<Vec<Bytes>> {
        self.receiver.join().unwrap_or_else(|_| Err(io::Error::other("the thread that took the elements has panicked")))
    }
}

/// The elements of a piece, which share its memory.
pub(crate) fn elements_of_piece(mut piece: Bytes) -> Records<Bytes> {
    Box::new(std::iter::from_fn(move || {
        let length = piece.has_remaining().then(|| piece.get_u32())?;
        Some(piece.split_to(length as usize))
    }))
}

/// Reads a file of elements. It is gone over for their number, and then for where slices end, so that each is read when its length
/// is known.
pub(crate) fn read_pieces(file: &File, partitions: u32) -> io::Result<Vec<Bytes>> {
    let (mut elements, mut count) = (PassedOver::start(file)?, 0);
    while elements.pass()? {
        count += 1;
    }
    let (mut elements, mut passed) = (PassedOver::start(file)?, 0);
    let pieces = bounds(count, partitions).map(|until| {
        let start = elements.end;
        while passed < until && elements.pass()? {
            passed += 1;
        }
        let mut piece = vec![0; usize::try_from(elements.end - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut piece, start)?;
        Ok(piece.into())
    });
    pieces.collect()
}

/// The elements of a file, of which only the lengths are looked at.
struct PassedOver<'a> {
    file: BufReader<&'a File>,
    /// Of the file.
    length: u64,
    /// Of what was passed.
    end: u64,
}

impl<'a> PassedOver<'a> {
    fn start(mut file: &'a File) -> io::Result<Self> {
        file.rewind()?;
        let length = file.metadata()?.len();
        Ok(Self { file: BufReader::with_capacity(1 << 16, file), length, end: 0 })
    }

    /// Passes over an element. False at the end.
    fn pass(&mut self) -> io::Result<bool> {
        if self.end == self.length {
            return Ok(false);
        }
        let mut header = [0; 4];
        self.file.read_exact(&mut header)?;
        let length = element_length(header)?;
        self.end += 4 + u64::from(length);
        if self.end > self.length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.file.seek_relative(i64::from(length))?;
        Ok(true)
    }
}

/// Makes pieces of elements, each of which goes when it has its place.
fn slices(elements: Vec<Bytes>, partitions: u32) -> Vec<Bytes> {
    let (count, mut rest, mut taken) = (elements.len() as u64, elements.into_iter(), 0);
    let pieces = bounds(count, partitions).map(|until| {
        let slice = (until - mem::replace(&mut taken, until)) as usize;
        let length = rest.as_slice()[..slice].iter().map(|element| 4 + element.len()).sum();
        let mut piece = Vec::with_capacity(length);
        rest.by_ref().take(slice).for_each(|element| encode_element(&element, &mut piece));
        piece.into()
    });
    pieces.collect()
}

/// Where each slice of a sequence ends, and the next begins: as in Spark, the remainder is spread evenly.
fn bounds(count: u64, partitions: u32) -> impl Iterator<Item = u64> {
    (1..=partitions).map(move |index| (u128::from(index) * u128::from(count) / u128::from(partitions)) as u64)
}

/// Reads elements until the source ends.
fn read_elements(mut source: impl Read) -> io::Result<Vec<Bytes>> {
    let mut elements = Vec::new();
    loop {
        let mut header = [0; 4];
        // The end may only be between two elements.
        if source.read(&mut header[..1])? == 0 {
            return Ok(elements);
        }
        source.read_exact(&mut header[1..])?;
        let length = u64::from(element_length(header)?);
        let mut element = Vec::new();
        source.by_ref().take(length).read_to_end(&mut element)?;
        if element.len() as u64 != length {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        elements.push(Bytes::from(element));
    }
}

fn element_length(header: [u8; 4]) -> io::Result<u32> {
    u32::try_from(i32::from_be_bytes(header))
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "an element has a negative length"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pieces_of_file(bytes: &[u8], partitions: u32) -> io::Result<Vec<Bytes>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read_pieces(&file, partitions)
    }

    #[test]
    fn elements_are_read_over_chunks() {
        let chunks = b"\0\0\0\x05\0\0\0\x02a\0\0\0\x04b\0\0\0\0\0\0\0\0\0\0\x01\0\xff\xff\xff\xffignored";
        let chunks = Chunks::new(&chunks[..]);
        assert_eq!(read_elements(chunks).unwrap(), ["ab".into(), Bytes::new()]);
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        for source in [&b"\0\0\0\x02a"[..], b"\0\0", b"\xff\xff\xff\xff"] {
            assert!(read_elements(source).is_err(), "{source:?}");
            assert!(pieces_of_file(source, 1).is_err(), "{source:?}");
        }
        let chunks = Chunks::new(&b"\0\0\0\x05\0\0\0"[..]);
        assert!(read_elements(chunks).is_err());
    }

    #[test]
    fn a_file_and_a_stream_of_elements_make_the_same_pieces() {
        for count in [0, 1, 2, 7, 1000] {
            let elements: Vec<Bytes> = (0..count).map(|index| vec![b'e'; index * 401 % 1009].into()).collect();
            let mut file = Vec::new();
            elements.iter().for_each(|element| encode_element(element, &mut file));
            for partitions in [1, 2, 3, 10] {
                let pieces = pieces_of_file(&file, partitions).unwrap();
                assert_eq!(slices(read_elements(&file[..]).unwrap(), partitions), pieces);
                let sizes = pieces.iter().map(|piece| elements_of_piece(piece.clone()).count());
                let (least, most) =
                    sizes.fold((usize::MAX, 0), |(least, most), size| (least.min(size), most.max(size)));
                assert!(most - least <= 1, "{count} {partitions}");
                let back: Vec<Bytes> = pieces.into_iter().flat_map(elements_of_piece).collect();
                assert_eq!(back, elements);
            }
        }
    }
}
