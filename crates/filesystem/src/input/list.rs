//! The files of a job: what the text given to `textFile` stands for.

use firesteel_model::hide_secrets_of_urls;

use crate::{
    FileError, FilePath, FileStatus, FileSystem, FileSystems, HadoopConf, HadoopPropertyError, ParsePathError,
    input::glob::{GlobError, GlobPattern},
    split_comma_list,
};

/// What is done with directories inside an input directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SubDirectories {
    /// They are an error, as in Hadoop: data that is silently left out is worse.
    #[default]
    Refuse,
    /// They are left out (`mapreduce.input.fileinputformat.input.dir.nonrecursive.ignore.subdirs`).
    Ignore,
    /// Their files are read too, at any depth (`mapreduce.input.fileinputformat.input.dir.recursive`).
    Recurse,
}

/// How input is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct InputOptions {
    /// What is done with directories inside an input directory.
    pub sub_directories: SubDirectories,
}

/// The input of a job cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListInputError {
    /// The text names nothing.
    #[error("no input path is given")]
    NoPath,
    /// A part of the list is empty, which Hadoop refuses too.
    #[error("the list of input paths {list:?} has an empty path; leave out the comma before or behind it")]
    EmptyPath {
        /// The list.
        list: String,
    },
    /// A part of the list is not a path.
    #[error(transparent)]
    Path(#[from] ParsePathError),
    /// A part of the list is not a glob pattern.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// There is no such file.
    #[error("input path does not exist: {path}")]
    NotFound {
        /// The file.
        path: FilePath,
    },
    /// The file is there, but its name is one that jobs skip.
    #[error("input path {path} is hidden: names that begin with '_' or '.' are not input")]
    Hidden {
        /// The file.
        path: FilePath,
    },
    /// A pattern with wildcards stands for no file.
    #[error("input pattern {pattern} matches 0 files")]
    NoMatch {
        /// The pattern.
        pattern: FilePath,
    },
    /// An input directory holds a directory.
    #[error(
        "{path} is a directory inside an input directory; set spark.hadoop.mapreduce.input.fileinputformat.input.dir.recursive=true \
         to read its files as well, or ….input.dir.nonrecursive.ignore.subdirs=true to leave it out"
    )]
    SubDirectory {
        /// The inner directory.
        path: FilePath,
    },
    /// The file system failed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl InputOptions {
    /// From Hadoop's properties.
    pub fn from_conf(conf: &HadoopConf) -> Result<Self, HadoopPropertyError> {
        const FILTER: &str = "mapreduce.input.pathFilter.class";
        if let Some(class) = conf.get(FILTER).filter(|class| !class.is_empty()) {
            // Without it, files would be read that it leaves out.
            return Err(HadoopPropertyError {
                key: FILTER.to_owned(),
                value: class.to_owned(),
                wanted: "no filter of paths, which is a JVM class and cannot run here (choose files by patterns)",
            });
        }
        let recursive = conf.get_bool("mapreduce.input.fileinputformat.input.dir.recursive", false)?;
        let ignore = conf.get_bool("mapreduce.input.fileinputformat.input.dir.nonrecursive.ignore.subdirs", false)?;
        let sub_directories = match (recursive, ignore) {
            (true, _) => SubDirectories::Recurse,
            (false, true) => SubDirectories::Ignore,
            (false, false) => SubDirectories::Refuse,
        };
        Ok(Self { sub_directories })
    }
}

impl InputOptions {
    /// From Hadoop's properties, for `wholeTextFiles` and `binaryFiles`: Hadoop's formats that combine files leave out directories
    /// inside input directories.
    pub fn of_whole_files(conf: &HadoopConf) -> Result<Self, HadoopPropertyError> {
        let mut options = Self::from_conf(conf)?;
        if options.sub_directories == SubDirectories::Refuse {
            options.sub_directories = SubDirectories::Ignore;
        }
        Ok(options)
    }
}

/// The files that a comma list of paths and patterns stands for, in the order of the list and by name within each part. A directory
/// stands for the files in it. A file that two parts stand for is there twice, as in Spark.
pub fn list_input(
    systems: &FileSystems,
    paths: &str,
    options: InputOptions,
) -> Result<Vec<FileStatus>, ListInputError> {
    let mut files = Vec::new();
    if paths.is_empty() {
        return Err(ListInputError::NoPath);
    }
    let parts = split_comma_list(paths);
    if parts.contains(&"") {
        return Err(ListInputError::EmptyPath { list: hide_secrets_of_urls(paths).to_string() });
    }
    for part in parts {
        let pattern = systems.path(part)?;
        let system = systems.get(&pattern)?;
        for found in find(&*system, &pattern)? {
            if found.is_directory {
                list_directory(&*system, &found.path, options, &mut files)?;
            } else {
                files.push(found);
            }
        }
    }
    Ok(files)
}

