//! The end of a process, which it has only once: so this has a process of its own.

use std::{fs, sync::mpsc, thread};

use firesteel_local_dirs::{CreateLocalDirsError, LocalDirs, remove_for_good};

#[test]
fn nothing_is_left_by_a_thread_that_makes_directories_while_the_process_ends() {
    let root = tempfile::tempdir().unwrap();
    let roots = [root.path().to_owned()];
    let (started, start) = mpsc::channel();
    let making = thread::spawn({
        let roots = roots.clone();
        move || {
            let mut made = Vec::new();
            loop {
                match LocalDirs::create(&roots) {
                    Ok((dirs, _)) => {
                        let _ = fs::create_dir(dirs.directories()[0].join("executor-0"));
                        made.push(dirs);
                    }
                    Err(error) => {
                        // As if the process ended here: nothing is dropped.
                        made.into_iter().for_each(std::mem::forget);
                        return error;
                    }
                }
                let _ = started.send(());
            }
        }
    });
    start.recv().unwrap();
    remove_for_good();
    assert!(matches!(making.join().unwrap(), CreateLocalDirsError::ProcessEnds));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}
