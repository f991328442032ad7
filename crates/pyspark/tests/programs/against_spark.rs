//! The same scripts on real Spark and here, and which members of the declared tables they call.
//!
//! A script that asserts passes on both: what it asserts is what Spark does. One that prints, prints the same. And every member of
//! the tables is called by a script, so that none is there that nobody has compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::installation::{Ended, Installation};

/// Everything that the gateway answers, which a test of the program's own compares with its tables.
const SURFACE: &str = include_str!("../surface.txt");

/// What both are run with: neither has a web UI here, and Spark is as quiet as Firesteel.
const ARGUMENTS: &str = "--master local[2] --conf spark.ui.enabled=false --conf spark.log.level=ERROR pyspark-shell";

/// Runs a script on both, and compares what it prints. Gives the members that it has called here.
#[track_caller]
fn compare(script: &str) -> BTreeSet<String> {
    let installation = Installation::new();
    let called = installation.path("called");
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let script_path = path(&crate::installation::place_of(script));
    let mut here = installation.python_command("traced.py", &[&path(&called), &script_path]);
    let mut spark = installation.real_spark_command(script, &[]);
    let here: Ended = here.env("PYSPARK_SUBMIT_ARGS", ARGUMENTS).output().unwrap().into();
    let spark: Ended = spark.env("PYSPARK_SUBMIT_ARGS", ARGUMENTS).output().unwrap().into();
    assert_eq!(spark.code, Some(0), "{script} on Spark: {}{}", spark.stdout, spark.stderr);
    assert_eq!(here.code, Some(0), "{script} here: {}{}", here.stdout, here.stderr);
    let (here_lines, spark_lines): (Vec<_>, Vec<_>) = (here.stdout.lines().collect(), spark.stdout.lines().collect());
    let differ = here_lines.iter().zip(&spark_lines).filter(|(here, spark)| here != spark);
    let differ: Vec<_> = differ.map(|(here, spark)| format!("here:  {here}\nSpark: {spark}\n")).collect();
    assert!(differ.is_empty(), "{script} prints other lines than on Spark:\n{}{}", differ.concat(), here.stderr);
    assert_eq!(here_lines.len(), spark_lines.len(), "{script} prints more lines, or fewer, than on Spark");
    fs::read_to_string(called).unwrap().lines().map(str::to_owned).collect()
}

/// Scripts that assert or print what Spark does.
const SCRIPTS: [&str; 6] =
    ["members.py", "other_members.py", "jobs.py", "shown.py", "hadoop_fs.py", "hadoop_members.py"];

/// Members that none of the scripts calls, by how their full names begin, and why.
const NOT_CALLED: &[(&str, &str)] = &include!("not_called.rs");

#[test]
fn programs_do_what_they_do_on_spark_and_call_every_member() {
    let mut called = BTreeSet::new();
    for script in SCRIPTS {
        called.extend(compare(script));
    }
    let surface = Surface::parse(SURFACE);
    let called: BTreeSet<String> = called.iter().filter_map(|line| surface.declared(line)).collect();
    let is_listed = |member: &String| NOT_CALLED.iter().any(|(start, _)| member.starts_with(start));
    let missing: Vec<_> = surface.members().filter(|member| !called.contains(member) && !is_listed(member)).collect();
    assert!(missing.is_empty(), "no script calls these, and they are not listed:\n{}", missing.join("\n"));
    for (start, why) in NOT_CALLED {
        let listed: Vec<_> = surface.members().filter(|member| member.starts_with(start)).collect();
        assert!(!listed.is_empty(), "{start} is listed ({why}), and there is no such member");
        assert!(
            !listed.iter().any(|member| called.contains(member)),
            "{start} is listed ({why}), and a script calls it"
        );
    }
}

/// Cases of `errors.py` whose first line is not Spark's, and why. The class of the exception is.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("sc.binaryRecords(here, 0)", "it is refused before any task divides by it"),
    ("sc.textFile(here, -1)", "it is refused by its name, and not where an array of that length is made"),
    ("sc.textFile(d + \"/{a\")", "the pattern is not a regular expression here"),
    ("sc.textFile(d + \"/nested\")", "the way out is a key of Spark's"),
    ("sc.addFile(d)", "Spark's way out is a key of SQL's"),
    ("sc.parallelize(range(8), 8).barrier()", "the numbers are said"),
    ("numbers.barrier()", "the data set is named"),
    ("jvm.no.such.Thing()", "it is said what is missing"),
    ("another file of the same name", "both files are named, and a way out"),
    ("pairs.saveAsNewAPIHadoopFile(saved", "the path has its scheme, as in all others"),
];

