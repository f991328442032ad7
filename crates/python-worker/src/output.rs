//! What a worker says.

use bytes::{Buf, Bytes, BytesMut};

use crate::Release;

/// Lengths that are none.
pub(crate) mod special {
    pub(crate) const END_OF_DATA_SECTION: i32 = -1;
    pub(crate) const PYTHON_EXCEPTION_THROWN: i32 = -2;
    pub(crate) const TIMING_DATA: i32 = -3;
    pub(crate) const END_OF_STREAM: i32 = -4;
    pub(crate) const START_OF_INIT_MESSAGE: i32 = -8;
}

/// One thing that it said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// An element.
    Element(Bytes),
    /// How much its collections have spilled.
    Spilled {
        /// As it was in memory.
        memory_bytes: u64,
        /// As it was on disk.
        disk_bytes: u64,
    },
    /// The user's function has raised an exception: its traceback. Nothing follows.
    Exception(String),
    /// There are no more elements; these are the updates of accumulators, each a pickled pair of id and value.
    EndOfData(Vec<Bytes>),
    /// The last thing: may the worker be used again?
    EndOfTask {
        /// It has read all of its input.
        reusable: bool,
    },
}

/// What it said cannot be taken in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    /// The protocol does not know it.
    #[error("the Python worker sent the unknown mark {mark} {place}")]
    Unknown {
        /// The number.
        mark: i32,
        /// Where it was.
        place: &'static str,
    },
    /// The process that has to hold it could not.
    #[error(
        "a Python function has made an element, or a batch of smaller ones, of {length} bytes, and {most} bytes, half of the executor's memory for data and 64 MiB, are the most that is taken; raise spark.executor.memory (in local mode spark.driver.memory), or make smaller elements or batches (batchSize of SparkContext)"
    )]
    TooLarge {
        /// The element's length.
        length: usize,
        /// The greatest that is taken.
        most: usize,
    },
}

/// Reads a worker's output, in whatever pieces it comes.
#[derive(Debug)]
pub struct OutputDecoder {
    bytes: BytesMut,
    place: Place,
    /// How many bytes of times come before those that say how much was spilled.
    times: usize,
    most: usize,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    Elements,
    /// So many updates are still to come, after those.
    Accumulators(Option<u32>, Vec<Bytes>),
    Tail,
}

impl OutputDecoder {
    /// For a worker of this release, and elements of `most` bytes.
    pub fn new(release: Release, most: usize) -> Self {
        Self { bytes: BytesMut::new(), place: Place::default(), times: 8 * release.times(), most }
    }

    /// Where more bytes go.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// The next thing; `None` if it has not come completely.
    pub fn decode(&mut self) -> Result<Option<Output>, DecodeError> {
        loop {
            let Some(&[a, b, c, d]) = self.bytes.first_chunk::<4>() else { return Ok(None) };
            let length = i32::from_be_bytes([a, b, c, d]);
            match &mut self.place {
                Place::Elements => match length {
                    0.. => return Ok(self.take(length as usize)?.map(Output::Element)),
                    special::TIMING_DATA => {
                        if self.bytes.len() < 4 + self.times + 16 {
                            return Ok(None);
                        }
                        // The times differ from what is measured here.
                        self.bytes.advance(4 + self.times);
                        let (memory_bytes, disk_bytes) = (self.bytes.get_u64(), self.bytes.get_u64());
                        return Ok(Some(Output::Spilled { memory_bytes, disk_bytes }));
                    }
                    special::PYTHON_EXCEPTION_THROWN => {
                        let Some(length) = self.bytes.get(4..8) else { return Ok(None) };
                        let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
                        let Ok(length) = usize::try_from(length) else {
                            return Err(DecodeError::Unknown { mark: length, place: "as the length of a traceback" });
                        };
                        if self.bytes.len() < 8 + length {
                            return Ok(None);
                        }
                        self.bytes.advance(8);
                        let traceback = self.bytes.split_to(length);
                        return Ok(Some(Output::Exception(String::from_utf8_lossy(&traceback).into_owned())));
                    }
                    special::END_OF_DATA_SECTION => {
                        self.bytes.advance(4);
                        self.place = Place::Accumulators(None, Vec::new());
                    }
                    mark => return Err(DecodeError::Unknown { mark, place: "between elements" }),
                },
                Place::Accumulators(count @ None, _) => {
                    let Ok(number) = u32::try_from(length) else {
                        return Err(DecodeError::Unknown { mark: length, place: "as the number of accumulators" });
                    };
                    *count = Some(number);
                    self.bytes.advance(4);
                    if number == 0 {
                        self.place = Place::Tail;
                        return Ok(Some(Output::EndOfData(Vec::new())));
                    }
                }
                Place::Accumulators(Some(_), _) => {
                    let Ok(length) = usize::try_from(length) else {
                        return Err(DecodeError::Unknown { mark: length, place: "between accumulators" });
                    };
                    let Some(update) = self.take(length)? else { return Ok(None) };
                    let Place::Accumulators(Some(count), updates) = &mut self.place else { unreachable!("see above") };
                    updates.push(update);
                    if updates.len() == *count as usize {
                        let updates = std::mem::take(updates);
                        self.place = Place::Tail;
                        return Ok(Some(Output::EndOfData(updates)));
                    }
                }
                Place::Tail => {
                    let reusable = match length {
                        special::END_OF_STREAM => true,
                        special::END_OF_DATA_SECTION => false,
                        mark => return Err(DecodeError::Unknown { mark, place: "at the end" }),
                    };
                    self.bytes.advance(4);
                    return Ok(Some(Output::EndOfTask { reusable }));
                }
            }
        }
    }

