//! Paths that come from outside: from other processes, from archives.

use std::path::{Component, Path, PathBuf};

/// A relative path that stays below where it starts, whatever is there. `.` parts are left out; an empty path is the start.
/// None for absolute paths and those with `..`.
pub(crate) fn below(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => plain.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below() {
        for (path, plain) in [("a/b", "a/b"), ("./a/./b/", "a/b"), (".", ""), ("", ""), ("a//b", "a/b")] {
            assert_eq!(below(Path::new(path)), Some(PathBuf::from(plain)), "{path}");
        }
        for path in ["..", "../a", "a/../b", "/a", "a/b/.."] {
            assert_eq!(below(Path::new(path)), None, "{path}");
        }
    }
}
