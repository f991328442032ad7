//! Files of submitting machines, kept until their drivers have ended (AS-06).
//!
//! ```text
//!  directory/ID/0, 1, …      the files of one submission, numbered as they were announced; only their owner reads them
//! ```
//!
//! They belong to the connection that brings them until a driver is submitted that names them, then to that driver; what belongs to
//! nobody is removed. A master that takes over has none of them, and says so to drivers that ask.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    mem,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use firesteel_local_dirs::DiskReserve;
use firesteel_model::ByteCount;
use firesteel_standalone::{
    ARTIFACT_PIECE, ArtifactAnswer, ArtifactContent, ArtifactRequest, ArtifactsId, master::PeerId,
};
use parking_lot::Mutex;
use tracing::{info, warn};

/// Where files of submitting machines are kept, and how much of them.
#[derive(Clone, Debug)]
pub struct ArtifactStoreOptions {
    /// The directory, which is made when the first file comes.
    pub directory: PathBuf,
    /// How much the files of one submission may be together; none are taken if it is 0.
    pub max_size: ByteCount,
}

/// More files than these have no place in one submission.
const MOST_FILES: usize = 10_000;

/// The files of all submissions.
#[derive(Debug)]
pub(crate) struct ArtifactStore {
    options: ArtifactStoreOptions,
    /// Files are taken only while this master leads.
    open: AtomicBool,
    /// What comes, and what has come on a connection that is still there.
    uploads: Mutex<BTreeMap<ArtifactsId, Upload>>,
    /// All that is there, and whether it was there before this master.
    present: Mutex<BTreeMap<ArtifactsId, bool>>,
}

#[derive(Debug)]
struct Upload {
    peer: PeerId,
    files: Vec<Incoming>,
    reserve: DiskReserve,
    /// All has come, as it was announced.
    complete: bool,
}

#[derive(Debug)]
struct Incoming {
    content: ArtifactContent,
    received: u64,
    hasher: blake3::Hasher,
}

