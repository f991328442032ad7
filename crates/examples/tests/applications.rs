//! The examples as users run them: processes with a class name and arguments, whose output is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

/// Runs an example and gives what it printed.
fn run(name: &str, arguments: &[&str]) -> String {
    let output = command(name, arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?} ended with {}:\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn command(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firesteel-examples"));
    command.env("FIRESTEEL_MAIN_CLASS", format!("org.apache.spark.examples.{name}"));
    command.env_remove("SPARK_HOME").env_remove("SPARK_CONF_DIR");
    command.args(arguments);
    command
}

fn error_of(name: &str, arguments: &[&str]) -> String {
    let output = command(name, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn pi_is_roughly_pi() {
    let printed = run("SparkPi", &["10"]);
    let pi: f64 = printed.trim_end().strip_prefix("Pi is roughly ").unwrap().parse().unwrap();
    // A million points: a deviation of 0.02 is more than ten standard deviations.
    assert!((pi - std::f64::consts::PI).abs() < 0.02, "{pi}");
}

#[test]
fn words_of_a_directory_and_of_a_pattern_are_counted() {
    let temporary = tempfile::tempdir().unwrap();
    // The name of a temporary directory begins with a dot, and what begins so is no input.
    let directory = temporary.path().join("words");
    fs::create_dir(&directory).unwrap();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for file in 0..3 {
        let mut text = String::new();
        for line in 0..200 {
            for word in 0..line % 7 {
                let word = format!("word{}", (file * 31 + line * 17 + word * word) % 50);
                text += &word;
                text += if line % 2 == 0 { " " } else { "\t" };
                *expected.entry(word).or_default() += 1;
            }
            text += "\n";
        }
        fs::write(directory.join(format!("part-{file}.txt")), text).unwrap();
    }
    let total: u64 = expected.values().sum();
    let mut frequent: Vec<(&String, &u64)> = expected.iter().collect();
    frequent.sort_by(|left, right| right.1.cmp(left.1).then(left.0.cmp(right.0)));
    let mut lines: Vec<String> = frequent.iter().take(20).map(|(word, count)| format!("{word}: {count}")).collect();
    lines.push(format!("{total} words, {} of them different", expected.len()));

    let path = directory.to_str().unwrap();
    assert_eq!(run("WordCount", &[path]).lines().collect::<Vec<_>>(), lines);
    assert_eq!(run("JavaWordCount", &[&format!("{path}/part-*.txt")]).lines().collect::<Vec<_>>(), lines);
    let [first, others] = [format!("{path}/part-0.txt"), format!("{path}/part-[12].txt")];
    assert_eq!(run("WordCount", &[&first, &others]).lines().collect::<Vec<_>>(), lines);
}

#[test]
fn a_missing_file_and_a_missing_argument_are_told() {
    let error = error_of("WordCount", &["/no/such/file"]);
    assert!(error.contains("/no/such/file"), "{error}");
    assert!(error_of("WordCount", &[]).contains("Usage: WordCount <file, directory or pattern>..."));
    assert!(error_of("SparkPi", &["many"]).contains("slices must be a number, not many"));
}

#[test]
fn groups_are_as_many_as_keys() {
    // Two thousand random keys out of two thousand million: more than ten that are equal to another do not occur.
    let groups: u64 = run("GroupByTest", &["4", "500", "10", "3"]).trim_end().parse().unwrap();
    assert!((1990..=2000).contains(&groups), "{groups}");
    // A thousand offsets for each of three reducers; so many pairs leave out none of the 1000 keys of the first one.
    let printed = run("SimpleSkewedGroupByTest", &["2", "40000", "1", "3", "5"]);
    let groups: u64 = printed.trim_end().strip_prefix("RESULT: ").unwrap().parse().unwrap();
    assert!((2950..=3000).contains(&groups), "{groups}");
}

#[test]
fn the_closure_is_the_same_in_any_number_of_slices() {
    let closure = run("SparkTC", &["2"]);
    let edges: u64 =
        closure.trim_end().strip_prefix("TC has ").unwrap().strip_suffix(" edges.").unwrap().parse().unwrap();
    // At least the graph's own edges, at most all pairs of its vertices.
    assert!((200..=10_000).contains(&edges), "{edges}");
    assert_eq!(run("SparkTC", &["5"]), closure);
}

#[test]
fn pages_are_ranked() {
    let links = [("1", "2"), ("1", "3"), ("1", "4"), ("2", "1"), ("3", "1"), ("4", "1"), ("4", "1")];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pages.txt");
    fs::write(&file, links.map(|(from, to)| format!("{from} {to}\n")).concat()).unwrap();
    let printed = run("SparkPageRank", &[file.to_str().unwrap(), "10"]);
    let ranks: BTreeMap<&str, f64> = printed
        .lines()
        .map(|line| {
            let (page, rank) = line.strip_suffix(" .").unwrap().split_once(" has rank:  ").unwrap();
            (page, rank.parse().unwrap())
        })
        .collect();

    let links = BTreeSet::from(links);
    let mut expected = BTreeMap::from(["1", "2", "3", "4"].map(|page| (page, 1.0)));
    for _ in 0..10 {
        let share = |from: &str| expected[from] / links.iter().filter(|link| link.0 == from).count() as f64;
        let rank =
            |to: &str| 0.15 + 0.85 * links.iter().filter(|link| link.1 == to).map(|link| share(link.0)).sum::<f64>();
        expected = expected.keys().map(|page| (*page, rank(page))).collect();
    }
    assert_eq!(ranks.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (page, rank) in &ranks {
        assert!((rank - expected[page]).abs() < 1e-9, "{ranks:?} is not {expected:?}");
    }
}

#[test]
fn a_file_is_gone_over_ten_times() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lines.txt");
    fs::write(&file, "the first line\nand the second\n").unwrap();
    let printed = run("HdfsTest", &[file.to_str().unwrap()]);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 12, "{printed}");
    assert!(lines[..10].iter().all(|line| line.starts_with("Iteration ") && line.ends_with(" ms")), "{printed}");
    assert_eq!(lines[10..], ["File contents: the first ", "Returned length(s) of: 28"]);
}

#[test]
fn tasks_see_all_that_was_broadcast() {
    let printed = run("BroadcastTest", &["3", "70000"]);
    assert_eq!(printed.lines().filter(|line| *line == "70000").count(), 30, "{printed}");
}
