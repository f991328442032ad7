//! Modules that were submitted with a program (`--py-files`).

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use firesteel::SparkConf;
use firesteel_conf::{Artifact, ConfError};
use firesteel_local_dirs::{CreateLocalDirsError, LocalDirs};

/// Where the program finds them: archives are places themselves, and modules have been copied to a directory that holds nothing
/// else. In their own directory there may be files that the program must not find before the library's.
#[derive(Debug, Default)]
pub(crate) struct SubmittedModules {
    places: Vec<String>,
    /// What has been copied goes with it, or with this process.
    _directory: Option<LocalDirs>,
}

/// Submitted modules cannot be placed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceModulesError {
    /// Where they would be.
    #[error(transparent)]
    Conf(#[from] ConfError),
    /// No directory for them.
    #[error(transparent)]
    Directory(#[from] CreateLocalDirsError),
    /// One of them.
    #[error("could not copy {} of --py-files to {}", from.display(), to.display())]
    Copy {
        from: PathBuf,
        to: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl SubmittedModules {
    /// Those of `spark.submit.pyFiles`.
    pub(crate) fn place(conf: &SparkConf) -> Result<Self, PlaceModulesError> {
        let files = conf.get_raw("spark.submit.pyFiles").unwrap_or_default();
        Self::place_in(files, || {
            let (directory, _) = LocalDirs::create(&conf.local_dirs(|name| env::var_os(name))?)?;
            Ok(directory)
        })
    }

    fn place_in(
        files: &str,
        create: impl FnOnce() -> Result<LocalDirs, PlaceModulesError>,
    ) -> Result<Self, PlaceModulesError> {
        let files = files.split(',').map(str::trim).filter(|file| !file.is_empty());
        let paths = files.map(|file| {
            let artifact = if file.starts_with('/') { None } else { file.parse::<Artifact>().ok() };
            artifact.as_ref().and_then(Artifact::path).unwrap_or_else(|| Path::new(file)).to_owned()
        });
        let paths: Vec<PathBuf> = paths.collect();
        let is_module = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "py");
        let directory = if paths.iter().any(is_module) { Some(create()?) } else { None };
        let mut places = Vec::new();
        for path in &paths {
            let place = match (&directory, path.file_name()) {
                (Some(directory), Some(name)) if is_module(path) => {
                    let place = &directory.directories()[0];
                    let to = place.join(name);
                    let copied = fs::copy(path, &to);
                    copied.map_err(|source| PlaceModulesError::Copy { from: path.clone(), to, source })?;
                    place
                }
                _ => path,
            };
            let place = place.to_string_lossy().into_owned();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Ok(Self { places, _directory: directory })
    }

    /// `PYTHONPATH` with them in front of what is there. None if that needs no change.
    pub(crate) fn python_path(&self, inherited: Option<&str>) -> Option<String> {
        let inherited = inherited.filter(|path| !path.is_empty());
        let places = self.places.iter().map(String::as_str);
        (!self.places.is_empty()).then(|| places.chain(inherited).collect::<Vec<_>>().join(":"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn archives_are_places_themselves() {
        let none = |files| SubmittedModules::place_in(files, || unreachable!("nothing is copied")).unwrap();
        assert_eq!(none("").python_path(Some("/x")), None);
        assert_eq!(none(" ").python_path(None), None);
        let archives = none("/a/m.zip, file:///b/n.zip,file:/c%20d/o.egg,/a/m.zip,/e%20f/p.zip");
        assert_eq!(archives.python_path(Some("/x")).unwrap(), "/a/m.zip:/b/n.zip:/c d/o.egg:/e%20f/p.zip:/x");
        assert_eq!(none("/a/m.zip").python_path(Some("")).unwrap(), "/a/m.zip");
    }

    #[test]
    fn modules_are_copied_to_a_private_directory_without_their_neighbours() {
        let source = tempfile::tempdir().unwrap();
        let at = |name: &str| source.path().join(name);
        ["m.py", "n.py", "json.py"].iter().for_each(|name| fs::write(at(name), *name).unwrap());
        let files = format!("{},/a.zip,{}", at("m.py").display(), at("n.py").display());
        let root = source.path().join("root");
        let create = || Ok(LocalDirs::create(std::slice::from_ref(&root))?.0);
        let modules = SubmittedModules::place_in(&files, create).unwrap();
        let path = modules.python_path(None).unwrap();
        let place = PathBuf::from(path.strip_suffix(":/a.zip").unwrap());
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_to_string(place.join("m.py")).unwrap(), "m.py");
        assert_eq!(fs::read_to_string(place.join("n.py")).unwrap(), "n.py");
        assert!(!place.join("json.py").exists());
        drop(modules);
        assert!(!place.exists());
        let missing = SubmittedModules::place_in("/no/such.py", create).unwrap_err();
        assert!(missing.to_string().starts_with("could not copy /no/such.py of --py-files"), "{missing}");
    }
}
