//! Equivalents of PySpark's own functions, beside those.

use std::path::Path;

use super::{assert_ok, installation::Installation, workers::interpreters};

#[test]
fn equivalents_of_functions_do_what_those_of_each_release_do() {
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python-worker/src/functions");
    for interpreter in interpreters() {
        let installation = Installation::with_interpreter(interpreter);
        assert_ok(&installation.python("replaced_functions.py", &[&functions.to_string_lossy()]));
    }
}

#[test]
fn functions_are_replaced_unless_they_must_not() {
    let installation = Installation::new();
    let with_key = |settings: &[&str], expected: &str| {
        let options = [&["--master", "local[2]"], settings].concat();
        let ended = installation.submit(&options, "replaced.py", &[expected]);
        // A profiler's report follows.
        let is_ok = ended.code == Some(0) && ended.stdout.lines().any(|line| line == "all as expected");
        assert!(is_ok, "{settings:?}: {}{}", ended.stdout, ended.stderr);
    };
    with_key(&[], "replaced");
    with_key(&["--conf", "spark.python.use.daemon=false"], "replaced");
    with_key(&["--conf", "spark.firesteel.python.worker.replaceFunctions=false"], "as they are");
    // Profilers are to see PySpark's own.
    with_key(&["--conf", "spark.python.profile=true"], "as they are");
}
