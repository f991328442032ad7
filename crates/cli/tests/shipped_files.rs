//! Applications that are shipped files, and that are shipped themselves, through the real `spark-submit` (SS-14, SS-15, SS-17,
//! SS-80…88, SS-100…107). The application is the example `shipped_files`.

mod installation;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use firesteel_filesystem::{Existing, FileSystems, HadoopConf};
use firesteel_testkit::{Hdfs, Moto, http_request};
use flate2::{Compression, write::GzEncoder};
use installation::{Ended, Installation, built_example, clean};

const CLUSTER: &str = "local-cluster[2,1,1024]";
const MASTERS: [&str; 2] = [CLUSTER, "local[2]"];

/// A `.tar.gz` with `d/a.txt`.
fn archive() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(6);
    header.set_mode(0o644);
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    builder.append_data(&mut header, "d/a.txt", &b"packed"[..]).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

/// Serves these contents by path until the process ends; everything else is not found. Gives the port.
fn serve(contents: BTreeMap<String, Vec<u8>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let contents = Arc::new(contents);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, contents) = (stream.unwrap(), Arc::clone(&contents));
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let request = lines.next().unwrap().unwrap();
                lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
                let path = request.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
                let found = contents.get(path);
                let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
                let body = found.map(Vec::as_slice).unwrap_or_default();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                // A client that was ended does not listen any more.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
            });
        }
    });
    port
}

impl Installation {
    /// `spark-submit` with scratch directories of this installation, in which nothing may be left.
    fn submit_tidily(&self, words: &[&str]) -> Ended {
        let ended: Ended = self.submission().args(words).output().unwrap().into();
        let left: Vec<_> = fs::read_dir(self.path("scratch")).into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "{left:?} is left\n{}", ended.stderr);
        ended
    }

    fn submission(&self) -> Command {
        let mut command = self.command("spark-submit");
        let scratch = format!("spark.local.dir={}", self.path("scratch").display());
        command.args(["--conf", "spark.scheduler.minRegisteredResourcesRatio=1", "--conf", &scratch]);
        command
    }
}

#[test]
fn what_the_command_line_names_is_there_for_tasks() {
    for master in MASTERS {
        let installation = Installation::new();
        for (path, text) in
            [("data/a.txt", "first"), ("data/b.txt", "renamed"), ("data/later.txt", "later"), ("lib/c.jar", "library")]
        {
            installation.write(path, text);
        }
        fs::write(installation.path("data/env.tar.gz"), archive()).unwrap();
        let application = installation.example("shipped_files");
        let ended = installation.submit_tidily(&[
            "--master",
            master,
            "--files",
            "data/a.*,data/b.txt#renamed",
            "--archives",
            "data/env.tar.gz#env",
            "--jars",
            "lib/*.jar,gone.jar",
            application.to_str().unwrap(),
            "read=a.txt",
            "read=renamed",
            "read=env/d/a.txt",
            "read=c.jar",
            "read=later.txt",
            "add=data/later.txt",
            "archive=data/env.tar.gz",
            "read=later.txt",
            "read=env.tar.gz/d/a.txt",
        ]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let expected = "a.txt: first\nrenamed: renamed\nenv/d/a.txt: packed\nc.jar: library\nlater.txt: entity not found\n\
                        later.txt: later\nenv.tar.gz/d/a.txt: packed\n";
        assert_eq!(ended.stdout, expected, "{master}: {}", ended.stderr);
        assert!(ended.stderr.contains("gone.jar does not exist and is left out"), "{}", ended.stderr);
    }
}

/// A full disk behind standard error takes neither the application away nor its exit code.
#[test]
fn the_application_does_not_depend_on_standard_error() {
    let installation = Installation::new();
    let application = installation.example("shipped_files");
    // The program's own setting is one that gets a warning when the context starts.
    for (work, code) in [(["conf:spark.exectuor.cores=1", "name"], 0), (["conf:spark.exectuor.cores=1", "bogus"], 1)] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = installation.submission();
        command.args(["--master", "local[2]", "--name", "x"]).arg(&application).args(work);
        let output = command.stderr(full).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{work:?}");
        assert_eq!(output.stdout, if code == 0 { b"name x\n".as_slice() } else { b"" }, "{work:?}");
    }
}

