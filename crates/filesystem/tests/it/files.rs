//! Writing and reading small trees of files.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

use firesteel_filesystem::{Existing, FileError, FilePath, FileSystems};

pub fn write(systems: &FileSystems, path: &FilePath, content: &[u8]) {
    let mut file = systems.get(path).unwrap().create(path, Existing::Replace).unwrap();
    file.write_all(content).unwrap();
    assert_eq!(file.finish().unwrap(), content.len() as u64);
}

pub fn read(systems: &FileSystems, path: &FilePath) -> Vec<u8> {
    let mut content = Vec::new();
    systems.get(path).unwrap().open(path).unwrap().read_to_end(&mut content).unwrap();
    content
}

/// Every file below a directory, by its name from there.
pub fn tree(systems: &FileSystems, directory: &FilePath) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.clone()];
    while let Some(path) = open.pop() {
        match systems.get(&path).unwrap().list(&path) {
            Err(FileError::NotFound { .. }) => {}
            listed => {
                for entry in listed.unwrap() {
                    if entry.is_directory {
                        open.push(entry.path);
                    } else {
                        let name = entry.path.path()[directory.path().len() + 1..].to_owned();
                        files.insert(name, read(systems, &entry.path));
                    }
                }
            }
        }
    }
    files
}

/// Bytes without a pattern that could hide a piece that is missing or there twice.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
