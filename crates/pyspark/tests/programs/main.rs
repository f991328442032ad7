//! Programs of unmodified PySpark 4.3, run to their end: submitted, as parents of their driver, and on executors that are processes.
//!
//! Each is a script in `tests/scripts` that asserts what it gets and prints a line at its end. Scripts need the binary `firesteel` too,
//! which is another package's: cargo builds it when the first test begins.

mod against_spark;
mod cluster_mode;
mod control;
mod doctests;
mod encryption;
mod functions;
mod hadoop;
mod installation;
mod measures;
mod memory;
mod notebooks;
mod resource_profiles;
mod workers;

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use installation::{Ended, Installation};

#[track_caller]
fn assert_ok(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout.lines().last(), Some("all as expected"), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn a_submitted_program_works_with_data_sets() {
    assert_ok(&Installation::new().submit(&["--master", "local[2]"], "rdd.py", &[]));
}

#[test]
fn a_program_that_starts_its_own_driver_works_with_data_sets() {
    assert_ok(&Installation::new().python("rdd.py", &["local[2]"]));
}

#[test]
fn executors_that_are_processes_run_python() {
    assert_ok(&Installation::new().submit(&["--master", "local-cluster[2,1,1024]"], "rdd.py", &[]));
}

#[test]
fn a_worker_that_ends_fails_its_task_and_nothing_else() {
    assert_ok(&Installation::new().submit(&["--master", "local[2]"], "crashes.py", &[]));
}

#[test]
fn an_executor_survives_its_workers() {
    assert_ok(&Installation::new().submit(&["--master", "local-cluster[2,1,1024]"], "crashes.py", &[]));
}

#[test]
fn what_is_not_built_in_is_refused_by_name() {
    assert_ok(&Installation::new().submit(&["--master", "local[1]"], "refused.py", &[]));
}

#[test]
fn jobs_have_groups_tags_and_properties_of_their_thread() {
    assert_ok(&Installation::new().submit(&["--master", "local[2]"], "jobs.py", &[]));
}

#[test]
fn modules_are_shipped_to_workers() {
    let installation = Installation::new();
    let module = installation.write("modules/shipped_module.py", "def triple(n):\n    return 3 * n\n");
    // What lies beside a module was not submitted.
    installation.write("modules/json.py", "raise ImportError('this is not the library')\n");
    let archive = |name: &str, module: &str| {
        let path = installation.write(name, "");
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        archive.start_file(format!("{module}.py"), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, b"def triple(n):\n    return 3 * n\n").unwrap();
        archive.finish().unwrap();
        path.to_string_lossy().into_owned()
    };
    // What means something in a URI is a character of a name here.
    let archives = [("sp ace.zip", "blank"), ("\u{fc}n\u{ef}.zip", "umlaut"), ("pk%202.egg", "percent")];
    let archives = archives.map(|(name, module)| archive(name, module)).join(",");
    let py_files = format!("{},{archives}", module.display());
    for master in ["local[1]", "local-cluster[1,1,1024]"] {
        assert_ok(&installation.submit(&["--master", master, "--py-files", &py_files], "modules.py", &[]));
        assert_eq!(installation.left_in_scratch(), Vec::<String>::new());
    }
}

#[test]
fn data_sets_and_jobs_are_shown_as_spark_shows_them() {
    assert_ok(&Installation::new().submit(&["--master", "local[2]"], "shown.py", &[]));
}

#[test]
fn nothing_null_and_none_are_arguments_too() {
    assert_ok(&Installation::new().submit(&["--master", "local[2]"], "edges.py", &[]));
}

#[test]
fn files_of_broadcast_values_go_with_them() {
    for master in ["local[2]", "local-cluster[2,1,1024]"] {
        assert_ok(&Installation::new().submit(&["--master", master], "broadcast_files.py", &[]));
    }
}

#[test]
fn programs_and_workers_do_not_inherit_what_makes_a_driver_or_an_executor() {
    for master in ["local[1]", "local-cluster[1,1,1024]"] {
        assert_ok(&Installation::new().submit(&["--master", master], "environment.py", &[]));
    }
}

#[test]
fn keys_of_python_are_known() {
    let installation = Installation::new();
    let python = format!("spark.pyspark.python={}", installation.interpreter().display());
    let options = |reuse| ["--master", "local[1]", "--conf", &python, "--conf", reuse].map(str::to_owned);
    let submit = |reuse| {
        let options = options(reuse);
        installation.submit(&options.each_ref().map(String::as_str), "one_job.py", &[])
    };
    let ended = submit("spark.python.worker.reuse=false");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("spark.py"), "{}", ended.stderr);
    let ended = submit("spark.python.worker.reuse=maybe");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("spark.python.worker.reuse"), "{}", ended.stderr);
}