#[test]
fn an_argument_that_is_not_utf_8_is_replaced_and_told() {
    let installation = Installation::new();
    let mut command = installation.submission();
    command.args(["--master", "local[2]"]).arg(installation.example("shipped_files"));
    let ended: Ended = command.arg("name").arg(OsStr::from_bytes(b"\xffx")).output().unwrap().into();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let told = "Warning: argument 2 is not UTF-8; the application gets \"\u{fffd}x\"";
    assert!(ended.stderr.contains(told) && !ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert!(ended.stderr.contains("Error: \u{fffd}x is nothing to do"), "{}", ended.stderr);
}

/// As it does of a JVM: drivers and executors go on.
#[test]
fn sigquit_shows_the_threads() {
    let installation = Installation::new();
    let mut command = installation.submission();
    command.args(["--master", "local[2]"]).arg(installation.example("shipped_files")).arg("wait");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(output.next().unwrap().unwrap(), "waiting");
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    for _ in 0..2 {
        signal("-QUIT");
        let main = format!("thread {pid} \"");
        let mut expected =
            vec!["Full thread dump of Firesteel ", &main, "\"executor-task\" is ", "\"thread-dump\" is running"];
        let all_seen = errors.any(|line| {
            expected.retain(|text| !line.contains(text));
            expected.is_empty()
        });
        assert!(all_seen, "the application ended without {expected:?}");
    }
    signal("-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    let scratch: Vec<_> = fs::read_dir(installation.path("scratch")).into_iter().flatten().flatten().collect();
    assert!(scratch.is_empty(), "{scratch:?} is left");
}

#[test]
fn every_process_fetches_over_http_by_itself() {
    let contents = [("/d/a.txt", b"over http".to_vec()), ("/env.tgz", archive())];
    let port = serve(contents.into_iter().map(|(path, content)| (path.to_owned(), content)).collect());
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    for master in MASTERS {
        let installation = Installation::new();
        let application = installation.example("shipped_files");
        let application = application.to_str().unwrap();
        let files = url("/d/a.txt?token=secret");
        let ended = installation.submit_tidily(&[
            "--master",
            master,
            "--files",
            &files,
            "--archives",
            &url("/env.tgz#env"),
            application,
            "read=a.txt",
            "read=env/d/a.txt",
        ]);
        assert_eq!(ended.stdout, "a.txt: over http\nenv/d/a.txt: packed\n", "{master}: {}", ended.stderr);
        let gone = url("/gone?token=secret");
        let ended = installation.submit_tidily(&["--master", master, "--files", &gone, application]);
        assert_eq!(ended.code, Some(1));
        assert!(ended.stderr.contains("Error: spark.files: ") && ended.stderr.contains("404"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}

#[test]
fn an_application_is_fetched_before_it_starts_and_removed_at_its_end() {
    let built = fs::read(built_example("shipped_files")).unwrap();
    let contents = [("/apps/shipped".to_owned(), built), ("/apps/text".to_owned(), b"echo hello".to_vec())];
    let port = serve(contents.into());
    for master in MASTERS {
        let installation = Installation::new();
        installation.write("a.txt", "first");
        let url = |path: &str| format!("http://127.0.0.1:{port}/apps/{path}");
        let application = url("shipped?token=secret");
        let ended =
            installation.submit_tidily(&["--master", master, "--files", "a.txt", &application, "where", "read=a.txt"]);
        let [place, read] = ended.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{}", ended.stderr) };
        let place = Path::new(place.strip_prefix("where ").unwrap());
        assert!(place.starts_with(installation.path("scratch")) && place.ends_with("shipped"), "{}", place.display());
        assert_eq!(read, "a.txt: first");

        for (path, words) in [
            ("gone?token=secret", "could not fetch the application http://127.0.0.1:PORT/apps/gone: "),
            ("text", "it is not an executable"),
        ] {
            let ended = installation.submit_tidily(&["--master", master, &url(path)]);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
            let stderr = ended.stderr.replace(&port.to_string(), "PORT");
            assert!(stderr.contains(words) && !stderr.contains("secret"), "{stderr}");
        }
    }
}

/// SS-80 and SS-81 with a real store: files, an archive and the application itself come from it, in client mode.
#[test]
fn files_and_applications_come_from_s3() {
    let moto = Moto::start().unwrap_or_else(|error| panic!("{error}: {error:?}"));
    assert_eq!(http_request(moto.port(), "PUT", "/bucket").unwrap().status, 200);
    let settings = [
        ("spark.hadoop.fs.s3a.endpoint", moto.endpoint()),
        ("spark.hadoop.fs.s3a.path.style.access", "true".to_owned()),
        ("spark.hadoop.fs.s3a.endpoint.region", "us-east-1".to_owned()),
        ("spark.hadoop.fs.s3a.access.key", "test".to_owned()),
        ("spark.hadoop.fs.s3a.secret.key", "secret".to_owned()),
    ];
    let systems = FileSystems::new(HadoopConf::from_spark(settings.clone()));
    let built = fs::read(built_example("shipped_files")).unwrap();
    for (key, content) in [
        ("d/a.txt", b"from s3".to_vec()),
        ("d/b.txt", b"second".to_vec()),
        ("d/c.log", b"no text".to_vec()),
        ("d/e.txt/f", b"below".to_vec()),
        ("env.tgz", archive()),
        ("apps/shipped", built),
    ] {
        put(&systems, &format!("s3a://bucket/{key}"), &content);
    }
    let installation = Installation::new();
    let settings: Vec<String> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let mut words: Vec<&str> = settings.iter().flat_map(|setting| ["--conf", setting]).collect();
    words.extend(["--master", CLUSTER, "--files", "s3a://bucket/d/a.txt", "--archives", "s3n://bucket/env.tgz#env"]);
    let ended = installation
        .submit_tidily(&[&words[..], &["s3a://bucket/apps/shipped", "read=a.txt", "read=env/d/a.txt"]].concat());
    assert_eq!(ended.stdout, "a.txt: from s3\nenv/d/a.txt: packed\n", "{}", ended.stderr);
    assert!(ended.stderr.contains("s3n://bucket/env.tgz is read as s3a://bucket/env.tgz"), "{}", ended.stderr);
    let ended = installation.submit_tidily(&[&words[..], &["s3a://bucket/gone"]].concat());
    assert_eq!(ended.code, Some(1));
    let message = "could not fetch the application s3a://bucket/gone: s3a://bucket/gone does not exist";
    assert!(ended.stderr.contains(message), "{}", ended.stderr);

    // SS-14 and SS-86: patterns are resolved by the application, which knows how to reach the store.
    let application = installation.example("shipped_files");
    let submit = |list: &str, work: &[&str]| {
        let options = [&words[..words.len() - 4], &["--files", list, application.to_str().unwrap()], work].concat();
        installation.submit_tidily(&options)
    };
    let ended = submit("s3a://bucket/d/*.txt", &["read=a.txt", "read=b.txt", "read=c.log", "read=e.txt"]);
    let expected = "a.txt: from s3\nb.txt: second\nc.log: entity not found\ne.txt: entity not found\n";
    assert_eq!(ended.stdout, expected, "{}", ended.stderr);
    for (list, message) in [
        ("s3a://bucket/d/?.md", "Error: spark.files: s3a://bucket/d/?.md matches no file"),
        (
            "s3a://bucket/d/?.txt#one",
            "Error: spark.files: s3a://bucket/d/?.txt matches several files, which cannot all",
        ),
        ("s3a://bucket/d/[a.txt", "unclosed character class in glob pattern"),
    ] {
        let ended = submit(list, &["where"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{list}");
        assert!(ended.stderr.contains(message), "{list}: {}", ended.stderr);
    }
}

/// SS-80 and SS-14 with Hadoop's own servers.
#[test]
fn files_come_from_hdfs() {
    let hdfs = Hdfs::start().unwrap_or_else(|error| panic!("{error}: {error:?}"));
    let systems = FileSystems::new(HadoopConf::default());
    for (name, content) in [("a.txt", "from hdfs"), ("b.txt", "second"), ("c.md", "third")] {
        put(&systems, &format!("{}/d/{name}", hdfs.uri()), content.as_bytes());
    }
    let installation = Installation::new();
    let application = installation.example("shipped_files");
    let files = format!("{0}/d/?.txt,{0}/d/c.md#renamed", hdfs.uri());
    let words = ["--master", CLUSTER, "--files", &files, application.to_str().unwrap()];
    let ended = installation.submit_tidily(&[&words[..], &["read=a.txt", "read=b.txt", "read=renamed"]].concat());
    assert_eq!(ended.stdout, "a.txt: from hdfs\nb.txt: second\nrenamed: third\n", "{}", ended.stderr);
}

fn put(systems: &FileSystems, url: &str, content: &[u8]) {
    let path = systems.path(url).unwrap();
    let mut file = systems.get(&path).unwrap().create(&path, Existing::Refuse).unwrap();
    file.write_all(content).unwrap();
    file.finish().unwrap();
}

/// SS-86: before anything is started, with one line that names the pattern or the file.
#[test]
fn what_is_not_there_is_refused() {
    let installation = Installation::new();
    installation.write("a.txt", "a");
    installation.write("other/a.txt", "b");
    assert!(Command::new("mkfifo").arg(installation.path("pipe")).status().unwrap().success());
    let application = installation.example("shipped_files");
    for (option, list, words) in [
        ("--files", "*.nothing", "spark.files: *.nothing matches no file"),
        ("--archives", "none-*", "spark.archives: none-* matches no file"),
        ("--jars", "none-*", "spark.jars: none-* matches no file"),
        ("--files", "gone.txt", "spark.files: gone.txt does not exist"),
        ("--files", "other", "spark.files: other is a directory"),
        ("--files", "a.txt,other/a.txt", "but the same name, a.txt"),
        ("--files", "pipe", "spark.files: pipe is neither a file nor a directory"),
        ("--files", "ftp://h/a.txt", "cannot be fetched by ftp:"),
        ("--files", "http://me:word@127.0.0.1:1/a.txt?token=word", "could not fetch http://127.0.0.1:1/a.txt"),
        ("--files", "local:/nowhere/a.txt", "/nowhere/a.txt is not on this machine"),
    ] {
        let ended =
            installation.submit_tidily(&["--master", "local[1]", option, list, application.to_str().unwrap(), "where"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{option} {list}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{option} {list}: {}", ended.stderr);
        assert!(!ended.stderr.contains("word"), "{}", ended.stderr);
    }
}

/// SS-100 to SS-102, for an application that is built on the crate.
#[test]
fn exit_codes_of_an_application() {
    let installation = Installation::new();
    let application = installation.example("shipped_files");
    let application = application.to_str().unwrap();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--master", "local[1]", application], 0, ""),
        (&["--master", "local[1]", application, "nonsense"], 1, "Error: nonsense is nothing to do"),
        (&["--master", "local[1]", application, "panic"], 1, "the program has a flaw"),
        (&["--master", CLUSTER, application, "panic"], 1, "the program has a flaw"),
        (
            &["--master", "local[1]", "--class", "a.B", application],
            101,
            "no application named a.B; it has shipped-files",
        ),
        (&["--master", "local[1]", "--class", "shipped-files", application], 0, ""),
        (&["--master", "local[1]", "--conf", "spark.eventLog.enabled=maybe", application], 1, "spark.eventLog.enabled"),
    ];
    for (words, code, text) in cases {
        let ended = installation.submit_tidily(words);
        assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(text), "{words:?}: {}", ended.stderr);
    }
}

/// All that was given to spark-submit would be lost.
#[test]
fn a_program_that_does_not_take_its_settings_is_told_so() {
    let installation = Installation::new();
    let application = installation.example("shipped_files");
    let words = ["--master", "local[1]", application.to_str().unwrap(), "forgets-the-launcher"];
    let ended = installation.submit_tidily(&words);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("begin with SparkConf::from_launcher()"), "{}", ended.stderr);
}

/// SS-70 and SS-73: what the program sets beats the command line, and what it sets too late gets a warning.
#[test]
fn the_programs_own_settings() {
    let installation = Installation::new();
    let application = installation.example("shipped_files");
    let application = application.to_str().unwrap();
    let words = ["--master", "local[1]", "--name", "by option", application];
    let ended = installation.submit_tidily(&[&words[..], &["name"]].concat());
    assert_eq!(ended.stdout, "name by option\n", "{}", ended.stderr);
    assert!(!ended.stderr.contains("when the program sets it"), "{}", ended.stderr);
    let set = ["conf:spark.app.name=by program", "conf:spark.submit.deployMode=cluster", "name"];
    let ended = installation.submit_tidily(&[&words[..], &set].concat());
    assert_eq!(ended.stdout, "name by program\n", "{}", ended.stderr);
    let warning = "spark.submit.deployMode does nothing when the program sets it";
    assert!(ended.stderr.contains(warning), "{}", ended.stderr);
}

/// SS-77.
#[test]
fn the_configuration_is_printed_if_that_is_wanted_and_without_secrets() {
    let installation = Installation::new();
    let application = installation.example("shipped_files");
    let application = application.to_str().unwrap();
    let words = ["--master", "local[1]", "--conf", "spark.my.password=hunter2", "--conf", "spark.logConf=true"];
    let ended = installation.submit_tidily(&[&words[..], &[application]].concat());
    assert!(ended.stderr.contains("spark.my.password=*********(redacted)"), "{}", ended.stderr);
    assert!(ended.stderr.contains("spark.master=local[1]"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    let ended = installation.submit_tidily(&[&words[..4], &[application]].concat());
    assert!(!ended.stderr.contains("spark.master=local[1]"), "{}", ended.stderr);
}

/// SS-107.
#[test]
fn a_signal_ends_every_process_and_is_the_exit_code() {
    for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        for master in MASTERS {
            let installation = Installation::new();
            // The port is bound and so nobody else's; processes of this application have it in their environment.
            // Whoever runs the tests in the background has some signals ignored.
            let submission = installation.submission();
            let mut child = clean(Command::new("env"), installation.directory.path())
                .arg("--default-signal")
                .arg(submission.get_program())
                .args(submission.get_args())
                .args(["--master", master])
                .arg(installation.example("shipped_files"))
                .arg("wait")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let processes = || processes_of(installation.directory.path());
            let is_cluster = master == CLUSTER;
            wait_for("every task to run", || {
                if is_cluster { waiting_executors(&installation) == 2 } else { processes() == 1 }
            });
            if !is_cluster {
                // The task itself says that it runs.
                let mut line = String::new();
                BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
                assert_eq!(line, "waiting\n");
            }
            assert!(
                Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
            );
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(code), "{master}: {stderr}");
            wait_for("every process to end", || processes() == 0);
        }
    }
}

#[test]
fn a_signal_during_the_start_leaves_no_scratch_directories() {
    let installation = Installation::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let address = format!("http://{}/a.txt", server.local_addr().unwrap());
    let mut child = installation
        .submission()
        .args(["--master", "local[1]", "--files", &address])
        .arg(installation.example("shipped_files"))
        .arg("where")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let connection = RefCell::new(None);
    // Nobody answers there, so the start goes on until the signal.
    wait_for("the file to be asked for", || {
        *connection.borrow_mut() = server.accept().ok();
        connection.borrow().is_some()
    });
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{stderr}");
    let left: Vec<_> = fs::read_dir(installation.path("scratch")).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// SIGKILL stands for all that nobody can heed. SIGINT and SIGQUIT a process may have inherited as ignored.
#[test]
fn a_signal_while_the_application_is_fetched_leaves_nothing() {
    for signal in ["TERM", "KILL"] {
        let installation = Installation::new();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/app", server.local_addr().unwrap());
        let mut child = installation.submission().arg(&address).stderr(Stdio::null()).spawn().unwrap();
        let (mut connection, _) = server.accept().unwrap();
        let lines = BufReader::new(connection.try_clone().unwrap()).lines();
        lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbeginning").unwrap();
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
        );
        assert!(child.wait().unwrap().code().is_none(), "{signal}");
        let left: Vec<_> = fs::read_dir(installation.path("scratch")).unwrap().flatten().collect();
        assert!(left.is_empty(), "{signal}: {left:?}");
    }
}

/// How many executors have printed that their task waits.
fn waiting_executors(installation: &Installation) -> usize {
    let logs = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let applications = logs(&installation.path("work"));
    let outputs = applications
        .flat_map(|application| logs(&application).map(|executor| executor.join("stdout")).collect::<Vec<_>>());
    outputs.filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("waiting"))).count()
}

/// How many processes have this installation as their home.
fn processes_of(home: &Path) -> usize {
    let wanted = format!("SPARK_HOME={}", home.display());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let environments = processes.filter_map(|process| fs::read(process.path().join("environ")).ok());
    environments.filter(|bytes| bytes.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes())).count()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let since = Instant::now();
    while !condition() {
        assert!(since.elapsed() < Duration::from_secs(120), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
