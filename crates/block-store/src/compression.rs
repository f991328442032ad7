//! The compression codecs of cached blocks and broadcast values (RT-59).

use std::io;

/// `spark.io.compression.codec`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompressionCodec {
    /// Fast, and the default.
    Lz4,
    /// Smaller, slower.
    Zstd {
        /// `spark.io.compression.zstd.level`.
        level: i32,
    },
    /// Fast.
    Snappy,
}

/// How a payload is stored, as the byte in front of it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Stored {
    Plain = 0,
    Lz4 = 1,
    Zstd = 2,
    Snappy = 3,
}

impl Stored {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Plain, Self::Lz4, Self::Zstd, Self::Snappy].into_iter().find(|stored| *stored as u8 == byte)
    }
}

/// Compresses, unless that would make the bytes longer; then they are stored as they are.
pub(crate) fn compress(codec: Option<CompressionCodec>, raw: &[u8]) -> (Stored, Option<Vec<u8>>) {
    let (stored, packed) = match codec {
        None => return (Stored::Plain, None),
        Some(CompressionCodec::Lz4) => (Stored::Lz4, Some(lz4_flex::block::compress(raw))),
        Some(CompressionCodec::Zstd { level }) => (Stored::Zstd, zstd::bulk::compress(raw, level).ok()),
        Some(CompressionCodec::Snappy) => (Stored::Snappy, snap::raw::Encoder::new().compress_vec(raw).ok()),
    };
    match packed.filter(|packed| packed.len() < raw.len()) {
        Some(packed) => (stored, Some(packed)),
        None => (Stored::Plain, None),
    }
}

/// Appends what was compressed, which must come out `raw_len` long.
pub(crate) fn decompress(stored: Stored, payload: &[u8], raw_len: usize, output: &mut Vec<u8>) -> io::Result<()> {
    let start = output.len();
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    if stored == Stored::Plain {
        output.extend_from_slice(payload);
    } else {
        output.resize(start + raw_len, 0);
        let target = &mut output[start..];
        let written = match stored {
            Stored::Plain => payload.len(),
            Stored::Lz4 => {
                lz4_flex::block::decompress_into(payload, target).map_err(|error| invalid(error.to_string()))?
            }
            Stored::Zstd => zstd::bulk::decompress_to_buffer(payload, target)?,
            Stored::Snappy => {
                snap::raw::Decoder::new().decompress(payload, target).map_err(|error| invalid(error.to_string()))?
            }
        };
        output.truncate(start + written);
    }
    let length = output.len() - start;
    if length != raw_len {
        return Err(invalid(format!("{length} bytes came out of {stored:?} where {raw_len} went in")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODECS: [CompressionCodec; 3] =
        [CompressionCodec::Lz4, CompressionCodec::Zstd { level: 1 }, CompressionCodec::Snappy];

    #[test]
    fn what_goes_in_comes_out() {
        let repetitive: Vec<u8> = (0..50_000u32).map(|number| (number / 1000) as u8).collect();
        for codec in CODECS {
            let (stored, packed) = compress(Some(codec), &repetitive);
            let packed = packed.expect("repetitive bytes become shorter");
            assert!(packed.len() < repetitive.len() / 4, "{codec:?}: {}", packed.len());
            let mut output = b"before".to_vec();
            decompress(stored, &packed, repetitive.len(), &mut output).unwrap();
            assert_eq!(&output[6..], repetitive);
            assert!(decompress(stored, &packed, repetitive.len() + 1, &mut Vec::new()).is_err());
            assert!(decompress(stored, &packed[..packed.len() / 2], repetitive.len(), &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn bytes_that_would_grow_stay_as_they_are() {
        for codec in CODECS {
            assert_eq!(compress(Some(codec), &[7]), (Stored::Plain, None));
        }
    }
}
