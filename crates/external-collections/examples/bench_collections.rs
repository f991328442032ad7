//! Each collection beside what one would write by hand without a thought of memory: the same input, one thread, in
//! memory; then the same under a tenth of the memory. Prints seconds of processor time (so that other work on the machine
//! disturbs little) and the ratio.
//!
//! `cargo run --release -p firesteel-external-collections --example bench_collections [millions of records [part of a name]]`

use std::{
    collections::HashMap,
    error::Error,
    hint::black_box,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use firesteel_external_collections::{
    BuildSide, CombiningMapWriter, ExternalAppendOnlyMap, ExternalSorter, FixedMemory, InPlace, SegmentSink,
    ShuffleMapWriter, SpillContext, SpillError, join, sort_prefix,
};

/// The programs' own allocator: with glibc's, what one run freed slows the next one down.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let millions: u64 = std::env::args().nth(1).map_or(Ok(10), |argument| argument.parse())?;
    let records = millions * 1_000_000;
    let directory = tempfile::tempdir()?;
    let bench = Bench { directory, only: std::env::args().nth(2).unwrap_or_default() };
    println!("{:<44} {:>8} {:>8} {:>7} {:>8} {:>7}", "", "by hand", "ours", "ratio", "spilling", "spills");
    bench.sort_pairs(records)?;
    bench.sort_strings(records / 10)?;
    bench.join(records)?;
    bench.aggregate(records)?;
    bench.count_words(records)?;
    bench.write_map_output(records)?;
    Ok(())
}

struct Bench {
    directory: tempfile::TempDir,
    only: String,
}

impl Bench {
    fn context(&self, memory_bytes: u64) -> SpillContext {
        static FILES: AtomicU64 = AtomicU64::new(0);
        let path = self.directory.path().to_owned();
        let directory = move || Ok(path.join(format!("spill-{}", FILES.fetch_add(1, Relaxed))));
        SpillContext::new(Arc::new(FixedMemory::new(memory_bytes)), Arc::new(directory))
    }

    /// Runs the hand-written code and ours, with all memory and with little.
    fn compare<T: PartialEq>(
        &self,
        name: &str,
        little: u64,
        by_hand: impl Fn() -> T,
        ours: impl Fn(&SpillContext) -> Outcome<T>,
    ) -> Outcome<()> {
        if !name.contains(&self.only) {
            return Ok(());
        }
        let (expected, by_hand) = timed(|| Ok(by_hand()))?;
        let (found, in_memory) = timed(|| ours(&self.context(u64::MAX >> 1)))?;
        assert!(found == expected, "{name}: another result in memory");
        let context = self.context(little);
        let (found, spilling) = timed(|| ours(&context))?;
        assert!(found == expected, "{name}: another result when spilling");
        let ratio = in_memory / by_hand;
        let spills = context.metrics().spills() / 2;
        println!("{name:<44} {by_hand:>8.2} {in_memory:>8.2} {ratio:>7.2} {spilling:>8.2} {spills:>7}");
        Ok(())
    }

    fn sort_pairs(&self, records: u64) -> Outcome<()> {
        self.compare(
            "sort pairs (i64, i64) by key",
            records * 16 / 10,
            || {
                let mut pairs: Vec<(i64, i64)> = random_pairs(records, 1).collect();
                pairs.sort_by_key(|pair| pair.0);
                checksum(pairs.into_iter().map(|pair| pair.0 as u64))
            },
            |context| {
                let mut sorter = ExternalSorter::new(context, |a: &(i64, i64), b: &(i64, i64)| a.0.cmp(&b.0));
                sorter.insert_all(random_pairs(records, 1).map(Ok::<_, SpillError>))?;
                Ok(checksum(sorter.finish()?.map(|pair| pair.map_or(0, |pair| pair.0 as u64))))
            },
        )
    }

