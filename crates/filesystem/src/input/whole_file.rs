//! Files read as a whole.

use std::io::Read;

use crate::{Codec, Decoder, FileError, FilePath, FileSystems};

/// Opens a file and, if its suffix names a codec, decompresses it.
pub fn open_input(systems: &FileSystems, path: &FilePath) -> Result<Box<dyn Read + Send>, FileError> {
    let file = systems.get(path)?.open(path)?;
    match Codec::of_path(path) {
        None => Ok(Box::new(file)),
        Some(codec) => Ok(Box::new(
            Decoder::new(codec, file, path).map_err(|error| FileError::from_io("decompress", path, error))?,
        )),
    }
}

/// The content of a file, decompressed if `decompress` is set: `wholeTextFiles` does, `binaryFiles` does not.
pub fn read_whole_file(systems: &FileSystems, path: &FilePath, decompress: bool) -> Result<Vec<u8>, FileError> {
    let failed = |error| FileError::from_io("read", path, error);
    let mut content = Vec::new();
    if decompress && Codec::of_path(path).is_some() {
        open_input(systems, path)?.read_to_end(&mut content).map_err(failed)?;
    } else {
        let mut file = systems.get(path)?.open(path)?;
        content.reserve_exact(usize::try_from(file.length()).unwrap_or_default());
        file.read_to_end(&mut content).map_err(failed)?;
    }
    Ok(content)
}
