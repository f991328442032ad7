//! What ends a record where the user says so: any bytes (`textinputformat.record.delimiter`).
//!
//! The delimiters of a file are those that are found from its beginning on, each search behind the one before. So where two may
//! overlap, as `\n\n` does in `\n\n\n`, a reader that begins in the middle has to look back to know which of them count. (Hadoop
//! does not look back, and reads some records twice.)

use std::io;

use memchr::memmem::Finder;

/// How much is looked at first, where a reader has to look back.
const LOOK_BACK: usize = 4 << 10;

/// The bytes between two records.
pub(super) struct Delimiter {
    finder: Finder<'static>,
    overlaps_itself: bool,
}

impl Delimiter {
    /// There must be at least one byte.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let overlaps_itself = (1..bytes.len()).any(|begin| bytes.starts_with(&bytes[begin..]));
        Self { finder: Finder::new(bytes).into_owned(), overlaps_itself }
    }

    pub(super) fn length(&self) -> usize {
        self.finder.needle().len()
    }

    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        self.finder.find(text)
    }

    /// How many bytes at the beginning of `after`, a part of a file, are of a delimiter that begins before that part, as far as the
    /// next one could otherwise be found too early. `before` gives the last so many bytes before the part, or all if there are less.
    pub(super) fn reaches_into(
        &self,
        after: &[u8],
        mut before: impl FnMut(usize) -> io::Result<Vec<u8>>,
    ) -> io::Result<usize> {
        let bytes = self.finder.needle();
        let after = &after[..after.len().min(bytes.len() - 1)];
        if !self.overlaps_itself || !(1..bytes.len()).any(|begin| after.starts_with(&bytes[begin..])) {
            return Ok(0);
        }
        let mut wanted = LOOK_BACK.max(2 * bytes.len());
        loop {
            let mut text = before(wanted)?;
            let border = text.len();
            text.extend_from_slice(after);
            if let Some(end) = self.last_end(&text, border, border < wanted) {
                return Ok(end.saturating_sub(border));
            }
            wanted *= 2;
        }
    }

    /// Where the last delimiter that begins before `border` ends; zero if it ends before the border. None if that depends on
    /// what is before the text.
    fn last_end(&self, text: &[u8], border: usize, is_all: bool) -> Option<usize> {
        let length = self.length();
        let mut places = Vec::new();
        let mut from = 0;
        while let Some(place) = self.find(&text[from..]).map(|index| from + index).filter(|place| *place < border) {
            places.push(place);
            from = place + 1;
        }
        if places.last().is_none_or(|last| last + length <= border) {
            return Some(0);
        }
        // Of places that overlap, each with the next, the first counts for certain.
        let overlapping = places.windows(2).rev().take_while(|pair| pair[1] - pair[0] < length).count();
        let first = places.len() - 1 - overlapping;
        if first == 0 && !is_all && places[0] + 1 < length {
            return None;
        }
        let behind = |end: usize, place: &usize| if *place >= end { place + length } else { end };
        Some(places[first..].iter().fold(0, behind))
    }
}
