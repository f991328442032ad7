//! The doctests of the installed PySpark's core, run by Python and answered by us.
//!
//! What fails is compared with a list: an example that fails and is not listed fails the test, and so does one that is listed and
//! passes.

use std::collections::BTreeSet;

use crate::installation::Installation;

/// A docstring of a module, of which examples fail, how many, and why.
struct Listed(&'static str, usize, &'static str);

const CONTEXT: &[Listed] = &[
    Listed("SparkContext", 1, "there is a context already; it fails with Spark as well"),
    Listed("SparkContext.uiWebUrl", 1, "the web UI"),
];

/// Examples that give a job one second: on a busy machine they may get less of an answer than they expect. Scripts of ours ask the
/// same with time enough.
const TIMED: [&str; 3] = ["RDD.countApprox", "RDD.meanApprox", "RDD.sumApprox"];

/// Runs the doctests of a module, of which there must be so many examples.
#[track_caller]
fn check(module: &str, examples: usize, listed: &[Listed]) {
    let ended = Installation::new().python("doctests.py", &[module]);
    let report = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(0), "{report}");
    assert_eq!(ended.stdout.lines().last(), Some(&*format!("{examples} examples in {module}")), "{report}");
    let failed = ended.stdout.lines().filter_map(|line| line.strip_prefix("fail ")?.split_once(": "));
    let failed = failed.map(|(docstring, _)| docstring.strip_prefix(&format!("{module}.")).unwrap_or(docstring));
    let failed: Vec<_> = failed.filter(|docstring| !TIMED.contains(docstring)).collect();
    let names = failed.iter().copied().chain(listed.iter().map(|Listed(name, ..)| *name));
    for name in names.collect::<BTreeSet<_>>() {
        let found = failed.iter().filter(|failed| **failed == name).count();
        match listed.iter().find(|Listed(listed, ..)| *listed == name) {
            Some(Listed(_, count, why)) => {
                assert_eq!(found, *count, "{name} is listed ({why}), and not so many of its examples fail: {report}");
            }
            None => panic!("{found} examples of {name} fail and are not listed: {report}"),
        }
    }
}

#[test]
fn doctests_of_data_sets() {
    check("pyspark.core.rdd", 345, &[]);
}

#[test]
fn doctests_of_contexts() {
    check("pyspark.core.context", 166, CONTEXT);
}

#[test]
fn doctests_of_files_accumulators_and_broadcasts() {
    check("pyspark.core.files", 9, &[]);
    check("pyspark.accumulators", 28, &[]);
    check("pyspark.core.broadcast", 23, &[]);
}