/// The files and directories that one path or pattern stands for, ordered by name, hidden ones among them; none if there is no such
/// file. A file whose very name looks like a pattern comes before what it would match.
///
/// # Errors
///
/// The text is neither the name of a file nor a pattern, or the file system fails.
pub fn find_files(system: &dyn FileSystem, pattern: &FilePath) -> Result<Vec<FileStatus>, ListInputError> {
    match system.status(pattern) {
        Ok(status) => return Ok(vec![status]),
        Err(FileError::NotFound { .. } | FileError::NotADirectory { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(GlobPattern::parse(pattern.path())?.find(system, pattern)?)
}

/// The visible files and directories that one pattern stands for; at least one.
fn find(system: &dyn FileSystem, pattern: &FilePath) -> Result<Vec<FileStatus>, ListInputError> {
    let glob = GlobPattern::parse(pattern.path())?;
    let Some(literal) = glob.literal() else {
        let mut found = glob.find(system, pattern)?;
        found.retain(|status| !status.path.is_hidden());
        return if found.is_empty() { Err(ListInputError::NoMatch { pattern: pattern.clone() }) } else { Ok(found) };
    };
    let path = pattern.with_path(&literal);
    match system.status(&path) {
        Ok(_) if path.is_hidden() => Err(ListInputError::Hidden { path }),
        Ok(status) => Ok(vec![status]),
        Err(FileError::NotFound { .. } | FileError::NotADirectory { .. }) => Err(ListInputError::NotFound { path }),
        Err(error) => Err(error.into()),
    }
}

fn list_directory(
    system: &dyn FileSystem,
    directory: &FilePath,
    options: InputOptions,
    files: &mut Vec<FileStatus>,
) -> Result<(), ListInputError> {
    for entry in system.list(directory)? {
        if entry.path.is_hidden() {
            continue;
        }
        if !entry.is_directory {
            files.push(entry);
            continue;
        }
        match options.sub_directories {
            SubDirectories::Refuse => return Err(ListInputError::SubDirectory { path: entry.path }),
            SubDirectories::Ignore => {}
            SubDirectories::Recurse => list_directory(system, &entry.path, options, files)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_an_empty_path_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("f").display().to_string();
        std::fs::write(&file, "x").unwrap();
        let list = |paths: &str| list_input(&FileSystems::default(), paths, InputOptions::default());
        assert_eq!(list(&format!("{file},{file}")).unwrap().len(), 2);
        for paths in [format!("{file},"), format!(",{file}"), format!("{file},,{file}"), ",".to_owned()] {
            let error = list(&paths).unwrap_err();
            assert!(matches!(error, ListInputError::EmptyPath { .. }), "{paths}: {error}");
        }
        assert!(matches!(list(""), Err(ListInputError::NoPath)));
    }

    /// As Spark 4.3 answers, whose `textFile` refuses.
    #[test]
    fn whole_files_are_looked_for_one_level_below_a_path() {
        let root = tempfile::Builder::new().prefix("input").tempdir().unwrap();
        let systems = FileSystems::default();
        for name in ["f1", "sub/f2", "sub/deeper/f3"] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let list = |pattern: &str, options| {
            let listed = list_input(&systems, &format!("{}{pattern}", root.path().display()), options);
            listed.map(|files| files.iter().map(|file| file.path.name().to_owned()).collect::<Vec<_>>())
        };
        let mut conf = HadoopConf::default();
        let whole = InputOptions::of_whole_files(&conf).unwrap();
        let cases: [(&str, &[&str]); 3] = [("", &["f1"]), ("/*", &["f1", "f2"]), ("/*/*", &["f3", "f2"])];
        for (pattern, names) in cases {
            assert_eq!(list(pattern, whole).unwrap(), names, "{pattern}");
        }
        let refused = list("", InputOptions::from_conf(&conf).unwrap());
        assert!(matches!(refused, Err(ListInputError::SubDirectory { .. })));
        conf.set("mapreduce.input.fileinputformat.input.dir.recursive", "true");
        assert_eq!(list("", InputOptions::of_whole_files(&conf).unwrap()).unwrap(), ["f1", "f3", "f2"]);
    }

    #[test]
    fn a_filter_of_paths_is_refused() {
        for key in ["mapreduce.input.pathFilter.class", "mapred.input.pathFilter.class"] {
            let mut conf = HadoopConf::default();
            conf.set(key, "org.example.Recent");
            let error = InputOptions::from_conf(&conf).unwrap_err().to_string();
            assert!(
                error.contains("spark.hadoop.mapreduce.input.pathFilter.class is \"org.example.Recent\""),
                "{error}"
            );
            assert!(error.contains("choose files by patterns"), "{error}");
        }
    }
}
