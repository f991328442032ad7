//! Collections whose spill files are encrypted: the same records, in files that say nothing and cannot be changed unseen.

mod fixture;

use std::{collections::BTreeMap, fs, sync::Arc};

use firesteel_external_collections::{
    BuildSide, EncryptedBlocks, ExternalAppendOnlyMap, ExternalSorter, Grouping, Lz4Blocks, PlainBlocks, SpillCodec,
    SpillContext, SpillDamage, SpillError, join,
};
use firesteel_io_encryption::{IoEncryption, KeySize};
use fixture::{Grants, Task, input};

fn encrypted(task: &Task, codec: impl SpillCodec + 'static) -> SpillContext {
    let encryption = IoEncryption::generate(KeySize::Bits128);
    task.context.clone().with_codec(Arc::new(EncryptedBlocks::new(codec, encryption)))
}

fn word(number: u32) -> String {
    format!("swordfish {number:04}")
}

#[test]
fn what_was_spilled_comes_back_sorted_grouped_and_joined() {
    let task = Task::new(Grants::Nothing);
    let context = encrypted(&task, Lz4Blocks);
    let mut sorter = ExternalSorter::new(&context, String::cmp);
    sorter.insert_all(input((0..500).rev().map(word))).unwrap();
    let sorted: Vec<String> = sorter.finish().unwrap().map(Result::unwrap).collect();
    assert!(sorted.into_iter().eq((0..500).map(word)));

    let mut groups = ExternalAppendOnlyMap::new(&context, Grouping);
    groups.insert_all(input((0..500).map(|number| (word(number % 50), number)))).unwrap();
    let groups: BTreeMap<String, usize> =
        groups.finish().unwrap().map(Result::unwrap).map(|(key, values)| (key, values.len())).collect();
    assert!(groups.into_iter().eq((0..50).map(|number| (word(number), 10))));

    let rows = |offset: u32| input((0..300).map(move |number| (word(number + offset), number)));
    let joined = join(&context, rows(0), rows(100), BuildSide::Left).unwrap();
    let mut joined: Vec<(String, (u32, u32))> = joined.map(Result::unwrap).collect();
    joined.sort();
    assert!(joined.into_iter().eq((100..300).map(|number| (word(number), (number, number - 100)))));
    assert!(task.spills() > 10);
    task.assert_clean();
}

#[test]
fn spill_files_can_be_read_unless_they_are_encrypted() {
    let task = Task::new(Grants::Nothing);
    let plain = task.context.clone().with_codec(Arc::new(PlainBlocks));
    for (context, in_clear) in [(plain, true), (encrypted(&task, PlainBlocks), false)] {
        let mut sorter = ExternalSorter::new(&context, String::cmp);
        sorter.insert_all(input((0..500).map(word))).unwrap();
        let files: Vec<Vec<u8>> = task.files().into_iter().map(|path| fs::read(path).unwrap()).collect();
        assert!(!files.is_empty());
        for file in files {
            assert_eq!(file.windows(9).any(|window| window == b"swordfish"), in_clear);
        }
        drop(sorter);
    }
    task.assert_clean();
}

/// Whoever changes a file can make its checksum fit, and not its text.
#[test]
fn a_changed_block_with_a_checksum_that_fits_is_damage() {
    let task = Task::new(Grants::Nothing);
    let mut sorter = ExternalSorter::new(&encrypted(&task, PlainBlocks), String::cmp);
    sorter.insert_all(input((0..500).map(word))).unwrap();
    for path in task.files() {
        let mut file = fs::read(&path).unwrap();
        // The first block: its length, its checksum, and what the two are of.
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        file[12 + length / 2] ^= 1;
        let checksum = crc32fast::hash(&file[12..12 + length]);
        file[8..12].copy_from_slice(&checksum.to_le_bytes());
        fs::write(path, file).unwrap();
    }
    let failed = match sorter.finish() {
        Ok(mut sorted) => sorted.find_map(Result::err),
        Err(error) => Some(error),
    };
    let Some(SpillError::Corrupt { source, .. }) = failed else { panic!("{failed:?}") };
    assert!(matches!(&*source, SpillDamage::Codec { reason, .. } if reason.contains("was changed")), "{source:?}");
    task.assert_clean();
}
