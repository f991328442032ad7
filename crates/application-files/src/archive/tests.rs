//! Archives that are well, and archives that are not.

use std::{
    fs,
    io::{Cursor, Write},
    os::unix::fs::PermissionsExt,
};

use ::tar::{Builder, EntryType, Header};
use ::zip::{ZipWriter, write::SimpleFileOptions};
use flate2::{Compression, write::GzEncoder};

use super::*;

/// A member of a tar: its path as it stands, its kind, what it links to or holds.
struct Member(&'static str, EntryType, &'static str);

fn file(path: &'static str, text: &'static str) -> Member {
    Member(path, EntryType::Regular, text)
}

fn link(path: &'static str, target: &'static str) -> Member {
    Member(path, EntryType::Symlink, target)
}

/// A tar with these members, whatever their paths are: the library's own checks are passed by.
fn tar_of(members: &[Member]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for Member(path, kind, text) in members {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o6755);
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        if is_link {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        let content = if is_link { &[] } else { text.as_bytes() };
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip_of(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in members {
        writer.start_file(*path, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

struct Unpacked {
    directory: tempfile::TempDir,
    result: Result<(), UnpackError>,
}

fn unpacked(format: ArchiveFormat, bytes: &[u8]) -> Unpacked {
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("archive");
    fs::write(&archive, bytes).unwrap();
    let result = unpack(format, File::open(&archive).unwrap(), &directory.path().join("root"));
    Unpacked { directory, result }
}

fn unpacked_tar(members: &[Member]) -> Unpacked {
    unpacked(ArchiveFormat::Tar, &tar_of(members))
}

impl Unpacked {
    fn read(&self, path: &str) -> String {
        self.result.as_ref().unwrap();
        fs::read_to_string(self.directory.path().join("root").join(path)).unwrap()
    }
}

#[test]
fn every_format_is_unpacked() {
    let members = [file("a.txt", "a"), file("./d/e/b.txt", "b")];
    let tar = tar_of(&members);
    let zip = zip_of(&[("a.txt", "a"), ("d/e/b.txt", "b")]);
    for (format, bytes) in
        [(ArchiveFormat::Tar, tar.clone()), (ArchiveFormat::TarGz, gzip(&tar)), (ArchiveFormat::Zip, zip)]
    {
        let unpacked = unpacked(format, &bytes);
        assert_eq!(
            (unpacked.read("a.txt"), unpacked.read("d/e/b.txt")),
            ("a".to_owned(), "b".to_owned()),
            "{format:?}"
        );
        // What may be executed stays so, and the bits that change the user do not.
        let path = unpacked.directory.path().join("root/a.txt");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o755, "{format:?}");
    }
}

#[test]
fn links_inside_are_kept() {
    let unpacked = unpacked_tar(&[
        link("lib64", "lib"),
        file("lib/a.txt", "a"),
        link("bin/up", "../lib/a.txt"),
        link("chain", "lib64/a.txt"),
        link("nothing", "lib/gone"),
        Member("hard", EntryType::Link, "lib/a.txt"),
    ]);
    for path in ["lib64/a.txt", "bin/up", "chain", "hard"] {
        assert_eq!(unpacked.read(path), "a", "{path}");
    }
}

#[test]
fn the_last_member_of_a_name_counts() {
    let unpacked = unpacked_tar(&[file("a", "old"), link("b", "../../etc"), file("a", "new"), file("b", "file")]);
    assert_eq!((unpacked.read("a"), unpacked.read("b")), ("new".to_owned(), "file".to_owned()));
}

#[test]
fn what_leads_out_is_refused() {
    let cases: Vec<(&str, Vec<Member>)> = vec![
        ("would be written outside", vec![file("../evil", "x")]),
        ("would be written outside", vec![file("a/../../evil", "x")]),
        ("would be written outside", vec![file("/evil", "x")]),
        ("would be written outside", vec![Member("../evil", EntryType::Directory, "")]),
        ("is outside", vec![link("l", "/etc/passwd")]),
        ("is outside", vec![link("l", "..")]),
        ("is outside", vec![link("d/l", "../../x")]),
        // The text stays inside, but another link takes it out.
        ("is outside", vec![file("d/e/f", "x"), link("d/e/up", "../.."), link("l", "d/e/up/../y")]),
        ("is outside", vec![link("a", "b"), link("b", "a")]),
        ("is outside", vec![Member("h", EntryType::Link, "../evil")]),
        ("is outside", vec![Member("h", EntryType::Link, "/etc/passwd")]),
        ("through a symbolic link", vec![link("l", "/tmp"), file("l/evil", "x")]),
        ("through a symbolic link", vec![link("l", "/tmp"), Member("l", EntryType::Directory, "")]),
        ("through a symbolic link", vec![link("l", "/etc"), Member("h", EntryType::Link, "l/passwd")]),
        ("neither a file nor", vec![Member("d", EntryType::Char, "")]),
        ("neither a file nor", vec![Member("p", EntryType::Fifo, "")]),
    ];
    for (words, members) in cases {
        let unpacked = unpacked_tar(&members);
        let error = unpacked.result.unwrap_err().to_string();
        let path = members.last().unwrap().0;
        assert!(error.contains(words), "{path}: {error}");
        let mut left: Vec<_> =
            fs::read_dir(unpacked.directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["archive", "root"], "{path}");
    }
    for path in ["../evil", "/evil", "a/../../evil"] {
        let result = unpacked(ArchiveFormat::Zip, &zip_of(&[(path, "x")])).result;
        assert!(matches!(result, Err(UnpackError::Outside { .. })), "{path}: {result:?}");
    }
}

#[test]
fn links_of_zip_archives_are_looked_at_too() {
    let zip = |target: &str| {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("l", target, SimpleFileOptions::default()).unwrap();
        writer.start_file("a", SimpleFileOptions::default()).unwrap();
        writer.write_all(b"a").unwrap();
        writer.finish().unwrap().into_inner()
    };
    for (target, inside) in [("a", true), ("../a", false), ("/etc/passwd", false)] {
        let result = unpacked(ArchiveFormat::Zip, &zip(target)).result;
        assert_eq!(result.is_ok(), inside, "{target}: {result:?}");
    }
}

#[test]
fn damaged_archives_are_refused() {
    let tar = gzip(&tar_of(&[file("a", "some text that is long enough to be cut off")]));
    for (format, bytes) in [
        (ArchiveFormat::Zip, b"no archive".to_vec()),
        (ArchiveFormat::TarGz, b"no archive".to_vec()),
        (ArchiveFormat::Tar, vec![7; 1024]),
        (ArchiveFormat::TarGz, tar[..tar.len() / 2].to_vec()),
    ] {
        let error = unpacked(format, &bytes).result.unwrap_err();
        assert_eq!(error.to_string(), "the archive cannot be read", "{format:?}");
    }
}
