//! An installation for each test, and the real PySpark.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use firesteel_testkit::{built_binary, clean, link_or_copy};

/// Scripts, binaries, and a place for scratch files.
pub struct Installation {
    directory: tempfile::TempDir,
    interpreter: PathBuf,
}

/// How a command ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The environment with PySpark, from PyPI.
static PYSPARK: LazyLock<PathBuf> = LazyLock::new(|| firesteel_testkit::pyspark_with_jars().unwrap());

/// The launcher, which is another package's binary.
static FIRESTEEL: LazyLock<PathBuf> = LazyLock::new(|| {
    let tested = Path::new(env!("CARGO_BIN_EXE_firesteel-pyspark"));
    built_binary("firesteel-cli", "firesteel", env!("CARGO_PKG_NAME"), tested).unwrap()
});

impl Installation {
    pub fn new() -> Self {
        Self::with_interpreter(PYSPARK.join("bin/python"))
    }

    /// With another interpreter than that of PySpark 4.3.
    pub fn with_interpreter(interpreter: PathBuf) -> Self {
        let directory = tempfile::Builder::new().prefix("spark home ").tempdir().unwrap();
        let this = Self { directory, interpreter };
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        ["bin", "conf", "scratch"].iter().for_each(|name| fs::create_dir(this.path(name)).unwrap());
        for script in ["spark-submit", "pyspark", "pyspark-startup.py", "find-firesteel.sh"] {
            link_or_copy(&repository.join("bin").join(script), &this.path("bin").join(script));
        }
        link_or_copy(&FIRESTEEL, &this.path("bin/firesteel"));
        link_or_copy(Path::new(env!("CARGO_BIN_EXE_firesteel-pyspark")), &this.path("bin/firesteel-pyspark"));
        this
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The interpreter that has PySpark.
    pub fn interpreter(&self) -> PathBuf {
        self.interpreter.clone()
    }

    /// `spark-submit options script arguments`
    pub fn submit(&self, options: &[&str], script: &str, arguments: &[&str]) -> Ended {
        self.submit_path(options, &place_of(script), arguments)
    }

    pub fn submit_path(&self, options: &[&str], script: &Path, arguments: &[&str]) -> Ended {
        let mut command = self.clean(self.path("bin/spark-submit"));
        command.args(options).arg(script).args(arguments).output().unwrap().into()
    }

    /// `spark-submit options script`, to be started by the test itself.
    pub fn submit_command(&self, options: &[&str], script: &str) -> Command {
        let mut command = self.clean(self.path("bin/spark-submit"));
        command.args(options).arg(place_of(script));
        command
    }

    /// `python script arguments`
    pub fn python(&self, script: &str, arguments: &[&str]) -> Ended {
        self.python_command(script, arguments).output().unwrap().into()
    }

    /// The same, to be started by the test itself.
    pub fn python_command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = self.clean(self.interpreter());
        command.env("SPARK_HOME", self.directory.path()).env("PYTHONHASHSEED", "0");
        command.arg(place_of(script)).args(arguments);
        command
    }

    /// `python script arguments` on the Spark that PySpark brings along, which needs Java.
    pub fn real_spark(&self, script: &str, arguments: &[&str]) -> Ended {
        self.real_spark_command(script, arguments).output().unwrap().into()
    }

    /// The same, to be started by the test itself.
    pub fn real_spark_command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = self.clean(self.interpreter());
        // Java looks up this machine's name otherwise, which may have no address.
        command.env("SPARK_LOCAL_IP", "127.0.0.1").env("PYTHONHASHSEED", "0");
        command.arg(place_of(script)).args(arguments);
        command
    }

    /// The folder of PySpark in the interpreter's environment.
    pub fn pyspark(&self) -> PathBuf {
        let print = ["-c", "import pyspark, os; print(os.path.dirname(pyspark.__file__))"];
        let output = Command::new(self.interpreter()).args(print).output().unwrap();
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    }

    /// A home of real Spark's whose executors may write beside its parts.
    pub fn home_of_real_spark(&self) -> PathBuf {
        let home = self.path("real spark");
        fs::create_dir(&home).unwrap();
        let package = self.pyspark();
        for part in ["bin", "jars"] {
            std::os::unix::fs::symlink(package.join(part), home.join(part)).unwrap();
        }
        home
    }

    /// What is in the scratch directories.
    pub fn left_in_scratch(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("scratch")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// A command that sees nothing of the surroundings of the tests.
    pub fn clean(&self, program: PathBuf) -> Command {
        let mut command = clean(Command::new(program), self.directory.path());
        command.env("PYSPARK_PYTHON", self.interpreter());
        command.env("SPARK_LOCAL_DIRS", self.path("scratch")).env("TMPDIR", self.directory.path());
        command
    }
}

pub fn place_of(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(script)
}
