//! What happens to a block on its way to a spill file: nothing, compression, or encryption.
//!
//! A block is sealed as a whole before it is checksummed and written, and opened after its checksum has passed, so that
//! every file that a collection writes goes through the one codec of its task (RT-59, SE-06).

/// Turns blocks of encoded records into what is written, and back. Must be deterministic in nothing but meaning: an
/// encrypting codec may seal the same bytes differently each time.
pub trait SpillCodec: Send + Sync {
    /// Appends the sealed form of `plain` to `sealed`.
    fn seal(&self, plain: &[u8], sealed: &mut Vec<u8>) -> std::io::Result<()>;
    /// Appends to `plain` what [`seal`](Self::seal) was given. Bytes that it never produced must end in an error.
    fn open(&self, sealed: &[u8], plain: &mut Vec<u8>) -> std::io::Result<()>;
}

/// Blocks are written as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PlainBlocks;

impl SpillCodec for PlainBlocks {
    fn seal(&self, plain: &[u8], sealed: &mut Vec<u8>) -> std::io::Result<()> {
        sealed.extend_from_slice(plain);
        Ok(())
    }

    fn open(&self, sealed: &[u8], plain: &mut Vec<u8>) -> std::io::Result<()> {
        plain.extend_from_slice(sealed);
        Ok(())
    }
}

/// Blocks are compressed with LZ4, Spark's default for spills (`spark.shuffle.spill.compress` true,
/// `spark.io.compression.codec` lz4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lz4Blocks;

impl SpillCodec for Lz4Blocks {
    fn seal(&self, plain: &[u8], sealed: &mut Vec<u8>) -> std::io::Result<()> {
        let length = u32::try_from(plain.len()).map_err(std::io::Error::other)?;
        sealed.extend_from_slice(&length.to_le_bytes());
        let start = sealed.len();
        sealed.resize(start + lz4_flex::block::get_maximum_output_size(plain.len()), 0);
        let written = lz4_flex::block::compress_into(plain, &mut sealed[start..]).map_err(std::io::Error::other)?;
        sealed.truncate(start + written);
        Ok(())
    }

    fn open(&self, sealed: &[u8], plain: &mut Vec<u8>) -> std::io::Result<()> {
        let Some((length, compressed)) = sealed.split_first_chunk::<4>() else {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "the block is shorter than its length field",
            ));
        };
        let start = plain.len();
        plain.resize(start + u32::from_le_bytes(*length) as usize, 0);
        let written =
            lz4_flex::block::decompress_into(compressed, &mut plain[start..]).map_err(std::io::Error::other)?;
        plain.truncate(start + written);
        Ok(())
    }
}
