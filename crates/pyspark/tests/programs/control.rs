//! Control of jobs and processes: estimates, barriers, sessions, Ctrl-C, the shell, and many jobs at once.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{assert_ok, installation::Installation};

#[test]
fn estimates_barriers_and_profiles() {
    for master in ["local[2]", "local-cluster[2,1,1024]"] {
        let ended = Installation::new().submit(&["--master", master], "control.py", &[]);
        assert_ok(&ended);
        // Of the two jobs, the log speaks of the first only. Executors that are processes keep their own level.
        if master == "local[2]" {
            let (_, logged) = ended.stderr.split_once("level debug\n").unwrap();
            let (talkative, silent) = logged.split_once("level OFF\n").unwrap();
            assert!(talkative.contains("DEBUG"), "{}", ended.stderr);
            assert!(!silent.contains("DEBUG") && !silent.contains("WARN"), "{}", ended.stderr);
        }
    }
}

#[test]
fn programs_begin_with_a_session() {
    assert_ok(&Installation::new().submit(&["--master", "local[2]"], "session.py", &[]));
    assert_ok(&Installation::new().python("session.py", &[]));
}

/// Runs `interrupt.py`, and sends what a terminal sends to all processes of a job when the program says that it waits.
#[track_caller]
fn interrupted(installation: &Installation, mut command: Command) {
    command.stdout(Stdio::piped()).stderr(fs::File::create(installation.path("stderr")).unwrap()).process_group(0);
    let mut program = command.spawn().unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let stderr = || fs::read_to_string(installation.path("stderr")).unwrap();
    assert_eq!(line, "waiting\n", "{}", stderr());
    signal("INT", &format!("-{}", program.id()));
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(0), "{}", stderr());
    assert_eq!(rest, "all as expected\n", "{}", stderr());
}

fn signal(name: &str, process: &str) {
    let killed = Command::new("kill").args(["-s", name, "--", process]).status().unwrap();
    assert!(killed.success(), "{process}");
}

#[test]
fn ctrl_c_cancels_the_job_at_hand() {
    for master in ["local[4]", "local-cluster[4,1,1024]"] {
        let installation = Installation::new();
        interrupted(&installation, installation.submit_command(&["--master", master], "interrupt.py"));
        let installation = Installation::new();
        interrupted(&installation, installation.python_command("interrupt.py", &[master]));
    }
}

#[test]
fn a_program_ends_with_its_killed_driver() {
    let installation = Installation::new();
    let text = "import os, threading\nprint(os.getpid(), flush=True)\nthreading.Event().wait()\n";
    let program = installation.write("waits.py", text);
    let mut command = installation.clean(installation.path("bin/spark-submit"));
    let mut driver: Child = command.arg(program).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(driver.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid: u32 = line.trim().parse().unwrap();
    assert!(is_python(pid));
    driver.kill().unwrap();
    driver.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while is_python(pid) {
        assert!(Instant::now() < deadline, "{pid} still runs");
        thread::yield_now();
    }
}

/// Does the process run the script? One that has ended, and that nobody has asked for yet, has no command line any more.
fn is_python(pid: u32) -> bool {
    let path = Path::new("/proc").join(pid.to_string()).join("cmdline");
    fs::read(path).is_ok_and(|line| String::from_utf8_lossy(&line).contains("waits.py"))
}

#[test]
fn the_shell_has_a_context_and_a_session() {
    let installation = Installation::new();
    let mut command = installation.python_command("shell.py", &[]);
    command.arg(installation.path("bin/pyspark")).arg(installation.path("scratch"));
    command.args(["--master", "local[2]", "--conf", "spark.x.y=z z"]);
    assert_ok(&command.output().unwrap().into());
}

#[test]
fn the_shell_refuses_what_is_for_spark_submit() {
    let installation = Installation::new();
    let shell = |arguments: &[&str]| {
        let mut command = installation.clean(installation.path("bin/pyspark"));
        let output = command.args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = shell(&["program.py"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("pyspark runs no programs: run bin/spark-submit program.py"), "{text}");
    let (code, text) = shell(&["--no-such-option"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("--no-such-option"), "{text}");
    let (code, text) = shell(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("Usage: ./bin/pyspark [options]\n"), "{text}");
}

#[test]
fn the_shell_starts_the_program_that_is_named() {
    let installation = Installation::new();
    let seen = "import os, sys, json\nprint(json.dumps([sys.argv[1:], os.environ['PYSPARK_SUBMIT_ARGS'], os.environ['OLD_PYTHONSTARTUP']]))\n";
    let seen = installation.write("seen.py", seen);
    let mut command = installation.clean(installation.path("bin/pyspark"));
    command.env("PYSPARK_DRIVER_PYTHON", installation.interpreter()).env("PYTHONSTARTUP", "old.py");
    command.env("PYSPARK_DRIVER_PYTHON_OPTS", format!("'{}' notebook \"a b\"", seen.display()));
    let output = command.args(["--master", "local[1]", "--name", "it's"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let expected = r#"[["notebook", "a b"], "'--name' 'PySparkShell' '--master' 'local[1]' '--name' 'it'\\''s' 'pyspark-shell'", "old.py"]"#;
    assert_eq!(text.trim(), expected, "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn profiles_are_gathered() {
    let ended = Installation::new().submit(&["--master", "local-cluster[2,1,1024]"], "profiles.py", &[]);
    assert_ok(&ended);
    assert!(!ended.stderr.contains("spark.python.profile"), "{}", ended.stderr);
}

#[test]
fn many_jobs_and_many_tasks_leave_nothing() {
    for master in ["local[2]", "local-cluster[2,1,1024]"] {
        assert_ok(&Installation::new().submit(&["--master", master], "many.py", &["60", "1000"]));
    }
}
