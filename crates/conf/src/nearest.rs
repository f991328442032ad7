//! "Did you mean …?"

/// The candidate that is most like `word`, if it is so near that `word` may be a slip of the pen: at most one edit in five
/// characters, and at most three. An edit inserts, removes or replaces one character or swaps two neighbours.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().collect();
    let limit = (word.len() / 5).clamp(1, 3);
    let near = candidates.into_iter().filter_map(|candidate| {
        let letters: Vec<char> = candidate.chars().collect();
        let distance = (letters.len().abs_diff(word.len()) <= limit).then(|| edit_distance(&word, &letters))?;
        (distance <= limit).then_some((distance, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

/// Damerau's distance in its restricted form: no character takes part in two edits.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(!a[i - 1].eq_ignore_ascii_case(&b[j - 1]));
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let keys = ["spark.executor.memory", "spark.executor.cores", "spark.task.maxFailures"];
        let cases = [
            ("spark.exectuor.memory", Some("spark.executor.memory")),
            ("spark.executor.memroy", Some("spark.executor.memory")),
            ("spark.executer.cores", Some("spark.executor.cores")),
            ("spark.task.maxfailures", Some("spark.task.maxFailures")),
            ("spark.task.maxFailure", Some("spark.task.maxFailures")),
            ("spark.myapp.threshold", None),
            ("", None),
        ];
        for (word, found) in cases {
            assert_eq!(nearest(word, keys), found, "{word}");
        }
    }
}
