//! Which files a job reads, and how they are cut among its tasks.

mod combine;
mod delimiter;
mod glob;
mod line_reader;
mod list;
mod split;
mod utf8;
mod whole_file;

pub use combine::{CombineOptions, CombinedSplit, combine_files};
pub use glob::{GlobError, GlobPattern};
pub use line_reader::{LineOptions, LineReader, Lines, RecordDelimiter};
pub use list::{InputOptions, ListInputError, SubDirectories, find_files, list_input};
pub use split::{FileSplit, SplitOptions, file_splits};
pub use utf8::{decode_utf8, decode_utf8_into};
pub use whole_file::{open_input, read_whole_file};
