//! The scripts in `bin/`, the binary and a real application (SS-01…08, SS-20, SS-70…72, SS-80…88, SS-100…107).
//!
//! Each test has an installation of its own: the repository's scripts, the binary that cargo built, and an empty `conf/`,
//! in a directory whose name has a blank. The application is the example `print_conf`, which cargo builds with the tests.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

struct Installation {
    directory: tempfile::TempDir,
}

/// How a command ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    fn conf(&self, key: &str) -> Option<&str> {
        self.stdout.lines().find_map(|line| line.strip_prefix("conf ")?.strip_prefix(key)?.strip_prefix('='))
    }

    #[track_caller]
    fn has_line(&self, line: &str) {
        assert!(self.stdout.lines().any(|printed| printed == line), "no {line:?} in\n{}{}", self.stdout, self.stderr);
    }
}

impl Installation {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("spark home ").tempdir().unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        fs::create_dir(directory.path().join("bin")).unwrap();
        fs::create_dir(directory.path().join("conf")).unwrap();
        for script in ["spark-submit", "run-example", "spark-class", "find-firesteel.sh"] {
            link_or_copy(&repository.join("bin").join(script), &directory.path().join("bin").join(script));
        }
        link_or_copy(Path::new(env!("CARGO_BIN_EXE_firesteel")), &directory.path().join("bin/firesteel"));
        Self { directory }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The application in this installation, under another name than it was built.
    fn application(&self) -> PathBuf {
        let path = self.path("my app");
        if !path.exists() {
            link_or_copy(&built_example(), &path);
        }
        path
    }

    fn command(&self, script: &str) -> Command {
        clean(Command::new(self.path("bin").join(script)), self.directory.path())
    }

    fn submit(&self, options: &[&str], arguments: &[&str]) -> Ended {
        self.command("spark-submit").args(options).arg(self.application()).args(arguments).output().unwrap().into()
    }

    fn run(&self, script: &str, words: &[&str]) -> Ended {
        self.command(script).args(words).output().unwrap().into()
    }
}

/// A command that sees nothing of the surroundings of the tests.
fn clean(mut command: Command, directory: &Path) -> Command {
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(directory).stdin(Stdio::null());
    command
}

fn built_example() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_firesteel")).parent().unwrap().join("examples/print_conf");
    assert!(path.exists(), "{} is missing; run `cargo test -p firesteel-cli`, which builds it", path.display());
    path
}

/// A hard link, so that the system reports the place in the installation as the place of the running binary. Where that
/// cannot be, another process copies: a file that this process writes could not be executed while one of the other tests'
/// children still has it open.
fn link_or_copy(from: &Path, to: &Path) {
    if fs::hard_link(from, to).is_err() {
        assert!(Command::new("cp").arg("-p").arg(from).arg(to).status().unwrap().success());
    }
}

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
            &["--master", "spark://h:7077", "app"],
            1,
            "Error: standalone (spark://h:7077) is not built in yet",
        ),
        (
            "spark-submit",
            &["--master", "mesos://zk://h:2181/m", "app"],
            1,
            "Error: Mesos (mesos://zk://h:2181/m) is not built in",
        ),
        ("spark-submit", &["--master", "k8s://h", "app"], 1, "Error: Kubernetes (k8s://https://h) is not built in yet"),
        ("spark-submit", &["--master", "yarn", "app"], 1, "Error: to find the YARN cluster, HADOOP_CONF_DIR"),
        (
            "spark-submit",
            &["--kill", "x", "--master", "spark://h:1"],
            1,
            "Error: standalone (spark://h:1) is not built in yet",
        ),
        ("spark-submit", &["--remote", "sc://h", "app"], 1, "Error: running on a Spark Connect server"),
        ("spark-submit", &["app.py"], 1, "Error: running Python programs (app.py) is not built in yet"),
        ("spark-submit", &["app.R"], 1, "Error: running R programs (app.R) is not built in yet"),
        (
            "spark-submit",
            &["pyspark-shell"],
            1,
            "Error: the driver of Python programs (pyspark-shell) is not built in yet",
        ),
        ("spark-submit", &["--class", "a.B", "app.jar"], 1, "Error: app.jar is a JVM application"),
        ("spark-submit", &["hdfs://h/app"], 1, "Error: hdfs://h/app is not a file of this machine"),
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
        ("run-example", &["pi.py"], 1, "Error: running Python programs (pi.py)"),
        ("spark-class", &[], 1, "Usage: spark-class CLASS"),
        ("spark-class", &["org.apache.spark.deploy.SparkSubmit", "--version"], 0, "Firesteel version "),
        ("spark-class", &["org.apache.spark.deploy.master.Master"], 1, "Error: the standalone master"),
        (
            "spark-class",
            &["org.apache.spark.deploy.SparkSubmitt"],
            1,
            "did you mean org.apache.spark.deploy.SparkSubmit?",
        ),
        ("spark-class", &["com.example.Main"], 1, "Error: com.example.Main is not a class that spark-class knows"),
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
    let built = fs::read(built_example()).unwrap();
    let executable = |name: &str, bytes: &[u8], mode: u32| {
        let path = installation.path(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        installation.run("spark-submit", &[name])
    };
    let mut foreign = built[..4096].to_vec();
    foreign[18..20].copy_from_slice(&[0xf3, 0xf3]);
    let cases: [(&str, &[u8], u32, &str); 5] = [
        ("plain", &built, 0o644, "chmod +x"),
        ("text", b"echo hello\n", 0o755, "it is not an executable"),
        ("beginning", b"\x7fELF; echo hello", 0o755, "the file is cut off"),
        ("header", &built[..64], 0o755, "the file is cut off"),
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
    assert!(ended.stderr.contains("conf/spark-env.sh ended the shell that read it"), "{}", ended.stderr);
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

#[test]
fn warnings_do_not_stop_the_application() {
    let installation = Installation::new();
    let ended = installation.submit(&["--num-executors", "3", "-c", "spark.exectuor.cores=1"], &[]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("Warning: --num-executors does nothing on local[*]"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean spark.executor.cores?"), "{}", ended.stderr);
}

#[test]
fn examples_are_found_in_an_installation_and_in_a_tree() {
    for place in ["examples", "target/release", "target/debug"] {
        let installation = Installation::new();
        fs::create_dir_all(installation.path(place)).unwrap();
        link_or_copy(&built_example(), &installation.path(place).join("firesteel-examples"));
        let ended = installation.run("run-example", &["--master", "local[2]", "SparkPi", "10"]);
        assert_eq!(ended.code, Some(0), "{place}: {}", ended.stderr);
        ended.has_line("class=org.apache.spark.examples.SparkPi");
        ended.has_line("arg 10");
        assert_eq!(ended.conf("spark.app.name"), Some("org.apache.spark.examples.SparkPi"));
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