/// Cases of which the class differs too, and why.
const OTHERWISE: &[(&str, &str)] = &[
    ("sc.binaryRecords(here, 0)", "it is refused before any task divides by it"),
    ("sc.binaryRecords(here, -1)", "it is refused before any task makes an array of that length"),
    ("sc.sequenceFile(here)", "Spark looks at the first pair at once; here the first action does"),
    ("sc.hadoopFile(here, \"no.such.Format\"", "formats are not looked up as classes: it is said which there are"),
    ("sc.parallelize([1], -1)", "it is refused at once, and not by the first action"),
    (
        "numbers.barrier().mapPartitions(list).union",
        "that the chain is not supported is found first, slots are counted then",
    ),
    (
        "numbers.barrier().mapPartitions(lambda i: 1 / 0)",
        "where a task is tried once, its own failure ends the job before that of its stage can",
    ),
    ("jvm.no.such.Thing()", "a package whose name is no class's is not called by Java's client either"),
    ("broadcast after stop", "the directory of temporary files goes with the context"),
    ("emptyRDD of a handle after stop", "actions of Java's own data sets are not there"),
    ("textFile of a handle after stop", "actions of Java's own data sets are not there"),
    ("addFile of a handle after stop", "a context that has stopped takes nothing"),
    ("defaultParallelism of a handle after stop", "what is known is told"),
];

#[test]
fn exceptions_have_the_classes_and_words_that_spark_gives_them() {
    let installation = Installation::new();
    let mut here = installation.python_command("errors.py", &[]);
    let mut spark = installation.real_spark_command("errors.py", &[]);
    let arguments = "--conf spark.log.level=OFF pyspark-shell";
    let here: Ended = here.env("PYSPARK_SUBMIT_ARGS", arguments).output().unwrap().into();
    let spark: Ended = spark.env("PYSPARK_SUBMIT_ARGS", arguments).output().unwrap().into();
    assert_eq!((here.code, spark.code), (Some(0), Some(0)), "{}{}", here.stderr, spark.stderr);
    let listed = |list: &[(&str, &str)], line: &str| list.iter().any(|(start, _)| line.starts_with(start));
    let class = |line: &str| {
        let (_, thrown) = line.split_once(" -> ")?;
        thrown.split_once(": ").map(|(class, _)| class.to_owned())
    };
    assert_eq!(here.stdout.lines().count(), spark.stdout.lines().count(), "{}", here.stdout);
    let mut wrong = String::new();
    for (here, spark) in here.stdout.lines().zip(spark.stdout.lines()) {
        let same_class = here == spark || class(here) == class(spark);
        let fine = here == spark || listed(OTHERWISE, here) || (same_class && listed(OTHER_WORDS, here));
        if !fine {
            wrong += &format!("here:  {here}\nSpark: {spark}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The declared tables: what each class inherits from, and its own members.
struct Surface<'a>(BTreeMap<&'a str, (Vec<&'a str>, BTreeSet<&'a str>)>);

impl<'a> Surface<'a> {
    fn parse(text: &'a str) -> Self {
        let mut classes: BTreeMap<_, (Vec<_>, BTreeSet<_>)> = BTreeMap::new();
        let mut class = "";
        for line in text.lines() {
            match line.strip_prefix("    ") {
                Some(member) => drop(classes.entry(class).or_default().1.insert(member)),
                None => {
                    let (name, parents) = line.split_once(" extends ").unwrap_or((line, ""));
                    class = name;
                    classes.entry(name).or_default().0 = parents.split(", ").filter(|name| !name.is_empty()).collect();
                }
            }
        }
        Self(classes)
    }

    /// `class member` for each of them.
    fn members(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().flat_map(|(class, (_, members))| members.iter().map(move |member| format!("{class} {member}")))
    }

    /// What was called, as the member of the class that declares it.
    fn declared(&self, line: &str) -> Option<String> {
        let (class, member) = line.split_once(' ')?;
        let of_all = ["java.lang.Throwable", "java.lang.Object"];
        let declaring = self.find(class, member).or_else(|| of_all.into_iter().find_map(|all| self.find(all, member)));
        declaring.map(|class| format!("{class} {member}"))
    }

    fn find(&self, class: &str, member: &str) -> Option<&'a str> {
        let (class, (parents, members)) = self.0.get_key_value(class)?;
        if members.contains(member) { Some(class) } else { parents.iter().find_map(|parent| self.find(parent, member)) }
    }
}
