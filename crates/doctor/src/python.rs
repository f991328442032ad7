//! The Python that programs and workers run.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::finding::Finding;

const SUBJECT: &str = "python";
/// A file system that hangs must not hang this.
const TIME_OUT: Duration = Duration::from_secs(20);
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Prints the version of Python, and that of PySpark or nothing.
const PROGRAM: &str = "\
import sys
print('%d.%d' % sys.version_info[:2])
try:
    import pyspark
    print(pyspark.__version__)
except ImportError:
    pass
";

pub(crate) fn look(interpreter: &str) -> Finding {
    let absent = |error: String| {
        Finding::warning(
            SUBJECT,
            format!("{interpreter} {error}"),
            "programs of Python need it on every machine: install it, or set PYSPARK_PYTHON",
        )
    };
    let started = Command::new(interpreter)
        .args(["-c", PROGRAM])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let output = match started {
        Ok(child) => match output(child) {
            Some(output) => output,
            None => return absent(format!("has not answered within {} s", TIME_OUT.as_secs())),
        },
        Err(error) => return absent(format!("cannot be run: {error}")),
    };
    judge(interpreter, &output)
}

fn judge(interpreter: &str, output: &str) -> Finding {
    let mut lines = output.lines();
    let Some(version) = lines.next() else {
        return Finding::warning(SUBJECT, format!("{interpreter} is no Python"), "set PYSPARK_PYTHON");
    };
    match lines.next() {
        Some(pyspark) => Finding::fine(SUBJECT, format!("{interpreter} is Python {version} with PySpark {pyspark}")),
        None => Finding::warning(
            SUBJECT,
            format!("{interpreter} is Python {version} without PySpark"),
            "programs of Python need PySpark on every machine: pip install pyspark",
        ),
    }
}

/// What it prints; none if it does not end in time.
fn output(mut child: Child) -> Option<String> {
    let deadline = Instant::now() + TIME_OUT;
    while child.try_wait().ok()?.is_none() {
        if Instant::now() > deadline {
            // It may have ended just now.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(LOOK_INTERVAL);
    }
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Verdict;

    #[test]
    fn pythons_are_judged_by_what_they_print() {
        assert_eq!(judge("p", "3.11\n4.3.0\n").verdict, Verdict::Fine);
        assert!(judge("p", "3.11\n").found.contains("without PySpark"));
        assert!(judge("p", "").found.contains("is no Python"));
        assert!(look("/no/such/python").found.contains("cannot be run"));
    }
}
