//! What Spark says first of an error: programs look for the class of its exception, and for the words that it begins with.
//!
//! Where the words here say more, they follow in a line of their own.

use firesteel_py4j::Throwable;

use crate::error::{ILLEGAL_ARGUMENT, IO_EXCEPTION, SPARK_EXCEPTION};

pub(crate) const FILE_NOT_FOUND: &str = "java.io.FileNotFoundException";
const NO_FILE_SYSTEM: &str = "org.apache.hadoop.fs.UnsupportedFileSystemException";
const NO_SUCH_FILE: &str = "java.nio.file.NoSuchFileException";
const TOO_FEW_SLOTS: &str = "org.apache.spark.scheduler.BarrierJobSlotsNumberCheckFailed";
const UNSUPPORTED_CHAIN: &str = "org.apache.spark.scheduler.BarrierJobUnsupportedRDDChainException";

/// A path that is none, in Hadoop's words.
const EMPTY_PATH: &str = "Can not create a Path from an empty string";

/// What is to be a master URL and is none.
pub(crate) fn bad_master(master: &str, why: &str) -> Throwable {
    if master == "local[0]" || master.starts_with("local[0,") {
        return Throwable::new(SPARK_EXCEPTION, format!("Asked to run locally with 0 threads\n{why}"));
    }
    Throwable::new(SPARK_EXCEPTION, format!("Could not parse Master URL: '{master}'\n{why}"))
}

/// That a partition is asked for that is not there.
pub(crate) fn no_such_partition(partition: i64, partitions: u32) -> Throwable {
    let message =
        format!("Attempting to access a non-existent partition: {partition}. Total number of partitions: {partitions}");
    Throwable::new(ILLEGAL_ARGUMENT, message)
}

/// Input that is not there, and output that is.
pub(crate) fn of_files(message: &str) -> String {
    let message = match message.split_once(' ') {
        Some(("input", rest)) => format!("Input {}", rest.replacen("pattern", "Pattern", 1)),
        Some(("output", rest)) => format!("Output {rest}"),
        _ => message.to_owned(),
    };
    message.replacen("already exists; ", "already exists\n", 1)
}

/// A path or a file system that is none, if the message says so.
pub(crate) fn of_path(message: &str) -> Option<Throwable> {
    if ["no input path is given", "a path must not be empty"].contains(&message) {
        return Some(Throwable::new(ILLEGAL_ARGUMENT, EMPTY_PATH));
    }
    let quoted = message.strip_prefix("no file system for scheme \"").and_then(|rest| rest.split_once('"'));
    let fetched = || message.split_once("cannot be fetched by ")?.1.split_once(':');
    let (scheme, _) = quoted.or_else(fetched)?;
    Some(Throwable::new(NO_FILE_SYSTEM, format!("No FileSystem for scheme \"{scheme}\"\n{message}")))
}

/// A file that cannot be one of the application's.
pub(crate) fn of_added_file(message: &str) -> Throwable {
    const MISSING: &str = " cannot be added to the application: No such file or directory";
    if let Some((path, _)) = message.split_once(MISSING) {
        return Throwable::new(FILE_NOT_FOUND, format!("File file:{path} does not exist"));
    }
    if let Some((path, _)) = message.split_once(" is a directory; only SparkContext::add_file_recursive") {
        let text = format!("{path} is a directory; sc.addFile adds one with recursive=True");
        return Throwable::new(SPARK_EXCEPTION, text);
    }
    let of_same_name = message.contains(" is taken by ");
    of_path(message)
        .unwrap_or_else(|| Throwable::new(if of_same_name { SPARK_EXCEPTION } else { IO_EXCEPTION }, message))
}

/// An archive that cannot be one of the application's.
pub(crate) fn of_added_archive(thrown: Throwable) -> Throwable {
    let path = thrown.message().strip_prefix("File file:").and_then(|rest| rest.strip_suffix(" does not exist"));
    path.map_or_else(|| thrown.clone(), |path| Throwable::new(NO_SUCH_FILE, path))
}

