//! What a check found.

/// One line of a report.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// The file, with a line if it has one, or the crate.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Finding {
    /// A finding at a file or crate.
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// A finding in a line of a file; `line` counts from 0.
    pub fn at_line(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{}", line + 1), what)
    }
}
