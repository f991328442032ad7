//! The scripts in `bin/`, the binary and a real application (SS-01…08, SS-20, SS-70…72, SS-80…88, SS-100…107).
//!
//! The application is the example `print_conf`, which cargo builds with the tests.

mod installation;

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, ErrorKind},
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::ExitStatusExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use installation::{Ended, Installation, built_example, clean, link_or_copy};

#[test]
fn an_application_gets_its_arguments_and_its_configuration() {
    let installation = Installation::new();
    let ended = installation.submit(
        &["--master=local[3]", "--name", "my name", "--class", "a.B", "-c", "spark.my.secret=s3cr3t\n x"],
        &["--help", "a b", "", "--master"],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for line in ["class=a.B", "fd=None", "arg --help", "arg a b", "arg ", "arg --master", "env SPARK_ENV_LOADED=1"] {
        ended.has_line(line);
    }
    ended.has_line(&format!("env SPARK_HOME={}", installation.directory.path().display()));
    assert_eq!(ended.conf("spark.master"), Some("local[3]"));
    assert_eq!(ended.conf("spark.app.name"), Some("my name"));
    assert_eq!(ended.conf("spark.submit.deployMode"), Some("client"));
    assert!(ended.conf("spark.app.submitTime").is_some_and(|time| time.parse::<u64>().is_ok_and(|time| time > 0)));
    assert_eq!(ended.conf("spark.my.secret"), Some("s3cr3t"));
    ended.has_line(" x");
}

#[test]
fn the_application_is_the_process_that_was_started() {
    let installation = Installation::new();
    let mut child = installation
        .command("spark-submit")
        .arg(installation.application())
        .arg("--wait")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first_line = String::new();
    // The reader stays, since the application goes on printing.
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first_line).unwrap();
    assert_eq!(first_line.trim_end(), format!("pid={}", child.id()));
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn the_exit_code_is_the_applications() {
    let installation = Installation::new();
    for code in [0, 1, 7, 101, 255] {
        assert_eq!(installation.submit(&[], &["--exit", &code.to_string()]).code, Some(code));
    }
}

#[test]
fn secrets_are_neither_arguments_nor_environment() {
    let installation = Installation::new();
    installation.write("conf/spark-defaults.conf", "spark.authenticate.secret hunter2\n");
    let mut child = installation
        .command("spark-submit")
        .arg(installation.application())
        .arg("--wait")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    while !printed.contains("conf spark.authenticate.secret=hunter2") {
        assert_ne!(reader.read_line(&mut printed).unwrap(), 0, "{printed}");
    }
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{}/{file}", child.id())).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "{file}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn codes_and_streams_of_what_runs_nothing() {
    let installation = Installation::new();
    installation.write("there.py", "");
    let cases: &[(&str, &[&str], i32, &str)] = &[
        ("spark-submit", &[], 255, "Usage: spark-submit [options]"),
        ("spark-submit", &["--help"], 0, "Usage: spark-submit [options]"),
        ("spark-submit", &["--usage-error"], 1, "Usage: spark-submit [options]"),
        ("spark-submit", &["--version"], 0, "Firesteel version "),
        ("spark-submit", &["--bogus", "app"], 1, "Error: there is no option --bogus"),
        ("spark-submit", &["--master"], 1, "Error: --master needs a value"),
        ("spark-submit", &["--master", "local[0]", "app"], 1, "Error: --master is \"local[0]\""),
        (
            "spark-submit",
            &["--master", "spark://h:7077", "--deploy-mode", "cluster", "app"],
            1,
            "app: there is no such file",
        ),
        (
            "spark-submit",
            &["--master", "mesos://zk://h:2181/m", "app"],
            1,
            "Error: Mesos (mesos://zk://h:2181/m) is not built in",
        ),
        ("spark-submit", &["--master", "k8s://h", "app"], 1, "Error: Kubernetes (k8s://https://h) is not built in yet"),
        ("spark-submit", &["--master", "yarn", "app"], 1, "Error: YARN (yarn) is not built in yet"),
        (
            "spark-submit",
            &["--kill", "x", "--master", "mesos://h:1"],
            1,
            "Error: --kill on Mesos (mesos://h:1) is not built in yet",
        ),
        ("spark-submit", &["--remote", "sc://h", "app"], 1, "Error: running on a Spark Connect server"),
        ("spark-submit", &["app.py"], 1, "app.py: there is no such file"),
        (
            "spark-submit",
            &["hdfs://h/app.py"],
            1,
            "Error: fetching a Python program (hdfs://h/app.py) is not built in yet",
        ),
        ("spark-submit", &["there.py"], 1, "Error: the driver of Python programs is not built; run `cargo build"),
        ("spark-submit", &["app.R"], 1, "Error: running R programs (app.R) is not built in yet"),
        (
            "spark-submit",
            &["pyspark-shell"],
            1,
            "Error: the driver of Python programs is not built; run `cargo build --release -p firesteel-pyspark`",
        ),
        ("spark-submit", &["--class", "a.B", "app.jar"], 1, "Error: app.jar is a JVM application"),
        (
            "spark-submit",
            &["ftp://h/app"],
            1,
            "Error: could not fetch the application ftp://h/app: no file system for scheme \"ftp\"",
        ),
        ("spark-submit", &["gone"], 1, "there is no such file"),
        ("spark-submit", &["bin"], 1, "it is not a file"),
        ("spark-submit", &["bin/spark-submit"], 1, "it is not an executable; an application is a program built on"),
        (
            "spark-submit",
            &["--properties-file", "gone.conf", "app"],
            1,
            "Error: could not read the properties file gone.conf: No such",
        ),
        ("spark-submit", &["--proxy-user", "u", "bin/firesteel"], 1, "Error: acting for another user (--proxy-user)"),
        ("spark-submit", &["--keytab", "gone.keytab", "bin/firesteel"], 1, "gone.keytab does not exist"),
        ("spark-submit", &["--principal", "p", "bin/firesteel"], 1, "Error: logging in with Kerberos"),
        (
            "spark-submit",
            &["--packages", "a:b", "bin/firesteel"],
            1,
            "Error: \"a:b\" in --packages is not a Maven coordinate",
        ),
        ("spark-submit", &["--packages", "a:b:1", "bin/firesteel"], 1, "Error: a:b:1 in --packages is a JVM package"),
        ("spark-submit", &["--files", "none*", "bin/firesteel"], 1, "Error: spark.files: none* matches no file"),
        ("run-example", &[], 255, "Usage: run-example [options] EXAMPLE"),
        (
            "run-example",
            &["SparkPi"],
            1,
            "Error: the examples are not built; run `cargo build --release -p firesteel-examples`",
        ),
        ("run-example", &["pi.py"], 1, "pi.py: there is no such file"),
        ("spark-class", &[], 1, "Usage: spark-class CLASS"),
        ("spark-class", &["org.apache.spark.deploy.SparkSubmit", "--version"], 0, "Firesteel version "),
        (
            "spark-class",
            &["org.apache.spark.deploy.master.Master", "extra"],
            1,
            "Error: a master takes no argument, and \"extra\" was given",
        ),
        ("spark-class", &["org.apache.spark.deploy.worker.Worker"], 1, "Error: a worker takes one argument"),
        ("spark-class", &["org.apache.spark.deploy.history.HistoryServer"], 1, "Error: the history server"),
        (
            "spark-class",
            &["org.apache.spark.deploy.SparkSubmitt"],
            1,
            "did you mean org.apache.spark.deploy.SparkSubmit?",
        ),
        ("spark-class", &["org.apache.spark.examples.SparkPi", "2"], 1, "Error: the examples are not built; run"),
        (
            "spark-class",
            &["org.apache.spark.launcher.Main"],
            1,
            "Error: org.apache.spark.launcher.Main is not built in yet; applications are started by spark-submit",
        ),
        ("spark-submit", &[""], 1, "Error: nothing to run: the name of the application is empty"),
        (
            "spark-submit",
            &["--properties-file", "/dev/zero", "app"],
            1,
            "Error: could not read the properties file /dev/zero: it has more than 16 MiB",
        ),
        (
            "spark-class",
            &["org.apache.spark.api.python.PythonGatewayServer"],
            1,
            "Error: org.apache.spark.api.python.PythonGatewayServer is not started by its name: spark-submit starts it",
        ),
        ("spark-class", &["com.example.Main"], 1, "Error: com.example.Main is not a class that spark-class knows"),
        (
            "spark-class",
            &["s3a://me:word@bucket/Main"],
            1,
            "Error: s3a://*********(redacted)@bucket/Main is not a class",
        ),
    ];
    for (script, words, code, text) in cases {
        let ended = installation.run(script, words);
        assert_eq!(ended.code, Some(*code), "{script} {words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(text), "{script} {words:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{script} {words:?}");
    }
}

#[test]
fn a_damaged_executable_is_not_given_to_a_shell() {
    let installation = Installation::new();
    let built = fs::read(built_example("print_conf")).unwrap();
    let executable = |name: &str, bytes: &[u8], mode: u32| {
        let path = installation.path(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        installation.run("spark-submit", &[name])
    };
    let mut foreign = built[..4096].to_vec();
    foreign[18..20].copy_from_slice(&[0xf3, 0xf3]);
    let cases: [(&str, &[u8], u32, &str); 8] = [
        ("plain", &built, 0o644, "chmod +x"),
        ("text", b"echo hello\n", 0o755, "it is not an executable"),
        ("beginning", b"\x7fELF; echo hello", 0o755, "the file is cut off"),
        ("header", &built[..64], 0o755, "the file is cut off"),
        ("little", &built[..1000], 0o755, "the file is cut off"),
        ("more", &built[..100_000], 0o755, "the file is cut off"),
        ("most", &built[..built.len() - 1], 0o755, "the file is cut off"),
        ("foreign", &foreign, 0o755, "it was built for another kind of machine"),
    ];
    for (name, bytes, mode, why) in cases {
        let ended = executable(name, bytes, mode);
        assert_eq!(ended.code, Some(1), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains(&format!("/{name}: ")) && ended.stderr.contains(why), "{}", ended.stderr);
    }

    // What only the system can find out: the dynamic linker that the file asks for does not exist.
    let linker = b"/ld-linux";
    let position = built.windows(linker.len()).position(|window| window == linker).expect("a dynamic executable");
    let mut without_linker = built;
    without_linker[position + 1] = b'X';
    let ended = executable("without-linker", &without_linker, 0o755);
    assert_eq!(ended.code, Some(101), "{}", ended.stderr);
    assert!(ended.stderr.contains("Error: could not execute"), "{}", ended.stderr);
}

#[test]
fn usage_lines_of_other_scripts() {
    let installation = Installation::new();
    let mut command = installation.command("spark-submit");
    let ended: Ended =
        command.env("_SPARK_CMD_USAGE", "Usage: ./bin/pyspark [options]").arg("--help").output().unwrap().into();
    assert!(ended.stderr.starts_with("Usage: ./bin/pyspark [options]\n"), "{}", ended.stderr);
}

#[test]
fn files_count_as_they_should() {
    let installation = Installation::new();
    installation.write(
        "conf/spark-defaults.conf",
        "spark.my.a  default\nspark.my.b: default\nother=x\nspark.master local[2]\n",
    );
    installation.write("given.conf", "spark.my.a=given\n");
    let conf = |ended: Ended| {
        let get = |key| ended.conf(key).map(str::to_owned);
        (get("spark.my.a"), get("spark.my.b"), get("spark.master"))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(conf(installation.submit(&[], &[])), (some("default"), some("default"), some("local[2]")));
    let given = installation.submit(&["--properties-file", "given.conf"], &[]);
    assert_eq!(conf(given), (some("given"), None, some("local[*]")));
    let both = installation.submit(&["--properties-file", "given.conf", "--load-spark-defaults"], &[]);
    assert_eq!(conf(both), (some("given"), some("default"), some("local[2]")));
    let ended = installation.submit(&["-c", "spark.my.a=conf", "--master", "local"], &[]);
    assert!(ended.stderr.contains("Warning: ignoring other (properties file)"), "{}", ended.stderr);
    assert_eq!(conf(ended), (some("conf"), some("default"), some("local")));

    let elsewhere = installation.write("etc/spark-defaults.conf", "spark.my.a elsewhere\n");
    let mut command = installation.command("spark-submit");
    command.env("SPARK_CONF_DIR", elsewhere.parent().unwrap()).arg(installation.application());
    assert_eq!(conf(command.output().unwrap().into()), (some("elsewhere"), None, some("local[*]")));
}

#[test]
fn spark_env_is_read_through_the_scripts() {
    let installation = Installation::new();
    installation
        .write("conf/spark-env.sh", "FROM_SPARK_ENV=\"it's $(echo me)\"\nMASTER='local[7]'\nSPARK_DRIVER_MEMORY=3g\n");
    let ended = installation.submit(&[], &[]);
    ended.has_line("env FROM_SPARK_ENV=it's me");
    assert_eq!(ended.conf("spark.master"), Some("local[7]"));
    assert_eq!(ended.conf("spark.driver.memory"), Some("3g"));
    // Once per process tree.
    let mut command = installation.command("spark-submit");
    let ended: Ended = command.env("SPARK_ENV_LOADED", "1").arg(installation.application()).output().unwrap().into();
    ended.has_line("env FROM_SPARK_ENV=");
    assert_eq!(ended.conf("spark.master"), Some("local[*]"));

    installation.write("conf/spark-env.sh", "exit 4\n");
    let ended = installation.submit(&[], &[]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("conf/spark-env.sh was not read to its end (exit status 4)"), "{}", ended.stderr);
}

/// What the shell has when it has read `spark-env.sh`, the application has, and its arguments are what they were.
#[test]
fn spark_env_sets_more_than_variables() {
    let installation = Installation::new();
    installation.write(
        "conf/spark-env.sh",
        "umask 027\nulimit -n 77\nPARTS=(a b)\nFROM_SPARK_ENV=${PARTS[1]},$SPARK_CONF_DIR\n",
    );
    let ended = installation.submit(&["--name", "a  b", "-c", "spark.my.a="], &["", "$HOME", "c\nd"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let directory = installation.path("conf");
    let directory = directory.display();
    for line in [
        "umask=0027 files=77",
        &format!("env FROM_SPARK_ENV=b,{directory}"),
        &format!("env SPARK_CONF_DIR={directory}"),
        "conf spark.app.name=a  b",
        "conf spark.my.a=",
        "arg ",
        "arg $HOME",
        "arg c",
    ] {
        ended.has_line(line);
    }
    fs::remove_file(installation.path("conf/spark-env.sh")).unwrap();
    installation.submit(&[], &[]).has_line(&format!("env SPARK_CONF_DIR={directory}"));
}

/// A full disk and a pipe that nobody reads take no job away, nor what is asked for.
#[test]
fn nothing_depends_on_standard_error() {
    let installation = Installation::new();
    let application = installation.application();
    let application = application.to_str().unwrap();
    let cases: [(&str, &[&str], i32); 8] = [
        ("spark-submit", &["-c", "spark.foo=1", application], 0),
        ("spark-submit", &["--verbose", application], 0),
        ("spark-submit", &["--help"], 0),
        ("spark-submit", &["--version"], 0),
        ("spark-submit", &["--bogus"], 1),
        ("spark-submit", &[], 255),
        ("run-example", &["--help"], 0),
        ("spark-class", &[], 1),
    ];
    for (script, words, code) in cases {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (reader, unread) = io::pipe().unwrap();
        drop(reader);
        for stderr in [Stdio::from(full), Stdio::from(unread)] {
            let output = installation.command(script).args(words).stderr(stderr).output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{script} {words:?}");
            assert_eq!(words.contains(&application), !output.stdout.is_empty(), "{script} {words:?}");
        }
    }
}

#[test]
fn lists_of_files_are_resolved() {
    let installation = Installation::new();
    installation.write("data/a.txt", "a");
    installation.write("data/b.txt", "b");
    installation.write("lib x/c.jar", "c");
    let ended = installation.submit(
        &["--files", "data/*.txt", "--jars", "lib x/c.jar,gone.jar", "--archives", "data/a.txt#env,local:/opt/e.zip"],
        &[],
    );
    let uri = format!("file://{}", installation.directory.path().display()).replace(' ', "%20");
    assert_eq!(ended.conf("spark.files"), Some(format!("{uri}/data/a.txt,{uri}/data/b.txt").as_str()));
    assert_eq!(ended.conf("spark.jars"), Some(format!("{uri}/lib%20x/c.jar").as_str()));
    assert_eq!(ended.conf("spark.archives"), Some(format!("{uri}/data/a.txt#env,local:///opt/e.zip").as_str()));
    assert!(ended.stderr.contains("Warning: spark.jars: gone.jar does not exist and is left out"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Warning: spark.jars (--jars): the libraries are shipped as files, but no JVM"));
    let ended = installation.submit(&["--py-files", "data/a.txt,data/b.txt"], &[]);
    assert_eq!(ended.conf("spark.submit.pyFiles"), Some(format!("{uri}/data/a.txt,{uri}/data/b.txt").as_str()));
    assert!(ended.stderr.contains("Warning: spark.submit.pyFiles (--py-files): the files are listed, but this"));
}

#[test]
fn verbose_prints_before_it_starts_and_hides_secrets() {
    let installation = Installation::new();
    let ended = installation.submit(&["--verbose", "-c", "spark.my.password=hunter2"], &["--token=hunter2"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("spark.my.password=*********(redacted) (--conf)"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    assert_eq!(ended.conf("spark.my.password"), Some("hunter2"));
}

/// SE-08: users and passwords in URLs, and queries, which may be signatures.
#[test]
fn nothing_that_is_printed_repeats_the_secrets_of_urls() {
    let installation = Installation::new();
    let files = "s3n://AKIA:hunter2@bucket/a,https://me:hunter2@127.0.0.1:1/b?sig=hunter2";
    let ended = installation.submit(
        &["--verbose", "--files", files, "-c", "spark.my.url=https://me:hunter2@h"],
        &["hdfs://me:hunter2@n/x"],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    for line in [
        "s3n://*********(redacted)@bucket/a is read as s3a://*********(redacted)@bucket/a",
        "spark.files=s3n://*********(redacted)@bucket/a,https://*********(redacted)@127.0.0.1:1/b?*********(redacted)",
        "spark.my.url=https://*********(redacted)@h (--conf)",
        "  hdfs://*********(redacted)@n/x\n",
    ] {
        assert!(ended.stderr.contains(line), "{line}: {}", ended.stderr);
    }
    assert_eq!(ended.conf("spark.files"), Some(files.replace("s3n:", "s3a:").as_str()));
    let cases: [&[&str]; 9] = [
        &["s3a://AKIA:hunter2@bucket/app"],
        &["s3a://AKIA:hun/ter2@bucket/app"],
        &["http://me:hunter2@127.0.0.1:1/app?sig=hunter2"],
        &["http://me:hunter2@h/app.py"],
        &["http://me:hunter2@h/app.jar?x=hunter2"],
        &["--files", "http://me:hunter2@h/a#../b", "bin/firesteel"],
        &["--master", "http://me:hunter2@h/x", "app"],
        &["--master", "spark://me:hunter2@h:7077", "app"],
        &["--conf", "http://me:hunter2@h/x", "app"],
    ];
    for words in cases {
        let ended = installation.run("spark-submit", &[&["--verbose"], words].concat());
        assert_eq!(ended.code, Some(1), "{words:?}: {}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2") && !ended.stderr.contains("ter2"), "{}", ended.stderr);
    }
}

#[test]
fn warnings_do_not_stop_the_application() {
    let installation = Installation::new();
    let ended = installation.submit(&["--num-executors", "3", "-c", "spark.exectuor.cores=1"], &[]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("Warning: --num-executors does nothing on local[*]"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean spark.executor.cores?"), "{}", ended.stderr);
}

#[test]
fn a_program_that_is_no_application_is_run_with_a_warning() {
    let installation = Installation::new();
    let echo = fs::canonicalize("/bin/echo").unwrap();
    let echo = echo.to_str().unwrap();
    let ended = installation.run("spark-submit", &[echo, "hello"]);
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "hello\n"), "{}", ended.stderr);
    let warning = format!(
        "Warning: {echo} is not built on the crate firesteel: it is run, but knows nothing of what spark-submit was told\n"
    );
    assert_eq!(ended.stderr, warning);
}

#[test]
fn what_a_properties_file_says_does_not_reach_the_terminal_as_it_is() {
    let installation = Installation::new();
    installation.write("odd.properties", "spark.e\\u001b[2Jxecutor 1\n");
    let ended = installation.submit(&["--properties-file", installation.path("odd.properties").to_str().unwrap()], &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("spark.e\\u{1b}[2Jxecutor"), "{:?}", ended.stderr);
    assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
}

#[test]
fn packages_get_one_line() {
    let installation = Installation::new();
    let lines = |packages: &str, code: i32| {
        let ended = installation.submit(&["--packages", packages], &[]);
        assert_eq!(ended.code, Some(code), "{packages}: {}", ended.stderr);
        ended.stderr.trim_end().to_owned()
    };
    assert_eq!(
        lines("org.apache.hadoop:hadoop-aws:3.4.0", 0),
        "Warning: --packages: the work of org.apache.hadoop:hadoop-aws:3.4.0 is built in, so nothing is fetched"
    );
    assert_eq!(lines("foo", 1), "Error: \"foo\" in --packages is not a Maven coordinate; write group:artifact:version");
    assert_eq!(
        lines("a:b:1", 1),
        "Error: a:b:1 in --packages is a JVM package, and JVM classes cannot run here; S3 and HDFS need no package"
    );
}

#[test]
fn examples_are_found_in_an_installation_and_in_a_tree() {
    for place in ["examples", "target/release", "target/debug"] {
        let installation = Installation::new();
        fs::create_dir_all(installation.path(place)).unwrap();
        link_or_copy(&built_example("print_conf"), &installation.path(place).join("firesteel-examples"));
        let ended = installation.run("run-example", &["--master", "local[2]", "SparkPi", "10"]);
        assert_eq!(ended.code, Some(0), "{place}: {}", ended.stderr);
        ended.has_line("class=org.apache.spark.examples.SparkPi");
        ended.has_line("arg 10");
        assert_eq!(ended.conf("spark.app.name"), Some("org.apache.spark.examples.SparkPi"));
        let ended = installation.run("spark-class", &["org.apache.spark.examples.SparkPi", "10"]);
        assert_eq!(ended.code, Some(0), "{place}: {}", ended.stderr);
        ended.has_line("class=org.apache.spark.examples.SparkPi");
        ended.has_line("arg 10");
    }
}

#[test]
fn scripts_work_from_anywhere_through_links_and_in_every_shell() {
    let installation = Installation::new();
    let elsewhere = tempfile::Builder::new().prefix("else where ").tempdir().unwrap();
    let link = elsewhere.path().join("a link");
    symlink(installation.path("bin/spark-submit"), &link).unwrap();
    let second_link = elsewhere.path().join("second");
    symlink("a link", &second_link).unwrap();
    symlink(installation.path("bin"), elsewhere.path().join("bin")).unwrap();
    let script = installation.path("bin/spark-submit");
    let application = installation.application();
    let run = |mut command: Command, directory: &Path| -> Ended {
        // A search path for cd must not lead the script astray.
        command = clean(command, directory);
        command.env("CDPATH", "/usr:/tmp").arg(&application).output().unwrap().into()
    };
    let shell = |shell: &str, script: &Path| {
        let mut command = Command::new(shell);
        command.arg(script);
        command
    };
    let bin = installation.path("bin");
    let mut commands = vec![
        (Command::new(&script), elsewhere.path()),
        (Command::new(&link), elsewhere.path()),
        (Command::new(&second_link), Path::new("/")),
        (Command::new("bin/spark-submit"), elsewhere.path()),
        (shell("sh", &script), Path::new("/")),
        (shell("sh", Path::new("spark-submit")), bin.as_path()),
        (shell("sh", Path::new("./a link")), elsewhere.path()),
    ];
    for name in ["dash", "bash"] {
        if Command::new(name).args(["-c", ":"]).status().is_ok() {
            commands.push((shell(name, &script), Path::new("/")));
        } else {
            eprintln!("{name} is not on this machine, so the scripts were not run by it");
        }
    }
    for (command, directory) in commands {
        let shown = format!("{command:?} in {}", directory.display());
        let ended = run(command, directory);
        assert_eq!(ended.code, Some(0), "{shown}: {}", ended.stderr);
        ended.has_line(&format!("env SPARK_HOME={}", installation.directory.path().display()));
    }
}

/// SS-05.
#[test]
fn the_version_tells_what_was_built() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Git says nothing of a tree that belongs to somebody else, and there is none in a tarball.
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(&repository).args(arguments).output().unwrap();
        let is_known = output.status.success() && repository.join(".git").exists();
        if is_known { String::from_utf8(output.stdout).unwrap().trim().to_owned() } else { "unknown".to_owned() }
    };
    let [branch, revision] = [git(&["rev-parse", "--abbrev-ref", "HEAD"]), git(&["rev-parse", "HEAD"])];
    let ended = Installation::new().run("spark-submit", &["--version"]);
    let expected = format!("\nBranch {branch}\nRevision {revision}\nBuilt for ");
    assert!(ended.stderr.contains(&expected), "no {expected:?} in {}", ended.stderr);
}

#[test]
fn a_given_spark_home_is_kept_and_a_missing_binary_explained() {
    let installation = Installation::new();
    let home = tempfile::tempdir().unwrap();
    let mut command = installation.command("spark-submit");
    let ended: Ended = command.env("SPARK_HOME", home.path()).arg(installation.application()).output().unwrap().into();
    ended.has_line(&format!("env SPARK_HOME={}", home.path().display()));

    fs::remove_file(installation.path("bin/firesteel")).unwrap();
    let ended = installation.run("spark-submit", &["--version"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("Firesteel is not built; run 'cargo build"), "{}", ended.stderr);

    // A development tree has the binary where cargo puts it.
    fs::create_dir_all(installation.path("target/debug")).unwrap();
    link_or_copy(Path::new(env!("CARGO_BIN_EXE_firesteel")), &installation.path("target/debug/firesteel"));
    assert_eq!(installation.run("spark-submit", &["--version"]).code, Some(0));
}

#[test]
fn the_binary_alone_finds_its_home() {
    let installation = Installation::new();
    let mut command = clean(Command::new(installation.path("bin/firesteel")), Path::new("/"));
    let ended: Ended = command.arg("spark-submit").arg(installation.application()).output().unwrap().into();
    ended.has_line(&format!("env SPARK_HOME={}", installation.directory.path().display()));
}

/// SS-60 to SS-67: whatever cannot be is refused before anybody is asked. The manager's address is one where somebody listens.
#[test]
fn refusals_contact_nobody() {
    let installation = Installation::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (standalone, mesos) = (format!("spark://127.0.0.1:{port}"), format!("mesos://127.0.0.1:{port}"));
    let cases: [(&[&str], &str); 12] = [
        (&["--master", &standalone, "--deploy-mode", "cluster", "app.R"], "not possible for R on a standalone cluster"),
        (&["--master", "local", "--deploy-mode", "cluster", "app"], "not possible for master local"),
        (&["--master", &standalone, "--deploy-mode", "cluster", "spark-shell"], "not possible for the Spark shell"),
        (&["--master", &mesos, "--deploy-mode", "cluster", "pyspark-shell"], "not possible for the Python shell"),
        (&["--master", &standalone, "--proxy-user", "u", "--principal", "p", "app"], "cannot be given together"),
        (&["--master", &standalone, "--remote", "sc://h", "app"], "cannot be given together"),
        (&["--master", &standalone, "--driver-memory", "0", "app"], "must be more than 0"),
        (&["--master", &standalone, "--executor-cores", "-1", "app"], "must be a whole number"),
        (&["--master", &standalone, "--total-executor-cores", "x", "app"], "must be a whole number"),
        (&["--master", &standalone], "nothing to run"),
        (&["--master", &standalone, "--kill", "a", "--status", "b"], "cannot be given together"),
        (&["--master", &format!("{standalone}/path"), "app"], "--master is"),
    ];
    for (words, text) in cases {
        let ended = installation.run("spark-submit", words);
        assert_eq!(ended.code, Some(1), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(text), "{words:?}: {}", ended.stderr);
    }
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// SS-70, all five levels for one key, from the weakest: environment, properties file, --conf, option. The program's own level
/// is the test of `shipped_files`.
#[test]
fn precedence_from_the_environment_to_the_option() {
    let installation = Installation::new();
    let memory = |words: &[&str]| {
        let mut command = installation.command("spark-submit");
        command.env("SPARK_DRIVER_MEMORY", "2g").args(words).arg(installation.application());
        Ended::from(command.output().unwrap()).conf("spark.driver.memory").map(str::to_owned)
    };
    assert_eq!(installation.submit(&[], &[]).conf("spark.driver.memory"), None);
    assert_eq!(memory(&[]).as_deref(), Some("2g"));
    installation.write("conf/spark-defaults.conf", "spark.driver.memory 3g\n");
    assert_eq!(memory(&[]).as_deref(), Some("3g"));
    assert_eq!(memory(&["--conf", "spark.driver.memory=4g"]).as_deref(), Some("4g"));
    assert_eq!(memory(&["--conf", "spark.driver.memory=4g", "--driver-memory", "5g"]).as_deref(), Some("5g"));
    assert_eq!(memory(&["--driver-memory", "5g", "--conf", "spark.driver.memory=4g"]).as_deref(), Some("5g"));
}

/// `bench/compare`, with a cargo that writes down what it is asked and builds a program that says where it runs.
#[test]
fn the_benchmark_builds_and_runs_in_its_own_tree() {
    let tree = tempfile::Builder::new().prefix("a tree ").tempdir().unwrap();
    let path = |path: &str| tree.path().join(path);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/compare");
    for directory in ["bench", "crates/bench", "tools", "target/release", "elsewhere"] {
        fs::create_dir_all(path(directory)).unwrap();
    }
    fs::write(path("crates/bench/measures.txt"), "spark-pi\n").unwrap();
    let executable = |place: &Path, text: &str| {
        fs::write(place, text).unwrap();
        fs::set_permissions(place, PermissionsExt::from_mode(0o755)).unwrap();
    };
    executable(&path("bench/compare"), &fs::read_to_string(script).unwrap());
    executable(&path("tools/cargo"), "#!/bin/sh\necho \"cargo in $PWD: $*\"\n");
    executable(
        &path("target/release/firesteel-bench"),
        "#!/bin/sh\necho \"bench in $PWD: $*\"\necho \"home $SPARK_HOME\"\n",
    );
    symlink("../bench/compare", path("elsewhere/link")).unwrap();
    let run = |words: &[&str]| -> Ended {
        let mut command = Command::new("./link");
        command = clean(command, &path("elsewhere"));
        let tools = format!("{}:/usr/bin:/bin", path("tools").display());
        command.env("PATH", tools).env("CARGO_TARGET_DIR", "mine").args(words).output().unwrap().into()
    };
    let listed = run(&["--list"]);
    assert_eq!((listed.code, listed.stdout.as_str()), (Some(0), "spark-pi\n"), "{}", listed.stderr);
    let ended = run(&["--only", "a b"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let home = fs::canonicalize(tree.path()).unwrap();
    let home = home.display();
    let cargo = format!("cargo in {home}: build --release --quiet --target-dir {home}/target -p firesteel-bench");
    assert!(ended.stdout.starts_with(&cargo), "{}", ended.stdout);
    ended.has_line(&format!("bench in {home}/elsewhere: --only a b"));
    ended.has_line(&format!("home {home}"));
}
