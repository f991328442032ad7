//! Tables, sorted by the server: each heading is a link.

use crate::{Cell, link::path_and_query};

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// What is in it: aligned to the right, and the largest comes first when it is sorted by it.
    pub is_number: bool,
}

impl Column {
    /// Texts.
    pub const fn text(name: &'static str) -> Self {
        Self { name, is_number: false }
    }

    /// Numbers.
    pub const fn number(name: &'static str) -> Self {
        Self { name, is_number: true }
    }
}

/// Which table of a page is sorted by what: `workers.3`, or `workers.3.desc`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sort(Option<(String, usize, bool)>);

impl Sort {
    /// Reads what a link of [`Table`] has said; anything else is no wish.
    pub fn parse(text: &str) -> Self {
        let mut parts = text.splitn(3, '.');
        let (Some(table), Some(column)) = (parts.next(), parts.next().and_then(|column| column.parse().ok())) else {
            return Self::default();
        };
        Self(Some((table.to_owned(), column, parts.next() == Some("desc"))))
    }
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) id: &'static str,
    pub(crate) heading: String,
    pub(crate) headings: Vec<Heading>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// How many are not shown.
    pub(crate) left_out: usize,
    pub(crate) empty: &'static str,
}

/// A heading, and the link that sorts by it.
#[derive(Clone, Debug)]
pub(crate) struct Heading {
    pub(crate) column: Column,
    pub(crate) url: String,
    pub(crate) direction: &'static str,
}

/// How many rows a page shows: more would be no use to anybody, and the JSON has all.
const MOST_ROWS: usize = 500;

impl Table {
    /// A table with so many rows in its heading. `path` and `query` are those of the page, for the links of the headings.
    pub fn new(
        id: &'static str,
        heading: &str,
        columns: &[Column],
        mut rows: Vec<Vec<Cell>>,
        sort: &Sort,
        path: &str,
        query: &[(&str, &str)],
    ) -> Self {
        let sorted = sort.0.as_ref().filter(|(table, column, _)| table == id && *column < columns.len());
        if let Some((_, column, descending)) = sorted {
            rows.sort_by(|a, b| {
                let order = a[*column].key.partial_cmp(&b[*column].key).unwrap_or(std::cmp::Ordering::Equal);
                if *descending { order.reverse() } else { order }
            });
        }
        let headings = columns.iter().enumerate().map(|(index, column)| {
            let now = sorted.filter(|(_, sorted, _)| *sorted == index).map(|(_, _, descending)| *descending);
            let descends = now.map_or(column.is_number, |now| !now);
            let wish = format!("{id}.{index}{}", if descends { ".desc" } else { "" });
            let query: Vec<_> = query.iter().copied().chain([("sort", wish.as_str())]).collect();
            let direction = match now {
                None => "none",
                Some(false) => "ascending",
                Some(true) => "descending",
            };
            Heading { column: *column, url: format!("{}#{id}", path_and_query(path, &query)), direction }
        });
        let mut headings: Vec<Heading> = headings.collect();
        let heading = format!("{heading} ({})", rows.len());
        let left_out = rows.len().saturating_sub(MOST_ROWS);
        rows.truncate(MOST_ROWS);
        // What no row has is not shown.
        for index in (0..headings.len()).rev() {
            if rows.iter().all(|row| row[index].is_empty()) {
                headings.remove(index);
                rows.iter_mut().for_each(|row| drop(row.remove(index)));
            }
        }
        Self { id, heading, headings, rows, left_out, empty: "None." }
    }

    /// With what is said where there is no row.
    pub fn or_empty(self, empty: &'static str) -> Self {
        Self { empty, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column::text("Name"), Column::number("Cores")];

    fn sorted(wish: &str) -> (Vec<String>, Table) {
        let rows = [("b", 9), ("A", 10), ("c", 1)].map(|(name, cores)| vec![Cell::text(name), Cell::number(cores)]);
        let table = Table::new("t", "T", COLUMNS, rows.to_vec(), &Sort::parse(wish), "/app/", &[("appId", "a&b")]);
        let names = table.rows.iter().map(|row| format!("{:?}", row[0].key)).collect();
        (names, table)
    }

    #[test]
    fn a_heading_sorts_and_turns_around() {
        let names = |wish: &str| sorted(wish).0.join("").replace("Text(", "").replace(['"', ')'], "");
        assert_eq!(names(""), "bac");
        assert_eq!(names("t.0"), "abc");
        assert_eq!(names("t.0.desc"), "cba");
        assert_eq!(names("t.1.desc"), "abc");
        assert_eq!(names("t.1"), "cba");
        for nonsense in ["other.0", "t.2", "t.-1", "t.x", "t", "t.99999999999999999999"] {
            assert_eq!(names(nonsense), "bac", "{nonsense}");
        }
        let urls = |wish: &str| sorted(wish).1.headings.into_iter().map(|heading| heading.url).collect::<Vec<_>>();
        assert_eq!(urls("t.1.desc"), ["/app/?appId=a%26b&sort=t.0#t", "/app/?appId=a%26b&sort=t.1#t"]);
        assert_eq!(urls("")[1], "/app/?appId=a%26b&sort=t.1.desc#t");
    }

    #[test]
    fn a_column_that_no_row_has_is_not_shown() {
        let rows = vec![vec![Cell::text(""), Cell::number(1)], vec![Cell::text(""), Cell::number(2)]];
        let table = Table::new("t", "T", COLUMNS, rows, &Sort::parse("t.1.desc"), "/", &[]);
        assert_eq!((table.headings.len(), table.headings[0].column.name, table.rows[0].len()), (1, "Cores", 1));
        assert_eq!(table.headings[0].url, "/?sort=t.1#t");
    }

    #[test]
    fn a_page_has_an_end() {
        let rows = (0..MOST_ROWS + 3).map(|_| vec![Cell::text("x"), Cell::number(1)]).collect();
        let table = Table::new("t", "Workers", COLUMNS, rows, &Sort::default(), "/", &[]);
        assert_eq!((table.rows.len(), table.left_out, table.heading.as_str()), (MOST_ROWS, 3, "Workers (503)"));
    }
}
