//! The lists of files that go with an application: `spark.files`, `spark.archives`, `spark.jars`, `spark.submit.pyFiles`
//! (SS-80…86).
//!
//! Paths become absolute URIs, patterns become what they match, and what cannot work is refused before the application
//! starts: a missing file, a pattern without a match, two different files of the same name. Missing libraries are only
//! warned about, as in Spark.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read,
    path::{Component, Path, PathBuf},
};

use firesteel_conf::{Artifact, ArtifactLocation, Key, SparkConf, keys};
use globset::{GlobBuilder, GlobMatcher};

use crate::Refusal;

/// How one list is treated.
struct List {
    key: &'static Key<Vec<String>>,
    /// May an element name itself with `#`?
    aliases: bool,
    /// Is a missing file left out with a warning instead of refused (SS-86)?
    may_miss: bool,
}

static LISTS: [List; 4] = [
    List { key: &keys::FILES, aliases: true, may_miss: false },
    List { key: &keys::ARCHIVES, aliases: true, may_miss: false },
    List { key: &keys::JARS, aliases: false, may_miss: true },
    List { key: &keys::SUBMIT_PY_FILES, aliases: false, may_miss: false },
];

/// Replaces the lists in `conf` by their resolved form. Relative paths are relative to `directory`.
pub(crate) fn resolve(conf: &mut SparkConf, directory: &Path, warnings: &mut Vec<String>) -> Result<(), Refusal> {
    for list in &LISTS {
        let elements = conf.get(list.key).map_err(|error| Refusal::Conf(error.into()))?;
        if elements.is_empty() {
            continue;
        }
        let mut resolved = Vec::new();
        for element in &elements {
            list.resolve(element, directory, &mut resolved, warnings)?;
        }
        let resolved = list.without_repetition(resolved)?;
        conf.set(list.key.name(), resolved.iter().map(Artifact::to_string).collect::<Vec<_>>().join(","));
    }
    Ok(())
}

impl List {
    fn resolve(
        &self,
        element: &str,
        directory: &Path,
        resolved: &mut Vec<Artifact>,
        warnings: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        let key = self.key.name();
        let mut artifact: Artifact = element.parse().map_err(|source| Refusal::Artifact { key, source })?;
        if artifact.alias.is_some() && !self.aliases {
            return Err(self.refuse(element, "has a name behind #, which only --files and --archives can have"));
        }
        if let Some(alias) =
            artifact.alias.as_deref().filter(|alias| alias.contains('/') || [".", ".."].contains(alias))
        {
            return Err(self.refuse(element, format!("has the name {alias:?}, which is not a plain file name")));
        }
        match &mut artifact.location {
            // On every machine already, this one included or not.
            ArtifactLocation::Local(_) => {}
            ArtifactLocation::Remote(url) => {
                if let Some(rest) = url.strip_prefix("s3n://") {
                    warnings.push(format!("{key}: {url} is read as s3a://{rest}"));
                    *url = format!("s3a://{rest}");
                }
            }
            ArtifactLocation::File(path) => {
                let path = directory.join(&*path);
                return self.resolve_file(element, &path, artifact.alias, resolved, warnings);
            }
        }
        resolved.push(artifact);
        Ok(())
    }

