//! Where a process may put its scratch files (RT-17).

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use crate::{ConfError, SparkConf, keys};

impl SparkConf {
    /// The roots of the scratch directories, by the environment that `variable` looks up: the directories of the YARN
    /// container that this process runs in; else those that a standalone worker gave (`SPARK_EXECUTOR_DIRS`); else
    /// `SPARK_LOCAL_DIRS`; else the sandbox of the Mesos task, unless the shuffle service must find the files afterwards; else
    /// `spark.local.dir`.
    pub fn local_dirs(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<PathBuf>, ConfError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(dirs) = given("CONTAINER_ID").and_then(|_| given("LOCAL_DIRS")) {
            return Ok(comma_list(&dirs));
        }
        if let Some(dirs) = given("SPARK_EXECUTOR_DIRS") {
            return Ok(env::split_paths(&dirs).filter(|path| !path.as_os_str().is_empty()).collect());
        }
        if let Some(dirs) = given("SPARK_LOCAL_DIRS") {
            return Ok(comma_list(&dirs));
        }
        let shuffle_service = self.get_raw("spark.shuffle.service.enabled") == Some("true");
        if let Some(sandbox) = given("MESOS_SANDBOX").filter(|_| !shuffle_service) {
            return Ok(vec![sandbox.into()]);
        }
        Ok(self.get(&keys::LOCAL_DIR)?.into_iter().map(PathBuf::from).collect())
    }

    /// What is set though the environment overrides it, if that is so, as a line for the user.
    pub fn overridden_local_dirs(&self, variable: impl Fn(&str) -> Option<OsString>) -> Option<String> {
        let set = self.get_raw(keys::LOCAL_DIR.name())?;
        let by = ["SPARK_EXECUTOR_DIRS", "SPARK_LOCAL_DIRS"];
        let by = by.into_iter().find(|name| variable(name).is_some_and(|value| !value.is_empty()))?;
        Some(format!("spark.local.dir is {set:?} and is not used: the variable {by} of the environment overrides it"))
    }
}

fn comma_list(dirs: &OsString) -> Vec<PathBuf> {
    let dirs = dirs.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    dirs.filter(|path| !path.is_empty()).map(|path| OsStr::from_bytes(path).into()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn roots(variables: &[(&str, &str)], settings: &[(&str, &str)]) -> Vec<String> {
        let conf: SparkConf = settings.iter().copied().collect();
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        conf.local_dirs(variable).unwrap().iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn who_overrides_what_was_set_is_told() {
        let told = |variables: &[(&str, &str)], settings: &[(&str, &str)]| {
            let conf: SparkConf = settings.iter().copied().collect();
            conf.overridden_local_dirs(|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            })
        };
        let set = [("spark.local.dir", "/a")];
        assert_eq!(told(&[("SPARK_LOCAL_DIRS", "/l")], &[]), None);
        assert_eq!(told(&[("SPARK_LOCAL_DIRS", "")], &set), None);
        let line = told(&[("SPARK_LOCAL_DIRS", "/l"), ("SPARK_EXECUTOR_DIRS", "/e")], &set).unwrap();
        assert!(line.contains("\"/a\" and is not used: the variable SPARK_EXECUTOR_DIRS"), "{line}");
    }

    #[test]
    fn names_of_directories_are_bytes() {
        let dirs = OsString::from_vec(b"/a\xff, /b".to_vec());
        let roots = SparkConf::new().local_dirs(|name| (name == "SPARK_LOCAL_DIRS").then(|| dirs.clone())).unwrap();
        assert_eq!(roots, [PathBuf::from(OsString::from_vec(b"/a\xff".to_vec())), PathBuf::from("/b")]);
    }

    #[test]
    fn each_source_in_turn() {
        let all = [
            ("CONTAINER_ID", "c"),
            ("LOCAL_DIRS", "/y1,/y2"),
            ("SPARK_EXECUTOR_DIRS", "/w1:/w2"),
            ("SPARK_LOCAL_DIRS", "/l1, /l2"),
            ("MESOS_SANDBOX", "/sandbox"),
        ];
        let conf = [("spark.local.dir", "/a,/b")];
        assert_eq!(roots(&all, &conf), ["/y1", "/y2"]);
        // Outside a container the variable is somebody else's.
        assert_eq!(roots(&all[1..], &conf), ["/w1", "/w2"]);
        assert_eq!(roots(&all[3..], &conf), ["/l1", "/l2"]);
        assert_eq!(roots(&all[4..], &conf), ["/sandbox"]);
        assert_eq!(roots(&all[4..], &[conf[0], ("spark.shuffle.service.enabled", "true")]), ["/a", "/b"]);
        assert_eq!(roots(&[("SPARK_LOCAL_DIRS", "")], &conf), ["/a", "/b"]);
        assert_eq!(roots(&[], &[]), ["/tmp"]);
    }

    #[test]
    fn uris_are_no_directories_of_this_machine() {
        for dirs in ["http://h/x", "/a,s3a://bucket/b", "file:///a"] {
            let conf: SparkConf = [("spark.local.dir", dirs)].into_iter().collect();
            let error = conf.local_dirs(|_| None).unwrap_err().to_string();
            assert!(error.contains("spark.local.dir") && error.contains("not as a URI"), "{error}");
        }
    }
}
