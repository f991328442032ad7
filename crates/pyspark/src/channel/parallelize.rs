//! A collection of the program, on its way to become a data set.

use std::{
    io::{self, BufReader, Read},
    thread::{self, JoinHandle},
};

use bytes::Bytes;

use super::{Address, Sockets, accept::Listener, chunks::Chunks};

/// Takes elements from one connection, in what its chunks hold together.
pub(crate) struct ParallelizeServer {
    address: Address,
    receiver: JoinHandle<io::Result<Vec<Bytes>>>,
}

impl ParallelizeServer {
    pub(crate) fn start(sockets: &Sockets) -> io::Result<Self> {
        let listener = Listener::bind(sockets)?;
        let address = listener.address().clone();
        let receive = move || {
            let stream = listener.accept()?;
            read_elements(Chunks::new(BufReader::new(stream)))
        };
        let receiver = thread::Builder::new().name("python-parallelize".to_owned()).spawn(receive)?;
        Ok(Self { address, receiver })
    }

    /// Where the collection goes.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Waits until all elements have come.
    pub(crate) fn finish(self) -> io::Result<Vec<Bytes>> {
        self.receiver.join().unwrap_or_else(|_| Err(io::Error::other("the thread that took the elements has panicked")))
    }
}

/// Reads elements until the source ends.
pub(crate) fn read_elements(mut source: impl Read) -> io::Result<Vec<Bytes>> {
    let mut elements = Vec::new();
    loop {
        let mut length = [0; 4];
        // The end may only be between two elements.
        if source.read(&mut length[..1])? == 0 {
            return Ok(elements);
        }
        source.read_exact(&mut length[1..])?;
        let length = u64::from(u32::from_be_bytes(length));
        if length > i32::MAX as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an element has a negative length"));
        }
        let mut element = Vec::new();
        source.by_ref().take(length).read_to_end(&mut element)?;
        if element.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        elements.push(Bytes::from(element));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        }
        let chunks = Chunks::new(&b"\0\0\0\x05\0\0\0"[..]);
        assert!(read_elements(chunks).is_err());
    }
}