    fn resolve_file(
        &self,
        element: &str,
        path: &Path,
        alias: Option<String>,
        resolved: &mut Vec<Artifact>,
        warnings: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        let is_pattern = path.to_string_lossy().contains(['*', '?', '[']);
        let paths = match fs::symlink_metadata(path) {
            Ok(_) => vec![path.to_owned()],
            Err(_) if is_pattern => {
                matches(path).map_err(|error| self.refuse(element, format!("cannot be searched for: {error}")))?
            }
            // That nobody may look is not that there is nothing.
            Err(error) if !is_absence(&error) => {
                return Err(self.refuse(element, format!("cannot be looked at: {error}")));
            }
            Err(_) if self.may_miss => {
                warnings.push(format!("{}: {element} does not exist and is left out", self.key.name()));
                return Ok(());
            }
            Err(_) => return Err(self.refuse(element, "does not exist")),
        };
        if paths.is_empty() {
            return Err(self.refuse(element, "matches no file"));
        }
        if paths.len() > 1 && alias.is_some() {
            return Err(self.refuse(element, "matches several files, which cannot all have the name behind #"));
        }
        for path in paths {
            // To open a pipe would wait for whoever writes to it.
            match fs::metadata(&path) {
                Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                    return Err(self.refuse(element, "is neither a file nor a directory"));
                }
                _ => {}
            }
            let file = fs::File::open(&path);
            match file.and_then(|file| file.metadata()) {
                Ok(metadata) if metadata.is_dir() => {
                    // A pattern may well meet a directory; whoever names one expects its contents.
                    if is_pattern {
                        warnings.push(format!(
                            "{}: {} is a directory and is left out",
                            self.key.name(),
                            path.display()
                        ));
                        continue;
                    }
                    return Err(self.refuse(element, "is a directory; name its files, for instance with /*"));
                }
                Ok(_) => {}
                Err(error) => return Err(self.refuse(element, format!("cannot be read: {error}"))),
            }
            resolved.push(Artifact { location: ArtifactLocation::File(plain(&path)), alias: alias.clone() });
        }
        Ok(())
    }

    /// The same file twice is once; different files of the same name are refused (SS-80).
    fn without_repetition(&self, artifacts: Vec<Artifact>) -> Result<Vec<Artifact>, Refusal> {
        let mut by_name: BTreeMap<String, Artifact> = BTreeMap::new();
        let mut kept = Vec::new();
        for artifact in artifacts {
            if kept.contains(&artifact) {
                continue;
            }
            let name = artifact.name();
            if let Some(earlier) = by_name.get(&name) {
                match same_content(earlier, &artifact) {
                    Some(false) => {
                        let (first, second) = (earlier.to_string(), artifact.to_string());
                        return Err(Refusal::SameName { key: self.key.name(), name, first, second });
                    }
                    // Libraries and modules are found by their whole path, so both stay.
                    Some(true) if self.aliases => continue,
                    _ => {}
                }
            }
            by_name.insert(name, artifact.clone());
            kept.push(artifact);
        }
        Ok(kept)
    }

    fn refuse(&self, element: &str, why: impl Into<String>) -> Refusal {
        Refusal::File { key: self.key.name(), element: element.to_owned(), why: why.into() }
    }
}

/// Can the two stand for each other? What is not on this machine is compared by the application when it is fetched, and may be a
/// pattern that has the name of another one.
fn same_content(one: &Artifact, other: &Artifact) -> Option<bool> {
    match (&one.location, &other.location) {
        (ArtifactLocation::File(one), ArtifactLocation::File(other)) => Some(same_bytes(one, other).unwrap_or(false)),
        _ => None,
    }
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs::File::open(one)?, fs::File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (io::BufReader::new(one).bytes(), io::BufReader::new(other).bytes());
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (a, b) if a != b => return Ok(false),
            _ => {}
        }
    }
}

/// Why a pattern cannot be searched for.
#[derive(Debug, thiserror::Error)]
enum SearchError {
    #[error(transparent)]
    Pattern(#[from] globset::Error),
    #[error("{}: {source}", directory.display())]
    Directory { directory: PathBuf, source: io::Error },
}

/// The existing paths that a pattern matches, in order: `*`, `?` and `[…]` within each part of the path. As in shells, a directory
/// that nobody may look into is passed over; but if nothing is found, that is the reason.
fn matches(pattern: &Path) -> Result<Vec<PathBuf>, SearchError> {
    let mut found = vec![PathBuf::new()];
    let mut unseen = None;
    for component in pattern.components() {
        let part = component.as_os_str().to_string_lossy();
        let mut next = Vec::new();
        if matches!(component, Component::Normal(_)) && part.contains(['*', '?', '[']) {
            let matcher = GlobBuilder::new(&part).literal_separator(true).build()?.compile_matcher();
            for directory in found {
                match entries(&directory, &matcher) {
                    Ok(paths) => next.extend(paths),
                    Err(source) => unseen = unseen.or(Some(SearchError::Directory { directory, source })),
                }
            }
        } else {
            for path in found.into_iter().map(|directory| directory.join(component)) {
                match is_there(&path) {
                    Ok(true) => next.push(path),
                    Ok(false) => {}
                    Err(source) => unseen = unseen.or(Some(SearchError::Directory { directory: path, source })),
                }
            }
        }
        found = next;
    }
    match unseen {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// The entries of a directory that match, by name. What is no directory has none.
fn entries(directory: &Path, matcher: &GlobMatcher) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if is_absence(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name())).filter(|name| matcher.is_match(name));
    let mut paths: Vec<_> = names.map(|name| directory.join(name)).collect();
    paths.sort();
    Ok(paths)
}

/// Is there something by that name? An error if nobody may look.
fn is_there(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The path without `.` parts; symbolic links stay, because their names are the files' names.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        directory: tempfile::TempDir,
    }

