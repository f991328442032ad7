//! A part of a log, as a page shows it.

use crate::Link;

/// A part of a log.
#[derive(Clone, Debug)]
pub struct LogView {
    /// What is read.
    pub text: String,
    /// Where that begins, in bytes.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// How long the log is.
    pub total: u64,
    /// How many bytes a part has.
    pub length: u64,
    /// Where the script gets more: a path with a query, to which offset and length are added.
    pub source: String,
    /// The part before it.
    pub older: Option<Link>,
    /// The part behind it.
    pub newer: Option<Link>,
    /// The end of the log.
    pub latest: Link,
    /// All of these bytes as plain text.
    pub plain: Link,
}