    /// The length of the element of which so far only a part has come; none if it is not known, or no element comes next.
    pub fn awaited_element(&self) -> Option<usize> {
        let length = i32::from_be_bytes(*self.bytes.first_chunk::<4>()?);
        usize::try_from(length).ok().filter(|_| matches!(self.place, Place::Elements))
    }

    /// A length and so many bytes.
    fn take(&mut self, length: usize) -> Result<Option<Bytes>, DecodeError> {
        if length > self.most {
            return Err(DecodeError::TooLarge { length, most: self.most });
        }
        let missing = (4 + length).saturating_sub(self.bytes.len());
        if missing > 0 {
            // A large element is not copied once more with every doubling.
            self.bytes.reserve(missing);
            return Ok(None);
        }
        self.bytes.advance(4);
        Ok(Some(self.bytes.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a worker of PySpark 4.3 writes after two elements and two accumulators.
    const TASK: &[u8] = b"\0\0\0\x02ab\0\0\0\0\
        \xff\xff\xff\xfd\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x04\
        \0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x09\
        \xff\xff\xff\xff\0\0\0\x02\0\0\0\x01x\0\0\0\x02yz\xff\xff\xff\xfc";

    fn decode(pieces: impl Iterator<Item = Vec<u8>>) -> Result<Vec<Output>, DecodeError> {
        let mut decoder = OutputDecoder::new(Release::V4_3, 1024);
        let mut outputs = Vec::new();
        for piece in pieces {
            decoder.buffer().extend_from_slice(&piece);
            while let Some(output) = decoder.decode()? {
                outputs.push(output);
            }
        }
        Ok(outputs)
    }

    #[test]
    fn a_task_s_output_in_any_pieces() {
        let expected = vec![
            Output::Element(Bytes::from_static(b"ab")),
            Output::Element(Bytes::new()),
            Output::Spilled { memory_bytes: 256, disk_bytes: 9 },
            Output::EndOfData(vec![Bytes::from_static(b"x"), Bytes::from_static(b"yz")]),
            Output::EndOfTask { reusable: true },
        ];
        for size in [1, 3, 7, TASK.len()] {
            assert_eq!(decode(TASK.chunks(size).map(<[u8]>::to_vec)).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn older_releases_report_one_time_less() {
        let mut decoder = OutputDecoder::new(Release::V4_1, 1024);
        decoder.buffer().extend_from_slice(b"\xff\xff\xff\xfd");
        [1_u64, 2, 3, 256, 9].iter().for_each(|number| decoder.buffer().extend_from_slice(&number.to_be_bytes()));
        assert_eq!(decoder.decode().unwrap(), Some(Output::Spilled { memory_bytes: 256, disk_bytes: 9 }));
        assert_eq!(decoder.decode().unwrap(), None);
    }

    #[test]
    fn a_worker_that_must_not_be_used_again_says_so() {
        let output = b"\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff".to_vec();
        let expected = [Output::EndOfData(vec![]), Output::EndOfTask { reusable: false }];
        assert_eq!(decode([output].into_iter()).unwrap(), expected);
    }

    #[test]
    fn an_exception_is_text() {
        let output = "\0\0\0\u{1}e".bytes().chain(*b"\xff\xff\xff\xfe\0\0\0\x04\xc3\xa9!\xff").map(|byte| vec![byte]);
        let expected = [Output::Element(Bytes::from_static(b"e")), Output::Exception("\u{e9}!\u{fffd}".into())];
        assert_eq!(decode(output).unwrap(), expected);
    }

    #[test]
    fn an_element_that_is_too_large_is_refused_before_it_comes() {
        let refused = decode([b"\0\0\x04\x01".to_vec()].into_iter()).unwrap_err();
        assert_eq!(refused, DecodeError::TooLarge { length: 1025, most: 1024 });
        assert_eq!(decode([b"\0\0\x04\0".to_vec()].into_iter()), Ok(Vec::new()));
    }

    #[test]
    fn the_length_of_an_element_is_known_before_it_has_come() {
        let mut decoder = OutputDecoder::new(Release::V4_3, 1024);
        let mut after = |bytes: &[u8]| {
            decoder.buffer().extend_from_slice(bytes);
            while decoder.decode().unwrap().is_some() {}
            decoder.awaited_element()
        };
        assert_eq!(after(b"\0\0\0"), None);
        assert_eq!(after(b"\x02"), Some(2));
        assert_eq!(after(b"ab"), None, "it has come");
        assert_eq!(after(b"\xff\xff\xff\xff\0\0\0\x01\0\0\0\x03x"), None, "an update of an accumulator");
    }

    #[test]
    fn what_the_protocol_does_not_know_is_an_error() {
        for output in [b"\xff\xff\xff\xf0".to_vec(), b"\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()] {
            assert!(decode([output].into_iter()).is_err());
        }
    }
}