    impl Case {
        fn new() -> Self {
            let directory = tempfile::Builder::new().prefix("with blank ").tempdir().unwrap();
            fs::create_dir_all(directory.path().join("sub/dir.d")).unwrap();
            let files = [
                ("a.txt", "a"),
                ("b.txt", "b"),
                ("sub/a.txt", "other"),
                ("sub/b.txt", "b"),
                ("sub/c[1].txt", "c"),
                ("e,f #1.txt", "e"),
            ];
            for (name, content) in files {
                fs::write(directory.path().join(name), content).unwrap();
            }
            Self { directory }
        }

        /// The resolved list with the directory's own URI as `@`, and the warnings.
        fn resolve(&self, key: &str, list: &str) -> Result<(String, Vec<String>), String> {
            let mut conf: SparkConf = [(key, list)].into_iter().collect();
            let mut warnings = Vec::new();
            resolve(&mut conf, self.directory.path(), &mut warnings).map_err(|refusal| refusal.to_string())?;
            let location = ArtifactLocation::File(self.directory.path().to_owned());
            let uri = Artifact { location, alias: None }.to_string();
            Ok((conf.get_raw(key).unwrap().replace(&uri, "@"), warnings))
        }

        fn list(&self, key: &str, list: &str) -> String {
            self.resolve(key, list).unwrap().0
        }
    }

    #[test]
    fn paths_become_absolute_uris() {
        let case = Case::new();
        let absolute = case.directory.path().join("a.txt");
        assert_eq!(case.list("spark.files", "a.txt"), "@/a.txt");
        assert_eq!(case.list("spark.files", "./sub/a.txt"), "@/sub/a.txt");
        assert_eq!(case.list("spark.files", absolute.to_str().unwrap()), "@/a.txt");
        assert_eq!(case.list("spark.files", " a.txt , b.txt "), "@/a.txt,@/b.txt");
        let uri = format!("file:{}", absolute.display()).replace(' ', "%20");
        assert_eq!(case.list("spark.files", &uri), "@/a.txt");
        let odd = format!("file:{}/e%2Cf%20%231.txt", case.directory.path().display())
            .replace("with blank ", "with%20blank%20");
        assert_eq!(case.list("spark.submit.pyFiles", &odd), "@/e%2Cf%20%231.txt");
    }

    #[test]
    fn other_places_stay_as_they_are() {
        let case = Case::new();
        let list = "local:/opt/x.jar,hdfs://n:8020/y.jar,https://h/z.jar?v=1";
        assert_eq!(case.list("spark.jars", list), "local:///opt/x.jar,hdfs://n:8020/y.jar,https://h/z.jar?v=1");
        let (list, warnings) = case.resolve("spark.files", "s3n://b/k").unwrap();
        assert_eq!(list, "s3a://b/k");
        assert_eq!(warnings, ["spark.files: s3n://b/k is read as s3a://b/k"]);
    }

