//! The scripts of bench/compare: what they do with data sets comes to the same as what they do in Python alone.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use crate::installation::{Ended, Installation};

/// Every side needs some of these, and ignores the others.
const PARAMETERS: [&str; 12] = [
    "warm-up=1",
    "processes=2",
    "tasks=20",
    "reducers=3",
    "pairs=20000",
    "partitions=3",
    "points=2000",
    "iterations=5",
    "tuples=5000",
    "bytes=3000000",
    "executors=2",
    "spark.ignored=by scripts",
];

/// Asks a side for a round, and gives its answer.
#[track_caller]
fn answer(mut side: Command, text: &Path) -> String {
    side.args(PARAMETERS).arg(format!("text={}", text.display()));
    let mut side = side.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = side.stdin.take().unwrap();
    input.write_all(b"go\n").unwrap();
    drop(input);
    let ended = Ended::from(side.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let said: Vec<&str> = ended.stdout.lines().filter(|line| line.starts_with('@')).collect();
    let ["@ready", sample] = *said else { panic!("{said:?}{}", ended.stderr) };
    let (value, answer) = sample.strip_prefix("@sample ").unwrap().split_once(' ').unwrap();
    assert!(value.parse::<f64>().unwrap() > 0.0, "{sample}");
    answer.to_owned()
}

#[test]
fn scripts_of_measures_come_to_the_same_with_an_engine_and_without() {
    let installation = Installation::new();
    installation.write("text/part-0", "to be or not\nto be\n");
    let text = installation.write("text/part-1", "that is\n\nthe question\n");
    let text = text.parent().unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/python");
    let expected = [
        ("no_op_tasks.py", "local[2]", ""),
        ("word_count.py", "local[2]", "9 distinct of 11, at most 2"),
        ("sort_by_key.py", "local[2]", "20000 in order, sum 199990000"),
        ("cached_iterations.py", "local[2]", "slope "),
        ("collect.py", "local[2]", "5000 in order True, sum 12"),
        ("broadcast.py", "local-cluster[2,1,1024]", "2 times 3000000 bytes, checksum "),
    ];
    for (script, master, begin) in expected {
        let script = scripts.join(script);
        let mut plain = installation.clean(installation.interpreter());
        plain.arg(&script).arg("plain");
        let mut engine = installation.clean(installation.path("bin/spark-submit"));
        engine.args(["--master", master]).arg(&script).arg("with-data-sets");
        let [plain, engine] = [plain, engine].map(|side| answer(side, text));
        assert_eq!(plain, engine, "{}", script.display());
        assert!(plain.starts_with(begin), "{plain}");
    }
}
