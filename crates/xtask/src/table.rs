//! The table of crates in `ARCHITECTURE.md`, which is generated: layers from the declared architecture, lines from the
//! descriptions in the manifests.

use std::fmt::Write;

use anyhow::Context;

use crate::{architecture::Architecture, finding::Finding, tree::Tree, workspace::Workspace};

/// The page that holds the table.
pub const PAGE: &str = "ARCHITECTURE.md";

const BEGIN: &str = "<!-- crates: written by `cargo xtask write-architecture` -->\n";
const END: &str = "<!-- end of crates -->\n";

/// The page must hold the table as it would be written.
pub fn check(architecture: &Architecture, workspace: &Workspace, tree: &Tree) -> Option<Finding> {
    let Some(page) = tree.files.get(PAGE) else { return Some(Finding::new(PAGE, "is missing")) };
    match replace(page, &render(architecture, workspace)) {
        Ok(fresh) if fresh == *page => None,
        Ok(_) => Some(Finding::new(PAGE, "has an old table of crates; run `cargo xtask write-architecture`")),
        Err(error) => Some(Finding::new(PAGE, format!("{error:#}"))),
    }
}

/// The page with another table between its marks.
pub fn replace(page: &str, table: &str) -> anyhow::Result<String> {
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("has no line {}", BEGIN.trim_end()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("has no line {}", END.trim_end()))?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

/// The table.
pub fn render(architecture: &Architecture, workspace: &Workspace) -> String {
    let mut table = "| layer | crate | what it is |\n|---|---|---|\n".to_owned();
    let mut line = |layer: &str, name: &str, what: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {layer} | {name} | {what} |");
    };
    for layer in architecture.layers {
        line(&format!("**{}**", layer.name), "", layer.about);
        for folder in layer.crates {
            let member = workspace.members.iter().find(|member| member.folder == **folder);
            line("", &format!("`{folder}`"), member.map_or("", |member| &member.description));
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        architecture::{Layer, Reach},
        workspace::Member,
    };

    const MADE_UP: Architecture = Architecture {
        prefix: "x-",
        layers: &[Layer { name: "cores", about: "Decide.", reach: Reach::Below, crates: &["a"] }],
        arrows: &[],
    };

    fn workspace(description: &str) -> Workspace {
        let description = description.to_owned();
        Workspace {
            members: vec![Member { name: "x-a".to_owned(), folder: "a".to_owned(), description, dependencies: vec![] }],
        }
    }

    #[test]
    fn the_table_is_what_was_declared() {
        let rows = "| layer | crate | what it is |\n|---|---|---|\n| **cores** |  | Decide. |\n|  | `a` | One line |\n";
        assert_eq!(render(&MADE_UP, &workspace("One line")), rows);
    }

    #[test]
    fn an_old_table_is_found_and_replaced() {
        let page = replace(&format!("x\n{BEGIN}old\n{END}y\n"), &render(&MADE_UP, &workspace("One line"))).unwrap();
        assert!(page.starts_with("x\n") && page.ends_with("y\n") && !page.contains("old"));
        let tree = Tree::of(&[(PAGE, &page)]);
        assert_eq!(check(&MADE_UP, &workspace("One line"), &tree), None);
        let finding = check(&MADE_UP, &workspace("Another line"), &tree).unwrap();
        assert!(finding.what.contains("write-architecture"));
    }

    #[test]
    fn a_page_without_marks_is_found() {
        let finding = check(&MADE_UP, &workspace(""), &Tree::of(&[(PAGE, "no table")])).unwrap();
        assert!(finding.what.contains("has no line"), "{finding:?}");
        assert_eq!(check(&MADE_UP, &workspace(""), &Tree::default()), Some(Finding::new(PAGE, "is missing")));
    }
}