    #[test]
    fn patterns() {
        let case = Case::new();
        assert_eq!(case.list("spark.files", "*.txt"), "@/a.txt,@/b.txt,@/e%2Cf%20%231.txt");
        assert_eq!(case.list("spark.files", "?.txt"), "@/a.txt,@/b.txt");
        assert_eq!(case.list("spark.files", "[b-z].txt"), "@/b.txt");
        assert_eq!(case.list("spark.jars", "s*/b.*"), "@/sub/b.txt");
        // A file that has such a name is itself.
        assert_eq!(case.list("spark.files", "sub/c[1].txt"), "@/sub/c%5B1%5D.txt");
        let (list, warnings) = case.resolve("spark.jars", "sub/*").unwrap();
        assert_eq!(list, "@/sub/a.txt,@/sub/b.txt,@/sub/c%5B1%5D.txt");
        assert!(warnings[0].contains("dir.d is a directory"), "{warnings:?}");
        assert!(case.resolve("spark.jars", "*.nothing").unwrap_err().contains("*.nothing matches no file"));
    }

    #[test]
    fn missing_files_are_refused_and_missing_libraries_left_out() {
        let case = Case::new();
        for key in ["spark.files", "spark.archives", "spark.submit.pyFiles"] {
            assert_eq!(case.resolve(key, "a.txt,gone.zip").unwrap_err(), format!("{key}: gone.zip does not exist"));
        }
        let (list, warnings) = case.resolve("spark.jars", "a.txt,gone.jar").unwrap();
        assert_eq!((list.as_str(), warnings.len()), ("@/a.txt", 1));
        assert!(case.resolve("spark.files", "sub").unwrap_err().contains("is a directory"));
    }

    /// A loop of links stands for every directory in which nobody may look, as tests may run as root.
    #[test]
    fn what_cannot_be_looked_at_is_not_said_to_be_missing() {
        let case = Case::new();
        std::os::unix::fs::symlink("loop", case.directory.path().join("loop")).unwrap();
        for key in ["spark.files", "spark.jars"] {
            let refused = case.resolve(key, "loop/a.txt").unwrap_err();
            assert!(
                refused.starts_with(&format!("{key}: loop/a.txt cannot be looked at: Too many levels")),
                "{refused}"
            );
            let refused = case.resolve(key, "loop/*.txt").unwrap_err();
            let start = format!("{key}: loop/*.txt cannot be searched for: {}/loop: ", case.directory.path().display());
            assert!(refused.starts_with(&start), "{refused}");
        }
        // Among what a pattern has met, too.
        assert_eq!(case.list("spark.files", "*/b.txt"), "@/sub/b.txt");
    }

    #[test]
    fn aliases() {
        let case = Case::new();
        assert_eq!(case.list("spark.archives", "a.txt#env,local:/x.zip#y"), "@/a.txt#env,local:///x.zip#y");
        assert_eq!(case.list("spark.files", "a.txt,sub/a.txt#b"), "@/a.txt,@/sub/a.txt#b");
        for (key, list) in [
            ("spark.jars", "a.txt#b"),
            ("spark.submit.pyFiles", "a.txt#b"),
            ("spark.files", "?.txt#b"),
            ("spark.files", "a.txt#../b"),
            ("spark.files", "#b"),
        ] {
            assert!(case.resolve(key, list).is_err(), "{key} {list}");
        }
    }

    #[test]
    fn one_name_is_one_content() {
        let case = Case::new();
        let refused = case.resolve("spark.files", "a.txt,sub/a.txt").unwrap_err();
        assert!(refused.contains("same name, a.txt"), "{refused}");
        assert!(case.resolve("spark.archives", "a.txt#x,b.txt#x").is_err());
        assert_eq!(case.list("spark.files", "b.txt,sub/b.txt,b.txt"), "@/b.txt");
        assert_eq!(case.list("spark.jars", "b.txt,sub/b.txt,b.txt"), "@/b.txt,@/sub/b.txt");
        let elsewhere = "s3a://b/c/*.txt,s3a://b/d/*.txt,local:///d/*.txt";
        assert_eq!(case.list("spark.files", &format!("{elsewhere},s3a://b/d/*.txt")), elsewhere);
    }
}
