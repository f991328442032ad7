//! PySpark: that of Spark 4.3 as a whole, and of whatever release without the Java part of it, which is nearly all of its 400 MB.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::install::{InstallError, install, python_environment, run};

/// A Python environment with PySpark 4.3 and all of Spark in it, made by whoever needs it first.
pub fn pyspark_with_jars() -> Result<PathBuf, InstallError> {
    python_environment("spark-4.3.0", &["pyspark==4.3.0"])
}

/// A Python environment with IPython, the kernel of notebooks and what runs a notebook without a browser, made by the first test
/// that needs it. It has no PySpark.
pub fn ipython() -> Result<PathBuf, InstallError> {
    let packages = ["ipython==9.18.1", "ipykernel==7.4.0", "nbclient==0.11.0"];
    python_environment("ipython-9.18.1-ipykernel-7.4.0-nbclient-0.11.0", &packages)
}

/// A Python environment with this release of PySpark and the py4j that it needs, made by the first test that needs it.
pub fn pyspark_without_jars(pyspark: &str, py4j: &str) -> Result<PathBuf, InstallError> {
    install(&format!("pyspark-{pyspark}-without-jars"), |directory| {
        run(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
        let pip = || {
            let mut pip = Command::new(directory.join("bin/python"));
            pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]);
            pip
        };
        run(pip().args(["install", &format!("py4j=={py4j}")]))?;
        let archives = directory.join("archives");
        run(pip()
            .args(["download", "--no-deps", "--no-binary", ":all:", "--dest"])
            .arg(&archives)
            .arg(format!("pyspark=={pyspark}")))?;
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| InstallError::Cache { path, source }
        };
        let mut unpack = Command::new("sh");
        // PySpark itself is the folder of that name; which is more than one if there is metadata.
        let script = "tar -xzf \"$1\"/pyspark-*.tar.gz --exclude='*.jar' --strip-components=1 \
            -C \"$(\"$2\" -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')\" --wildcards 'pyspark-*/pyspark/*'";
        run(unpack.args(["-c", script, "sh"]).arg(&archives).arg(directory.join("bin/python")))?;
        fs::remove_dir_all(&archives).map_err(at(&archives))
    })
}