#[test]
fn the_exit_code_is_the_program_s() {
    let installation = Installation::new();
    let ends = [("", 0), ("sys.exit(7)", 7), ("raise ValueError('x')", 1), ("os.kill(os.getpid(), 9)", 137)];
    for (end, code) in ends {
        let text = format!("import os, sys\nprint(sys.argv[1:])\n{end}\n");
        let program = installation.write("exit.py", &text);
        let ended = installation.submit_path(&[], &program, &["--master", "a b"]);
        assert_eq!(ended.code, Some(code), "{end}: {}", ended.stderr);
        assert_eq!(ended.stdout, "['--master', 'a b']\n");
    }
}

#[test]
fn a_program_without_a_context_gets_none() {
    let installation = Installation::new();
    let program = installation.write("plain.py", "print('plain')\n");
    let ended = installation.submit_path(&["--master", "local[1]"], &program, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "plain\n"), "{}", ended.stderr);
    // No application was started, so there is nothing to say of one.
    assert_eq!(ended.stderr, "");
}

#[test]
fn workers_of_another_release_are_refused_with_both_versions() {
    let installation = Installation::new();
    installation.write("old/pyspark/__init__.py", "__version__ = '4.2.0'\n");
    let old = format!("spark.executorEnv.PYTHONPATH={}", installation.path("old").display());
    let ended = installation.submit(&["--master", "local[1]", "--conf", &old], "one_job.py", &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    for version in ["is 4.2.0", "own is 4.3.0"] {
        assert!(ended.stderr.contains(version), "{version}: {}", ended.stderr);
    }
}

#[test]
fn an_interpreter_that_is_not_there_is_named() {
    let installation = Installation::new();
    let missing = "spark.pyspark.python=/no/such/python";
    let driver = format!("spark.pyspark.driver.python={}", installation.interpreter().display());
    let options = ["--master", "local[1]", "--conf", missing, "--conf", &driver];
    let ended = installation.submit(&options, "one_job.py", &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("could not start /no/such/python"), "{}", ended.stderr);
}

#[test]
fn nothing_is_left_of_a_program() {
    let installation = Installation::new();
    for master in ["local[2]", "local-cluster[2,1,1024]"] {
        let ended = installation.submit(&["--master", master], "pids.py", &[]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let pids: Vec<u32> = ended.stdout.lines().map(|line| line.parse().unwrap()).collect();
        assert!(pids.len() > 2, "{pids:?}");
        wait_for_end_of_workers(pids);
        assert_eq!(installation.left_in_scratch(), Vec::<String>::new());
    }
}

/// They end by themselves when their daemon's input has ended, which is after the driver's end.
fn wait_for_end_of_workers(pids: impl IntoIterator<Item = u32>) {
    let deadline = Instant::now() + Duration::from_secs(60);
    for pid in pids {
        while is_worker(pid) {
            assert!(Instant::now() < deadline, "{pid} still runs");
            thread::yield_now();
        }
    }
}

/// Another process may have got the number meanwhile.
fn is_worker(pid: u32) -> bool {
    let path = Path::new("/proc").join(pid.to_string()).join("cmdline");
    fs::read(path).is_ok_and(|line| String::from_utf8_lossy(&line).contains("pyspark.worker"))
}
