//! Output that is committed or not there at all (RT-37).
//!
//! Every attempt of a task writes where nobody looks. When the driver has let one attempt of a partition commit, its files are
//! set aside as the partition's output; when all partitions have committed, the job makes the files visible and writes
//! `_SUCCESS`. There are two ways to do that, chosen by the file system:
//!
//! - **Renaming**, Hadoop's `FileOutputCommitter`, with its directories and both of its algorithms, so that its tools and
//!   readers understand what they find: `_temporary/0/_temporary/attempt_…` and `_temporary/0/task_…`.
//! - **Pending uploads**, on object stores, where renaming copies and is not atomic: files are uploaded to their final names but
//!   not completed. What travels from attempt to task to job is a small file of upload ids, in the same directories.
//!
//! Which attempt may commit is not decided here: that is the output commit coordinator's part.

mod committer;
mod part_writer;
mod pending;

pub use committer::{CommitAlgorithm, CommitError, OutputCommitter, OutputSpec, TaskAttempt};
pub use part_writer::{PartWriter, part_file_name};
