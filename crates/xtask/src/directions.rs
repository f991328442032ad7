//! Who uses whom: the declared architecture against the manifests.

use crate::{
    architecture::{Architecture, Layer, Reach},
    finding::Finding,
    workspace::{Dependency, Member, Workspace},
};

/// Crates that are declared but not there or there but not declared, names that do not fit, dependencies that no rule
/// allows, and arrows that nothing uses.
pub fn check(architecture: &Architecture, workspace: &Workspace) -> Vec<Finding> {
    let mut findings = Vec::new();
    let declared = architecture.layers.iter().flat_map(|layer| layer.crates);
    for folder in declared.filter(|folder| !workspace.members.iter().any(|member| member.folder == **folder)) {
        findings.push(Finding::new(*folder, "is declared in crates/xtask/src/architecture.rs but does not exist"));
    }
    for member in &workspace.members {
        let folder = member.folder.as_str();
        let library = architecture.prefix.trim_end_matches('-');
        if member.name != format!("{}{folder}", architecture.prefix) && !(folder == library && member.name == library) {
            findings.push(Finding::new(
                folder,
                format!("is package {}; expected {}{folder}", member.name, architecture.prefix),
            ));
        }
        if member.description.is_empty() {
            findings.push(Finding::new(folder, "has no description in its Cargo.toml"));
        }
        match architecture.layer_of(folder) {
            Some((rank, layer)) => findings.extend(check_member(architecture, member, rank, layer)),
            None => findings.push(Finding::new(folder, "has no layer; declare it in crates/xtask/src/architecture.rs")),
        }
    }
    findings
}

fn check_member(architecture: &Architecture, member: &Member, rank: usize, layer: &Layer) -> Vec<Finding> {
    let folder = member.folder.as_str();
    let arrows = architecture.arrows_of(folder);
    let own: Vec<&str> = member
        .dependencies
        .iter()
        .filter_map(|dependency| match dependency {
            Dependency::Own(folder) => Some(folder.as_str()),
            Dependency::Foreign(_) => None,
        })
        .collect();
    let mut findings = Vec::new();
    for used in &own {
        // A crate without a layer is reported where it is a member.
        let Some((used_rank, used_layer)) = architecture.layer_of(used) else { continue };
        let allowed = if used_rank == rank {
            layer.reach == Reach::Beside || arrows.contains(used)
        } else {
            match layer.reach {
                Reach::Below => used_rank < rank && used_layer.reach != Reach::Beside,
                Reach::Core(crates) => crates.contains(used),
                Reach::Beside => true,
            }
        };
        if !allowed {
            let what = format!("({}) may not use {used} ({})", layer.name, used_layer.name);
            findings.push(Finding::new(folder, what));
        }
    }
    for arrow in arrows.iter().filter(|arrow| !own.contains(arrow)) {
        let what = format!("does not use {arrow}; remove the arrow from crates/xtask/src/architecture.rs");
        findings.push(Finding::new(folder, what));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE_UP: Architecture = Architecture {
        prefix: "x-",
        layers: &[
            Layer { name: "words", about: "", reach: Reach::Below, crates: &["model", "conf"] },
            Layer { name: "cores", about: "", reach: Reach::Core(&["model"]), crates: &["core"] },
            Layer { name: "shells", about: "", reach: Reach::Below, crates: &["shell", "disk"] },
            Layer { name: "beside", about: "", reach: Reach::Beside, crates: &["fakes", "chores"] },
        ],
        arrows: &[("conf", &["model"]), ("shell", &["disk"])],
    };

    fn member(folder: &str, uses: &[&str]) -> Member {
        Member {
            name: format!("x-{folder}"),
            folder: folder.to_owned(),
            description: "One line".to_owned(),
            dependencies: uses.iter().map(|used| Dependency::Own((*used).to_owned())).collect(),
        }
    }

    /// A workspace that keeps every rule, with some crates put in the place of its own.
    fn found(changed: Vec<Member>) -> Vec<String> {
        let mut members = vec![
            member("model", &[]),
            member("conf", &["model"]),
            member("core", &["model"]),
            member("shell", &["disk", "core", "conf"]),
            member("disk", &[]),
            member("fakes", &["shell", "chores"]),
            member("chores", &[]),
        ];
        for member in changed {
            members.retain(|other| other.folder != member.folder);
            members.push(member);
        }
        let findings = check(&MADE_UP, &Workspace { members });
        findings.into_iter().map(|Finding { place, what }| format!("{place} {what}")).collect()
    }

    #[test]
    fn a_tree_that_keeps_the_rules_has_no_findings() {
        assert_eq!(found(Vec::new()), Vec::<String>::new());
    }

    #[test]
    fn directions_that_no_rule_allows_are_found() {
        assert_eq!(found(vec![member("core", &["model", "conf"])]), ["core (cores) may not use conf (words)"]);
        assert_eq!(found(vec![member("disk", &["shell"])]), ["disk (shells) may not use shell (shells)"]);
        assert_eq!(found(vec![member("model", &["core"])]), ["model (words) may not use core (cores)"]);
        assert_eq!(found(vec![member("disk", &["fakes"])]), ["disk (shells) may not use fakes (beside)"]);
    }

    #[test]
    fn an_unused_arrow_is_found() {
        let unused = "shell does not use disk; remove the arrow from crates/xtask/src/architecture.rs";
        assert_eq!(found(vec![member("shell", &["core"])]), [unused]);
    }

    #[test]
    fn crates_and_declarations_must_be_the_same() {
        let undeclared = "new has no layer; declare it in crates/xtask/src/architecture.rs";
        assert_eq!(found(vec![member("new", &["shell"])]), [undeclared]);
        let missing = check(&MADE_UP, &Workspace::default());
        assert_eq!(missing.len(), 7);
        assert!(missing.iter().all(|finding| finding.what.contains("does not exist")));
    }

    #[test]
    fn names_and_descriptions_are_checked() {
        let nameless = Member { name: "core".to_owned(), description: String::new(), ..member("core", &[]) };
        assert_eq!(
            found(vec![nameless]),
            ["core is package core; expected x-core", "core has no description in its Cargo.toml"]
        );
        // The library that users depend on has the bare name.
        let library = Member { name: "x".to_owned(), ..member("x", &[]) };
        assert_eq!(found(vec![library]), ["x has no layer; declare it in crates/xtask/src/architecture.rs"]);
    }
}
