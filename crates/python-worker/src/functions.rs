//! Python modules with equivalents of PySpark's own functions, for workers.
//!
//! PySpark wraps each function of the user's, and calls it, counts and looks at memory for each element; its equivalents do that for
//! many elements in one loop. They replace functions in the worker's process alone, and only those whose text is known word for
//! word: see `functions/recognition.py`. What PySpark has installed on disk is never changed.

use std::sync::LazyLock;

/// Under this name a process gets them.
pub(crate) const VARIABLE: &str = "FIRESTEEL_PYTHON_FUNCTIONS";

const PACKAGE: &str = "firesteel_functions";
/// The package itself, which has no name of its own, and its modules.
const TEXTS: [(&str, &str); 14] = [
    ("", include_str!("functions/__init__.py")),
    ("chain", include_str!("functions/chain.py")),
    ("code", include_str!("functions/code.py")),
    ("digests", include_str!("functions/digests.py")),
    ("elements", include_str!("functions/elements.py")),
    ("folding", include_str!("functions/folding.py")),
    ("memory", include_str!("functions/memory.py")),
    ("merging", include_str!("functions/merging.py")),
    ("operators", include_str!("functions/operators.py")),
    ("pipeline", include_str!("functions/pipeline.py")),
    ("recognition", include_str!("functions/recognition.py")),
    ("shuffling", include_str!("functions/shuffling.py")),
    ("sorting", include_str!("functions/sorting.py")),
    ("text", include_str!("functions/text.py")),
];

/// A JSON object of names and texts.
pub(crate) fn modules() -> &'static str {
    static MODULES: LazyLock<String> = LazyLock::new(|| {
        let texts = TEXTS.iter().map(|(name, text)| {
            let name = if name.is_empty() { PACKAGE.to_owned() } else { format!("{PACKAGE}.{name}") };
            (name, serde_json::Value::from(*text))
        });
        serde_json::Value::Object(texts.collect()).to_string()
    });
    &MODULES
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux takes no longer variable.
    const LONGEST_VARIABLE: usize = 128 << 10;

    #[test]
    fn a_process_can_be_given_all_modules() {
        assert!(VARIABLE.len() + 1 + modules().len() < LONGEST_VARIABLE);
    }
}
