//! A page, and what it is made of.

use askama::Template;

use crate::{
    Cell, Link, LogView, State, Table, Tone,
    cell::{Content, percent},
};

/// A page.
#[derive(Clone, Debug, Template)]
#[template(path = "page.html")]
pub struct Page {
    /// What the window is called.
    pub title: String,
    /// What it is about.
    pub heading: String,
    /// How that is.
    pub state: Option<State>,
    /// Where it belongs: pages above this one.
    pub above: Vec<Link>,
    /// What it says, from top to bottom.
    pub sections: Vec<Section>,
    /// The same for programs.
    pub for_programs: Vec<Link>,
}

/// A part of a page.
#[derive(Clone, Debug)]
pub enum Section {
    /// Large numbers.
    Tiles(Vec<Tile>),
    /// Names and what they are.
    Facts(Vec<Fact>),
    /// What should be seen first.
    Notice(Notice),
    /// A table.
    Table(Table),
    /// A part of a log.
    Log(Box<LogView>),
}

/// A large number.
#[derive(Clone, Debug)]
pub struct Tile {
    /// Of what.
    pub name: String,
    /// The number.
    pub value: String,
    /// Of how much it is a part.
    pub total: String,
    /// What belongs to it.
    pub detail: String,
    /// How full something is, in percent.
    pub share: Option<u8>,
}

impl Tile {
    /// A number.
    pub fn new(name: &str, value: impl ToString, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_string(),
            total: String::new(),
            detail: detail.into(),
            share: None,
        }
    }

    /// So much of so much, with a bar that shows it.
    pub fn share(
        name: &str,
        (used, total): (impl ToString, impl ToString),
        percent_of: (u64, u64),
        detail: &str,
    ) -> Self {
        let share = Some(percent(percent_of.0, percent_of.1));
        Self { total: total.to_string(), share, ..Self::new(name, used, detail) }
    }
}

/// A name, and what it is.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// What it is.
    pub value: Cell,
}

impl Fact {
    /// A fact.
    pub fn new(name: &str, value: Cell) -> Self {
        Self { name: name.to_owned(), value }
    }
}

/// What should be seen first.
#[derive(Clone, Debug)]
pub struct Notice {
    /// How grave it is.
    pub tone: Tone,
    /// In short.
    pub heading: String,
    /// In long.
    pub text: String,
    /// Where to look.
    pub link: Option<Link>,
}