impl ArtifactStore {
    pub(crate) fn new(options: ArtifactStoreOptions) -> Self {
        let found = fs::read_dir(&options.directory).into_iter().flatten().flatten();
        // Somebody else's files are left alone.
        let found = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| is_id(name));
        let present = Mutex::new(found.map(|name| (ArtifactsId(name), true)).collect());
        Self { options, open: AtomicBool::new(false), uploads: Mutex::default(), present }
    }

    /// Whether files are taken.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    /// Does what a peer asks. Blocks while the disk does.
    pub(crate) fn answer(&self, peer: PeerId, request: ArtifactRequest) -> ArtifactAnswer {
        match request {
            ArtifactRequest::Begin { files } => ArtifactAnswer::Begun(self.begin(peer, files)),
            ArtifactRequest::Write { id, file, offset, bytes } => {
                ArtifactAnswer::Written(self.write(peer, &id, file, offset, &bytes))
            }
            ArtifactRequest::Finish { id } => ArtifactAnswer::Finished(self.finish(peer, &id)),
            ArtifactRequest::Read { id, file, offset, length } => {
                ArtifactAnswer::Read(self.read(&id, file, offset, length).map(Into::into))
            }
        }
    }

    fn begin(&self, peer: PeerId, files: Vec<ArtifactContent>) -> Result<ArtifactsId, String> {
        if !self.open.load(Ordering::Relaxed) {
            return Err("this master does not lead".to_owned());
        }
        let size = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.length));
        let most = self.options.max_size;
        if size > most.bytes() {
            return Err(format!(
                "the files of the submission are {} together, and the master takes {most} at most (spark.deploy.artifacts.maxSize of \
                 the master); put large ones where workers can fetch them, such as hdfs: or s3a:",
                ByteCount(size)
            ));
        }
        if files.len() > MOST_FILES {
            return Err(format!("the submission has {} files, and {MOST_FILES} are the most", files.len()));
        }
        if self.uploads.lock().values().any(|upload| upload.peer == peer) {
            return Err("this connection has brought files before".to_owned());
        }
        let id = ArtifactsId(format!("{:032x}", rand::random::<u128>()));
        self.present.lock().insert(id.clone(), false);
        self.uploads
            .lock()
            .insert(id.clone(), Upload { peer, files: Vec::new(), reserve: DiskReserve::default(), complete: false });
        self.make_directory(&id).map_err(|error| self.failed("kept", &error))?;
        let files: Vec<Incoming> =
            files.into_iter().map(|content| Incoming { content, received: 0, hasher: blake3::Hasher::new() }).collect();
        for number in 0..files.len() {
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path(&id, number));
            made.map_err(|error| self.failed("kept", &error))?;
        }
        if let Some(upload) = self.uploads.lock().get_mut(&id) {
            upload.files = files;
        }
        Ok(id)
    }

    /// Only its owner may look into the directory: who else could would read what users have submitted, and write what drivers run.
    fn make_directory(&self, id: &ArtifactsId) -> io::Result<()> {
        let root = &self.options.directory;
        DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        let metadata = fs::symlink_metadata(root)?;
        if !metadata.is_dir() || metadata.mode() & 0o077 != 0 || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(
                "it must be a directory of the master's user that nobody else can look into (mode 700)",
            ));
        }
        DirBuilder::new().mode(0o700).create(root.join(&id.0))
    }

    fn write(&self, peer: PeerId, id: &ArtifactsId, file: u32, offset: u64, bytes: &[u8]) -> Result<(), String> {
        let mut uploads = self.uploads.lock();
        let upload = uploads.get_mut(id).filter(|upload| upload.peer == peer && !upload.complete);
        let upload = upload.ok_or("there are no files to write to")?;
        let mut reserve = mem::take(&mut upload.reserve);
        let incoming = upload.files.get_mut(file as usize).ok_or("there is no such file to write to")?;
        let length = bytes.len() as u64;
        if bytes.len() > ARTIFACT_PIECE
            || offset != incoming.received
            || offset.saturating_add(length) > incoming.content.length
        {
            return Err("the piece is none of the file that was announced".to_owned());
        }
        incoming.received += length;
        incoming.hasher.update(bytes);
        // The disk may be slow, and others bring files too.
        drop(uploads);
        let opened = OpenOptions::new().append(true).open(self.path(id, file as usize));
        let written = opened.and_then(|mut file| reserve.write_all(&mut file, bytes));
        let mut uploads = self.uploads.lock();
        match written {
            Ok(()) => {
                if let Some(upload) = uploads.get_mut(id) {
                    upload.reserve = reserve;
                }
                Ok(())
            }
            Err(error) => {
                // What is not whole is of no use.
                uploads.remove(id);
                Err(self.failed("kept", &error))
            }
        }
    }

    fn finish(&self, peer: PeerId, id: &ArtifactsId) -> Result<(), String> {
        let mut uploads = self.uploads.lock();
        let upload = uploads.get_mut(id).filter(|upload| upload.peer == peer).ok_or("there are no such files")?;
        for (number, incoming) in upload.files.iter().enumerate() {
            let Incoming { content, received, hasher } = incoming;
            if *received != content.length || hasher.finalize() != content.digest {
                return Err(format!("file {number} of the submission has changed while it was sent"));
            }
        }
        upload.complete = true;
        Ok(())
    }

    /// May this peer submit a driver with these files?
    pub(crate) fn check(&self, peer: PeerId, id: &ArtifactsId) -> Result<(), String> {
        let uploads = self.uploads.lock();
        let complete = uploads.get(id).is_some_and(|upload| upload.peer == peer && upload.complete);
        if complete { Ok(()) } else { Err("its files are not at this master; submit it again".to_owned()) }
    }

    fn read(&self, id: &ArtifactsId, file: u32, offset: u64, length: u32) -> Result<Vec<u8>, String> {
        if length as usize > ARTIFACT_PIECE {
            return Err("that is more than one piece".to_owned());
        }
        if !is_id(&id.0) {
            return Err(format!("{:?} names no files", id.0));
        }
        let read = || {
            let mut file = File::open(self.path(id, file as usize))?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::with_capacity(length as usize);
            file.take(u64::from(length)).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                "its files are not at this master: another one led when it was submitted, and they were there; submit it again"
                    .to_owned()
            }
            _ => self.failed("read", &error),
        })
    }

    /// A connection has ended, and all that it has submitted is known: what it has brought and named in no submission goes.
    pub(crate) fn release(&self, peer: PeerId) {
        self.uploads.lock().retain(|_, upload| upload.peer != peer);
    }

    /// Is there nothing that could go?
    pub(crate) fn is_empty(&self) -> bool {
        self.present.lock().is_empty()
    }

    /// Takes out of the list what belongs to nobody: neither to a connection nor to a submission that is named. What was there before
    /// this master stays unless `inherited`: a driver that it has not heard of yet may need it.
    pub(crate) fn take_unnamed(&self, named: &BTreeSet<ArtifactsId>, inherited: bool) -> Vec<ArtifactsId> {
        let uploads = self.uploads.lock();
        let goes =
            |id: &ArtifactsId, before: bool| !named.contains(id) && !uploads.contains_key(id) && (inherited || !before);
        let mut present = self.present.lock();
        present.extract_if(.., |id, before| goes(id, *before)).map(|(id, _)| id).collect()
    }

    /// Removes files from the disk.
    pub(crate) fn remove(&self, id: &ArtifactsId) {
        let path = self.options.directory.join(&id.0);
        match fs::remove_dir_all(&path) {
            Ok(()) => info!(path = %path.display(), "removed the files of a submission"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn!(%error, path = %path.display(), "the files of a submission could not be removed"),
        }
    }

    fn path(&self, id: &ArtifactsId, file: usize) -> PathBuf {
        self.options.directory.join(&id.0).join(file.to_string())
    }

    fn failed(&self, action: &str, error: &io::Error) -> String {
        format!(
            "the files of the submission cannot be {action} in {} of the master (spark.deploy.artifacts.directory): {error}",
            self.options.directory.display()
        )
    }
}