/// A job that has failed, if Spark has a class or words of its own for why.
pub(crate) fn of_job(message: &str) -> Option<Throwable> {
    if message.starts_with("[SPARK-24819]") {
        return Some(Throwable::new(TOO_FEW_SLOTS, message));
    }
    if message.starts_with("[SPARK-24820]") {
        return Some(Throwable::new(UNSUPPORTED_CHAIN, message));
    }
    let (_, used) = message.split_once("cannot be serialized: Attempted to use Broadcast(")?;
    let (id, _) = used.split_once(')')?;
    let text = format!("Task not serializable\nAttempted to use Broadcast({id}) after it was destroyed");
    Some(Throwable::new(SPARK_EXCEPTION, text))
}

/// A tag that no job can have.
pub(crate) fn of_tag(tag: Option<&str>) -> Option<Throwable> {
    let why = match tag {
        None => "be null.",
        Some("") => return Some(Throwable::new(ILLEGAL_ARGUMENT, "Spark job tag cannot be an empty string.")),
        Some(tag) if tag.contains(',') => "contain ','.",
        Some(_) => return None,
    };
    Some(Throwable::new(ILLEGAL_ARGUMENT, format!("Spark job tag cannot {why}")))
}

/// A broadcast value that was destroyed.
pub(crate) fn destroyed_broadcast(id: i64) -> Throwable {
    let message = format!(
        "[INTERNAL_ERROR_BROADCAST] Attempted to use Broadcast({id}) after it was destroyed (destroy at \
         NativeMethodAccessorImpl.java:0)  SQLSTATE: XX000"
    );
    Throwable::new(SPARK_EXCEPTION, message)
}

#[cfg(test)]
mod tests {
    use firesteel_py4j::Object;

    use super::*;

    fn shown(thrown: &Throwable) -> (&'static str, &str) {
        (thrown.class(), thrown.message().lines().next().unwrap_or_default())
    }

    #[test]
    fn texts_of_files_begin_as_sparks_do() {
        assert_eq!(of_files("input path does not exist: file:/a"), "Input path does not exist: file:/a");
        assert_eq!(of_files("input pattern file:/a* matches 0 files"), "Input Pattern file:/a* matches 0 files");
        assert_eq!(
            of_files("output directory file:/a already exists; choose another"),
            "Output directory file:/a already exists\nchoose another"
        );
        assert_eq!(of_files("other"), "other");
    }

    #[test]
    fn schemes_and_files_that_are_not_there_have_classes() {
        let unknown = "no file system for scheme \"foo\" of \"foo://host/path\"; known are file";
        let fetched = "foo://h/p cannot be added to the application: files of an application cannot be fetched by foo:, only by hdfs:";
        for thrown in [of_path(unknown).unwrap(), of_added_file(fetched)] {
            assert_eq!(shown(&thrown), (NO_FILE_SYSTEM, "No FileSystem for scheme \"foo\""));
        }
        assert!(of_path("something else").is_none());
        let missing = of_added_file("/a/b cannot be added to the application: No such file or directory (os error 2)");
        assert_eq!(shown(&missing), (FILE_NOT_FOUND, "File file:/a/b does not exist"));
        assert_eq!(shown(&of_added_archive(missing)), (NO_SUCH_FILE, "/a/b"));
    }

    #[test]
    fn jobs_that_cannot_be_have_classes() {
        let class = |message| of_job(message).map(|thrown| thrown.class());
        assert_eq!(class("[SPARK-24819]: x"), Some(TOO_FEW_SLOTS));
        assert_eq!(class("[SPARK-24820][SPARK-24821]: x"), Some(UNSUPPORTED_CHAIN));
        let destroyed =
            "the environment of count cannot be serialized: Attempted to use Broadcast(7) after it was destroyed";
        assert_eq!(shown(&of_job(destroyed).unwrap()), (SPARK_EXCEPTION, "Task not serializable"));
        assert_eq!(class("Job aborted due to stage failure"), None);
    }
}