    fn sort_strings(&self, records: u64) -> Outcome<()> {
        let lines = || Random(3).take(records as usize).map(|word| format!("{word:020}{}", "x".repeat(80)));
        self.compare(
            "sort 100-byte strings (a tenth as many)",
            records * 140 / 10,
            || {
                let mut all: Vec<String> = lines().collect();
                all.sort();
                checksum(all.into_iter().map(|line| u64::from(line.as_bytes()[10])))
            },
            |context| {
                let prefix = sort_prefix::<String>().expect("strings have prefixes");
                let mut sorter = ExternalSorter::new(context, String::cmp).with_prefix(prefix);
                sorter.insert_all(lines().map(Ok::<_, SpillError>))?;
                Ok(checksum(sorter.finish()?.map(|line| line.map_or(0, |line| u64::from(line.as_bytes()[10])))))
            },
        )
    }

    fn join(&self, records: u64) -> Outcome<()> {
        let rows = |seed| Random(seed).take(records as usize).map(move |word| ((word % records) as i64, word as i64));
        self.compare(
            "join two sets of pairs",
            records * 32 / 10,
            || {
                let mut built: HashMap<i64, Vec<i64>, foldhash::fast::RandomState> = HashMap::default();
                for (key, row) in rows(5) {
                    built.entry(key).or_default().push(row);
                }
                let joined = rows(6).flat_map(|(key, left)| {
                    built.get(&key).into_iter().flatten().map(move |right| (key, (left, *right)))
                });
                sum(joined)
            },
            |context| {
                let joined = join(context, rows(6).map(Ok::<_, SpillError>), rows(5).map(Ok), BuildSide::Right)?;
                Ok(sum(joined.filter_map(Result::ok)))
            },
        )
    }

    fn aggregate(&self, records: u64) -> Outcome<()> {
        for keys in [1_000, records / 10] {
            let pairs = || Random(7).take(records as usize).map(move |word| (word % keys, word >> 32));
            self.compare(
                &format!("sum by key, {keys} keys"),
                keys * 16 / 10,
                || {
                    let mut sums: HashMap<u64, u64, foldhash::fast::RandomState> = HashMap::default();
                    for (key, value) in pairs() {
                        *sums.entry(key).or_default() += value;
                    }
                    sums.into_iter().fold(0u64, |all, (key, sum)| all.wrapping_add(key ^ sum))
                },
                |context| {
                    let mut sums = ExternalAppendOnlyMap::new(context, adding());
                    sums.insert_all(pairs().map(Ok::<_, SpillError>))?;
                    let sums = sums.finish()?.filter_map(Result::ok);
                    Ok(sums.fold(0u64, |all, (key, sum)| all.wrapping_add(key ^ sum)))
                },
            )?;
        }
        Ok(())
    }

    fn count_words(&self, records: u64) -> Outcome<()> {
        let text: Vec<String> = Random(9).take(records as usize / 10).map(line_of_words).collect();
        let bytes: usize = text.iter().map(String::len).sum();
        self.compare(
            &format!("count words of {} MB", bytes >> 20),
            1 << 20,
            || {
                let mut counts: HashMap<String, u64, foldhash::fast::RandomState> = HashMap::default();
                for word in text.iter().flat_map(|line| line.split(' ')) {
                    match counts.get_mut(word) {
                        Some(count) => *count += 1,
                        None => drop(counts.insert(word.to_owned(), 1)),
                    }
                }
                (counts.len(), counts.values().sum::<u64>())
            },
            |context| {
                let mut counts = ExternalAppendOnlyMap::<String, u64, u64, _>::new(context, adding());
                for word in text.iter().flat_map(|line| line.split(' ')) {
                    counts.insert(word.to_owned(), 1)?;
                }
                let counts = counts.finish()?.filter_map(Result::ok);
                Ok(counts.fold((0, 0), |(words, all), (_, count)| (words + 1, all + count)))
            },
        )
    }