/// Ids come from other processes too, and paths are made of them.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PEER: PeerId = PeerId(1);
    const OTHER: PeerId = PeerId(2);

    fn store(root: &std::path::Path) -> ArtifactStore {
        let options = ArtifactStoreOptions { directory: root.join("artifacts"), max_size: ByteCount(100) };
        let store = ArtifactStore::new(options);
        store.set_open(true);
        store
    }

    fn content(bytes: &[u8]) -> ArtifactContent {
        ArtifactContent { length: bytes.len() as u64, digest: *blake3::hash(bytes).as_bytes() }
    }

    fn brought(store: &ArtifactStore, peer: PeerId, bytes: &[u8]) -> ArtifactsId {
        let id = store.begin(peer, vec![content(bytes)]).unwrap();
        let (first, last) = bytes.split_at(bytes.len() / 2);
        store.write(peer, &id, 0, 0, first).unwrap();
        store.write(peer, &id, 0, first.len() as u64, last).unwrap();
        store.finish(peer, &id).unwrap();
        id
    }

    #[test]
    fn files_are_kept_for_those_who_may_read_them_and_go_when_nobody_needs_them() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path());
        let id = brought(&store, PEER, b"content");
        assert_eq!(store.read(&id, 0, 3, 100).unwrap(), b"tent");
        assert_eq!((store.check(PEER, &id), store.check(OTHER, &id).is_err()), (Ok(()), true));
        let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(store.path(&id, 0)), mode(store.options.directory.join(&id.0))), (0o600, 0o700));
        let none = BTreeSet::new();
        assert_eq!(store.take_unnamed(&none, true), [], "its connection is there");
        store.release(PEER);
        let named = BTreeSet::from([id.clone()]);
        assert_eq!(store.take_unnamed(&named, true), [], "its driver is there");
        assert_eq!(store.take_unnamed(&none, false), std::slice::from_ref(&id));
        store.remove(&id);
        assert!(store.is_empty() && !store.options.directory.join(&id.0).exists());
        assert!(store.read(&id, 0, 0, 1).unwrap_err().contains("submit it again"));
    }

    #[test]
    fn what_was_there_before_the_master_waits_for_drivers_to_name_it() {
        let root = tempfile::tempdir().unwrap();
        let id = brought(&store(root.path()), PEER, b"content");
        fs::create_dir(root.path().join("artifacts/somebody's")).unwrap();
        let store = store(root.path());
        let none = BTreeSet::new();
        assert_eq!(store.take_unnamed(&none, false), []);
        assert_eq!(store.read(&id, 0, 0, 7).unwrap(), b"content");
        assert_eq!(store.take_unnamed(&none, true), [id]);
    }

    #[test]
    fn what_is_too_much_or_not_what_was_announced_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path());
        let refused = store.begin(PEER, vec![content(&[0; 60]), content(&[1; 60])]).unwrap_err();
        assert!(
            refused.contains("120.0 B together") && refused.contains("spark.deploy.artifacts.maxSize"),
            "{refused}"
        );
        assert!(!root.path().join("artifacts").exists());

        let id = store.begin(PEER, vec![content(b"content")]).unwrap();
        assert!(store.begin(PEER, Vec::new()).is_err(), "one submission at a time");
        assert!(store.write(OTHER, &id, 0, 0, b"c").is_err(), "it is not theirs");
        for (file, offset, bytes) in [(1, 0, &b"c"[..]), (0, 1, b"c"), (0, 0, b"contents")] {
            assert!(store.write(PEER, &id, file, offset, bytes).is_err(), "{file} {offset}");
        }
        store.write(PEER, &id, 0, 0, b"cOntent").unwrap();
        assert!(store.finish(PEER, &id).unwrap_err().contains("has changed"));
        assert!(store.check(PEER, &id).is_err());
        for id in ["..", "../artifacts", "", &"/".repeat(32)] {
            assert!(store.read(&ArtifactsId(id.to_owned()), 0, 0, 1).unwrap_err().contains("names no files"), "{id}");
        }
        store.set_open(false);
        assert!(store.begin(OTHER, Vec::new()).unwrap_err().contains("does not lead"));
    }

    #[test]
    fn a_directory_that_others_can_look_into_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path());
        fs::create_dir(&store.options.directory).unwrap();
        fs::set_permissions(&store.options.directory, fs::Permissions::from_mode(0o755)).unwrap();
        let refused = store.begin(PEER, vec![content(b"x")]).unwrap_err();
        assert!(refused.contains("mode 700") && refused.contains("spark.deploy.artifacts.directory"), "{refused}");
    }
}
