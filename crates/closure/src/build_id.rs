//! Which binary this is.

use std::{fs::File, io, sync::OnceLock};

/// The BLAKE3 hash of the running executable. Two processes may exchange slots exactly if theirs are equal.
///
/// It reads the file that the process was started from even if that has been replaced since. Computed once per process.
pub fn build_id() -> io::Result<[u8; 32]> {
    static BUILD_ID: OnceLock<[u8; 32]> = OnceLock::new();
    if let Some(id) = BUILD_ID.get() {
        return Ok(*id);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open("/proc/self/exe")?)?;
    Ok(*BUILD_ID.get_or_init(|| *hasher.finalize().as_bytes()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn is_stable() {
        assert_eq!(super::build_id().unwrap(), super::build_id().unwrap());
    }
}
