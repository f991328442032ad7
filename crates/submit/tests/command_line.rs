//! Command lines: what is read from them, and what is printed instead of being read (SS-01…08).

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use firesteel_conf::spark_env::Environment;
use firesteel_submit::{
    Action, Arguments, Defaults, Launcher, Parsed, PrimaryResource, Refusal, Submission, options, resolve,
};
use proptest::prelude::*;

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn resolved(launcher: Launcher, line: &[&str]) -> Result<Action, Refusal> {
    let parsed = Arguments::parse(launcher, &words(line))?;
    resolve(launcher, parsed, &Environment::new(), &Defaults::default(), 0)
}

fn submission(line: &[&str]) -> Submission {
    match resolved(Launcher::SparkSubmit, line) {
        Ok(Action::Run(submission)) => *submission,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn refusal(line: &[&str]) -> String {
    match resolved(Launcher::SparkSubmit, line) {
        Err(refusal) => {
            assert_eq!(refusal.exit_code(), 1);
            refusal.to_string()
        }
        Ok(action) => panic!("{line:?} was not refused: {action:?}"),
    }
}

/// What a command line comes to, in short: application, class, master, and the application's arguments.
fn summary(line: &[&str]) -> String {
    let submission = submission(line);
    let arguments: Vec<_> = submission.application_arguments.iter().map(|word| word.to_string_lossy()).collect();
    let class = submission.main_class.as_deref().unwrap_or("-");
    let master = submission.conf.get_raw("spark.master").unwrap();
    format!("{} {class} {master} {arguments:?}", submission.resource.text())
}

#[test]
fn what_is_read() {
    let cases: &[(&[&str], &str)] = &[
        (&["app"], "app - local[*] []"),
        (&["app", "--help"], r#"app - local[*] ["--help"]"#),
        (&["app", "--master", "yarn", "-c", ""], r#"app - local[*] ["--master", "yarn", "-c", ""]"#),
        (&["app", "a", "app2"], r#"app - local[*] ["a", "app2"]"#),
        (&["--master", "local[2]", "app"], "app - local[2] []"),
        (&["--master=local[2]", "app"], "app - local[2] []"),
        (&["--master=local", "--master", "local[3]", "app"], "app - local[3] []"),
        (&["--class", "a.B", "app", "x"], r#"app a.B local[*] ["x"]"#),
        (&["--class=a.B", "--class=a.C", "app"], "app a.C local[*] []"),
        (&["--class", "", "app"], "app - local[*] []"),
        // An option takes the next word, whatever it looks like.
        (&["--class", "--verbose", "app"], "app --verbose local[*] []"),
        (&["-c", "spark.master=local[5]", "app"], "app - local[5] []"),
        (&["--conf=spark.master=local[5]", "app"], "app - local[5] []"),
        (&["-v", "app"], "app - local[*] []"),
        (&["a b", "c d"], r#"a b - local[*] ["c d"]"#),
        (&["run-example", "SparkPi", "10"], r#"run-example org.apache.spark.examples.SparkPi local[*] ["10"]"#),
        (
            &["run-example", "--master=local[2]", "org.apache.spark.examples.SparkPi", "--help"],
            r#"run-example org.apache.spark.examples.SparkPi local[2] ["--help"]"#,
        ),
        (&["app", "run-example"], r#"app - local[*] ["run-example"]"#),
        (&["--name", "PySparkShell", "pyspark-shell"], "pyspark-shell - local[*] []"),
    ];
    for (line, expected) in cases {
        assert_eq!(summary(line), *expected, "{line:?}");
    }
}

#[test]
fn what_is_printed_instead() {
    let cases: &[(&[&str], Option<u8>)] = &[
        (&[], Some(255)),
        (&["--help"], Some(0)),
        (&["-h"], Some(0)),
        (&["--master", "local", "--help", "--nonsense"], Some(0)),
        (&["run-example"], Some(255)),
        (&["run-example", "--help"], Some(0)),
        (&["--usage-error"], Some(1)),
        (&["--version"], None),
        (&["--master", "nonsense", "--version", "--nonsense"], None),
    ];
    for (line, code) in cases {
        match (resolved(Launcher::SparkSubmit, line), code) {
            (Ok(Action::PrintUsage { exit_code, .. }), Some(code)) => assert_eq!(exit_code, *code, "{line:?}"),
            (Ok(Action::PrintVersion), None) => {}
            (other, _) => panic!("{line:?}: {other:?}"),
        }
    }
}

#[test]
fn what_is_refused_for_its_form() {
    let cases: &[(&[&str], &str)] = &[
        (&["--masterr", "local", "app"], "there is no option --masterr; did you mean --master?; see --help"),
        (&["--nonsense", "app"], "there is no option --nonsense; see --help"),
        (&["--nonsense=1", "app"], "there is no option --nonsense; see --help"),
        (&["-m", "local", "app"], "there is no option -m; see --help"),
        (&["-c=spark.a=b", "app"], "there is no option -c=spark.a=b; see --help"),
        (&["-", "app"], "there is no option -; see --help"),
        (&["--", "app"], "there is no option --; see --help"),
        (&["--master"], "--master needs a value: --master URL"),
        (&["-c"], "--conf needs a value: --conf KEY=VALUE"),
        (&["--verbose=true", "app"], "--verbose takes no value"),
        (&["--verbose=", "app"], "--verbose takes no value"),
        (
            &["--name=", "app"],
            "there is no value behind --name=; if a script gave it, see whether a variable is not set, or write --name \"\"",
        ),
        (&["--conf", "spark.a", "app"], "--conf \"spark.a\" has no =; write --conf key=value"),
        (&["--verbose"], "nothing to run: name an application after the options; see --help"),
        (&["--class", "a.B"], "nothing to run: name an application after the options; see --help"),
        (&["run-example", "--verbose"], "run-example needs the name of an example, such as SparkPi"),
        (&["--kill", "x", "--status", "y"], "--kill and --status cannot be given together"),
    ];
    for (line, expected) in cases {
        assert_eq!(refusal(line), *expected, "{line:?}");
    }
}

#[test]
fn no_option_takes_an_empty_value_behind_an_equals_sign() {
    for option in options::ALL.iter().filter(|option| option.value.is_some()) {
        let word = format!("{}=", option.name);
        let refusal = Arguments::parse(Launcher::SparkSubmit, &words(&[&word, "app"])).unwrap_err();
        assert!(matches!(refusal, Refusal::ValueEmpty { option: refused } if refused == option.name), "{refusal}");
    }
}

#[test]
fn conf_pairs() {
    let line =
        ["-c", "spark.a=1", "--conf", "spark.b=x=y", "--conf=spark.a=2", "-c", "spark.c=", "-c", "other=1", "app"];
    let submission = submission(&line);
    let get = |key| submission.conf.get_raw(key);
    assert_eq!((get("spark.a"), get("spark.b"), get("spark.c")), (Some("2"), Some("x=y"), Some("")));
    assert_eq!(get("other"), None);
    assert!(submission.warnings.contains(&"ignoring other (--conf): keys must begin with spark.".to_owned()));
}

#[test]
fn only_the_applications_arguments_may_be_bytes() {
    let bytes = OsStr::from_bytes(b"\xff").to_owned();
    let line = vec!["app".into(), bytes.clone()];
    let Ok(Parsed::Arguments(arguments)) = Arguments::parse(Launcher::SparkSubmit, &line) else { panic!() };
    let Ok(Action::Run(submission)) =
        resolve(Launcher::SparkSubmit, Parsed::Arguments(arguments), &Environment::new(), &Defaults::default(), 0)
    else {
        panic!()
    };
    assert_eq!(submission.application_arguments, std::slice::from_ref(&bytes));
    for line in [vec![bytes.clone()], vec!["--name".into(), bytes]] {
        assert!(matches!(Arguments::parse(Launcher::SparkSubmit, &line), Err(Refusal::NotUnicode { .. })));
    }
}

#[test]
fn a_python_example_is_a_python_program() {
    let Ok(Action::Run(submission)) = resolved(Launcher::RunExample, &["pi.py", "10"]) else { panic!() };
    assert_eq!(submission.resource, PrimaryResource::Python("pi.py".to_owned()));
}

/// Words that command lines are made of, with more than a fair share of options.
fn any_word() -> impl Strategy<Value = String> {
    let names: Vec<_> = options::ALL.iter().map(|option| option.name.to_owned()).collect();
    prop_oneof![
        3 => proptest::sample::select(names.clone()),
        1 => (proptest::sample::select(names), "\\PC{0,6}").prop_map(|(name, value)| format!("{name}={value}")),
        2 => "\\PC{0,10}",
        1 => proptest::sample::select(vec!["-c", "spark.a=b", "local[2]", "yarn-cluster", "512m", "app.py", "run-example"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn no_command_line_panics(line in proptest::collection::vec(any_word(), 0..8)) {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let _ = resolved(Launcher::SparkSubmit, &line);
        let _ = resolved(Launcher::RunExample, &line);
    }

    #[test]
    fn what_follows_the_application_is_its_own(own in proptest::collection::vec(any_word(), 0..6)) {
        let line: Vec<&str> = ["--master", "local[2]", "app"].into_iter().chain(own.iter().map(String::as_str)).collect();
        prop_assert_eq!(submission(&line).application_arguments, words(&line[3..]));
    }
}
