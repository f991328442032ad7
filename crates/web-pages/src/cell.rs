//! What stands in a table's cell or behind a fact's name.

use firesteel_model::ByteCount;

use crate::{Link, cut, date, duration};

/// How a word is coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// All is well.
    Good,
    /// Something goes on.
    Busy,
    /// Somebody may want to look.
    Waiting,
    /// Something has failed.
    Bad,
    /// It is over.
    Quiet,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Waiting => "waiting",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }
}

/// A state: a word, and its colour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The word.
    pub word: String,
    /// Its colour.
    pub tone: Tone,
}

impl State {
    /// A state.
    pub fn new(word: impl Into<String>, tone: Tone) -> Self {
        Self { word: word.into(), tone }
    }
}

/// One cell.
#[derive(Clone, PartialEq, Debug)]
pub struct Cell {
    pub(crate) content: Content,
    pub(crate) key: SortKey,
}

/// What is seen.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Content {
    Text(String),
    Links(Vec<Link>),
    State(State),
    /// A text, and what share of something it is.
    Share(String, u8),
    /// A button that ends something.
    Kill {
        action: &'static str,
        id: String,
    },
}

/// What it is sorted by.
#[derive(Clone, PartialEq, PartialOrd, Debug)]
pub(crate) enum SortKey {
    Number(f64),
    Text(String),
}

impl Cell {
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.content, Content::Text(text) if text.is_empty())
    }

    fn new(content: Content, key: SortKey) -> Self {
        Self { content, key }
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Self::new(Content::Text(cut(text)), SortKey::Text(cut(text).to_lowercase()))
    }

    /// A text as long as it is, for the one page that is about it.
    pub fn whole(text: &str) -> Self {
        const LONGEST: usize = 4000;
        let begin: String = text.chars().take(LONGEST).collect();
        Self { content: Content::Text(begin), ..Self::text(text) }
    }

    /// A number.
    pub fn number(number: impl Into<f64>) -> Self {
        let number = number.into();
        Self::new(Content::Text(format!("{number}")), SortKey::Number(number))
    }

    /// A text that is sorted as a number.
    pub fn numbered(text: impl Into<String>, number: impl Into<f64>) -> Self {
        Self::new(Content::Text(text.into()), SortKey::Number(number.into()))
    }

    /// So much memory.
    pub fn bytes(bytes: ByteCount) -> Self {
        Self::new(Content::Text(bytes.to_string()), SortKey::Number(bytes.bytes() as f64))
    }

    /// A moment.
    pub fn date(wall_clock_ms: i64) -> Self {
        Self::new(Content::Text(date(wall_clock_ms)), SortKey::Number(wall_clock_ms as f64))
    }

    /// How long something takes or has taken.
    pub fn duration(milliseconds: i64) -> Self {
        Self::new(Content::Text(duration(milliseconds)), SortKey::Number(milliseconds as f64))
    }

    /// A link.
    pub fn link(link: Link) -> Self {
        Self::links(vec![link])
    }

    /// Links beside each other.
    pub fn links(links: Vec<Link>) -> Self {
        let key = links.first().map(|link| link.text.to_lowercase()).unwrap_or_default();
        let links = links.into_iter().map(|link| Link { text: cut(&link.text), ..link }).collect();
        Self::new(Content::Links(links), SortKey::Text(key))
    }

    /// A state.
    pub fn state(state: State) -> Self {
        let key = SortKey::Text(state.word.to_lowercase());
        Self::new(Content::State(state), key)
    }

    /// So much of so much, with a bar.
    pub fn share(text: String, used: u64, total: u64) -> Self {
        Self::new(Content::Share(text, percent(used, total)), SortKey::Number(used as f64))
    }

    /// A button that ends what has this id, by a POST to `action`.
    pub fn kill(action: &'static str, id: &str) -> Self {
        Self::new(Content::Kill { action, id: id.to_owned() }, SortKey::Text(id.to_owned()))
    }
}

pub(crate) fn percent(used: u64, total: u64) -> u8 {
    let percent = (u128::from(used.min(total)) * 100).checked_div(total.into()).unwrap_or(0);
    u8::try_from(percent).unwrap_or(100)
}