    fn write_map_output(&self, records: u64) -> Outcome<()> {
        let partition = |key: i64| (key as u64 % 200) as u32;
        let postcard_bytes = |pair: &(i64, i64), buffer: &mut Vec<u8>| {
            let mut bytes = [0; 20];
            let encoded = postcard::to_slice(pair, &mut bytes).map_or(0, |encoded| encoded.len());
            buffer.extend_from_slice(&bytes[..encoded]);
        };
        self.compare(
            "map output, 200 partitions",
            records * 20 / 10,
            || {
                let mut buffers = vec![Vec::new(); 200];
                for pair in random_pairs(records, 11) {
                    postcard_bytes(&pair, &mut buffers[partition(pair.0) as usize]);
                }
                buffers.iter().map(|buffer| buffer.len() as u64).sum::<u64>()
            },
            |context| {
                let mut writer = ShuffleMapWriter::new(context, 200);
                for pair in random_pairs(records, 11) {
                    writer.insert(partition(pair.0), &pair)?;
                }
                Ok(writer.finish(&mut Discarding)?.bytes_written)
            },
        )?;
        self.compare(
            "map output combined, 1000 keys",
            1 << 20,
            || {
                let mut sums: HashMap<u64, u64, foldhash::fast::RandomState> = HashMap::default();
                for word in Random(13).take(records as usize) {
                    *sums.entry(word % 1000).or_default() += 1;
                }
                sums.len() as u64
            },
            |context| {
                let mut writer = CombiningMapWriter::new(context, 200, |key: &u64| (*key % 200) as u32, adding());
                for word in Random(13).take(records as usize) {
                    writer.insert(word % 1000, 1)?;
                }
                Ok(writer.finish(&mut Discarding)?.records_written)
            },
        )
    }
}

#[expect(clippy::type_complexity, reason = "three closures have three types")]
fn adding() -> InPlace<impl Fn(u64) -> u64, impl Fn(&mut u64, u64), impl Fn(&mut u64, u64)> {
    InPlace {
        create_combiner: |value| value,
        merge_value: |sum: &mut u64, value| *sum += value,
        merge_combiners: |sum: &mut u64, other| *sum += other,
    }
}

/// The better of two runs: the first one also pays for memory that the process never had before.
fn timed<T>(run: impl Fn() -> Outcome<T>) -> Outcome<(T, f64)> {
    let mut best = f64::INFINITY;
    let mut result = None;
    for _ in 0..2 {
        let start = processor_seconds()?;
        result = Some(black_box(run()?));
        best = best.min(processor_seconds()? - start);
    }
    Ok((result.ok_or("there was no run")?, best))
}

/// Processor time of this thread so far, from the kernel's scheduler.
fn processor_seconds() -> Outcome<f64> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = statistics.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds as f64 / 1e9)
}

struct Discarding;

impl SegmentSink for Discarding {
    type Error = std::convert::Infallible;

    fn begin_partition(&mut self, _: u32, _: u64) -> Result<(), Self::Error> {
        Ok(())
    }

    fn write(&mut self, encoded: &[u8]) -> Result<(), Self::Error> {
        black_box(encoded);
        Ok(())
    }
}

fn random_pairs(records: u64, seed: u64) -> impl Iterator<Item = (i64, i64)> {
    Random(seed).take(records as usize).zip(0..).map(|(word, index)| (word as i64, index))
}

/// Ten words of three to eight letters, the frequent ones being frequent.
fn line_of_words(seed: u64) -> String {
    let words = Random(seed).take(10).map(|word| {
        let rank = (word % 30_000) * (word / 30_000 % 30_000) / 30_000;
        format!("w{:x}", rank * 7919)
    });
    words.collect::<Vec<_>>().join(" ")
}

fn sum(joined: impl Iterator<Item = (i64, (i64, i64))>) -> (u64, i64) {
    joined.fold((0, 0), |(rows, all), (key, (left, right))| (rows + 1, all.wrapping_add(key ^ left ^ right)))
}

/// Depends on the order.
fn checksum(items: impl Iterator<Item = u64>) -> u64 {
    items.fold(0, |all, item| all.rotate_left(5) ^ item)
}

/// SplitMix64: what is measured should not be the generator.
#[derive(Clone)]
struct Random(u64);

impl Iterator for Random {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(word ^ (word >> 31))
    }
}
