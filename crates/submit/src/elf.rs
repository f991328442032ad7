//! Executables as far as they must be known before one is started: is everything there that its own header speaks of?
//!
//! The system does not ask. It maps what a file lacks as pages that cannot be read, so that a file whose copy was cut off
//! starts, and ends with SIGBUS or SIGSEGV before it can say anything.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// The bytes of the header of a 64-bit ELF file.
const HEADER: u64 = 64;

/// The bytes that describe a section.
const SECTION: u16 = 64;

/// Names of sections take so many bytes at most: those of an executable are a few hundred.
const NAMES: u64 = 1 << 20;

/// The first bytes of a file that may be an executable.
#[derive(Debug)]
pub(crate) struct ElfHeader(Vec<u8>);

impl ElfHeader {
    /// Reads the header, or less if the file is shorter.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)?.take(HEADER).read_to_end(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Does the file begin as an executable does?
    pub(crate) fn is_elf(&self) -> bool {
        self.0.starts_with(b"\x7fELF")
    }

    /// Is the header whole?
    pub(crate) fn is_complete(&self) -> bool {
        self.0.len() as u64 == HEADER
    }

    /// Are both for the same kind of machine: word size, byte order and processor?
    pub(crate) fn is_for_the_machine_of(&self, other: &Self) -> bool {
        let machine =
            |header: &Self| (header.0.get(4..6).map(<[u8]>::to_vec), header.0.get(18..20).map(<[u8]>::to_vec));
        machine(self) == machine(other)
    }

    /// How long the file must be at least, in bytes: where the last of its tables ends, or of the parts that are loaded. Reads
    /// the table of those parts from the file. The header must be complete, and for this machine: the numbers are in its byte
    /// order.
    pub(crate) fn least_length(&self, path: &Path) -> io::Result<u64> {
        let header = &self.0;
        let end_of_table = |offset: u64, size: u16, number: u16| match offset {
            // There is no such table.
            0 => 0,
            offset => offset.saturating_add(u64::from(size) * u64::from(number)),
        };
        let (parts, part_size, part_number) = (long(header, 32), half(header, 54), half(header, 56));
        let sections = end_of_table(long(header, 40), half(header, 58), half(header, 60));
        let mut least = HEADER.max(sections).max(end_of_table(parts, part_size, part_number));
        let mut file = File::open(path)?;
        if least > file.metadata()?.len() {
            return Ok(least);
        }
        let mut table = Vec::new();
        file.seek(SeekFrom::Start(parts))?;
        file.take(u64::from(part_size) * u64::from(part_number)).read_to_end(&mut table)?;
        for part in table.chunks_exact(usize::from(part_size).max(1)) {
            let (offset, size_in_file) = (long(part, 8), long(part, 32));
            least = least.max(offset.saturating_add(size_in_file));
        }
        Ok(least)
    }

    /// Has it a section of this name? `None` if that cannot be told: a file may have lost the table of its sections, without which
    /// it runs as well. The header must be complete, and for this machine.
    pub(crate) fn has_section(&self, path: &Path, name: &str) -> io::Result<Option<bool>> {
        let header = &self.0;
        let (table, size, number) = (long(header, 40), half(header, 58), half(header, 60));
        if table == 0 || size < SECTION || number == 0 {
            return Ok(None);
        }
        let mut file = File::open(path)?;
        let mut sections = Vec::new();
        file.seek(SeekFrom::Start(table))?;
        (&file).take(u64::from(size) * u64::from(number)).read_to_end(&mut sections)?;
        let sections: Vec<&[u8]> = sections.chunks_exact(usize::from(size)).collect();
        let Some(of_names) = sections.get(usize::from(half(header, 62))) else { return Ok(None) };
        let mut names = Vec::new();
        file.seek(SeekFrom::Start(long(of_names, 24)))?;
        file.take(long(of_names, 32).min(NAMES)).read_to_end(&mut names)?;
        let is_named = |section: &&[u8]| {
            let name_of = names.get(word(section, 0) as usize..).unwrap_or_default();
            name_of.split(|byte| *byte == 0).next() == Some(name.as_bytes())
        };
        Ok(Some(sections.iter().any(is_named)))
    }
}

/// The 8 bytes at a place as a number; 0 if they are not there.
fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

/// The 4 bytes at a place as a number; 0 if they are not there.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

/// The 2 bytes at a place as a number; 0 if they are not there.
fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn own() -> Vec<u8> {
        fs::read("/proc/self/exe").unwrap()
    }

    fn least_length(bytes: &[u8]) -> u64 {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        ElfHeader::read(file.path()).unwrap().least_length(file.path()).unwrap()
    }

    #[test]
    fn this_test_is_whole_and_any_beginning_of_it_is_not() {
        let own = own();
        assert!(least_length(&own) <= own.len() as u64);
        for length in [64, 65, 1000, 100_000, own.len() / 2, own.len() - 1] {
            assert!(least_length(&own[..length]) > length as u64, "{length}");
        }
    }

    /// The table of sections is usually last, but a program runs without it.
    #[test]
    fn without_a_table_of_sections_the_loaded_parts_count() {
        let mut own = own();
        own[40..48].fill(0);
        let loaded = least_length(&own);
        assert!(loaded > 4096 && loaded < own.len() as u64, "{loaded}");
        let without_sections = &own[..loaded as usize];
        assert_eq!(least_length(without_sections), loaded);
        assert_eq!(least_length(&without_sections[..4096]), loaded);
    }

    fn has_section(bytes: &[u8], name: &str) -> Option<bool> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        ElfHeader::read(file.path()).unwrap().has_section(file.path(), name).unwrap()
    }

    #[test]
    fn sections_are_found_by_their_whole_names() {
        let mut own = own();
        assert_eq!(
            [".text", ".tex", "text", "firesteel"].map(|name| has_section(&own, name)),
            [Some(true), Some(false), Some(false), Some(false)]
        );
        let table = long(&own, 40) as usize;
        assert_eq!(has_section(&own[..table + 640], ".text"), None, "their names are in the last one");
        own[40..48].fill(0);
        assert_eq!(has_section(&own, ".text"), None);
    }

    #[test]
    fn numbers_of_nonsense_are_too_long_and_nothing_worse() {
        let mut bytes = own()[..4096].to_vec();
        bytes[32..64].fill(0xff);
        assert_eq!(least_length(&bytes), u64::MAX);
    }
}
