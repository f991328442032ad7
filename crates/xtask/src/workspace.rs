//! The crates of the workspace, as cargo sees them.

use std::{path::Path, process::Command};

use anyhow::{Context, bail};
use serde_json::Value;

/// All crates, by folder.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Workspace {
    /// In the order of their folders.
    pub members: Vec<Member>,
}

/// One crate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its package name.
    pub name: String,
    /// Its folder under `crates/`.
    pub folder: String,
    /// Its description, from its manifest.
    pub description: String,
    /// What it uses when it runs or is built.
    pub dependencies: Vec<Dependency>,
}

/// A dependency that is not of tests only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dependency {
    /// A crate of this workspace, by folder.
    Own(String),
    /// Any other, by package name.
    Foreign(String),
}

impl Workspace {
    /// Asks cargo.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(root.join("Cargo.toml"))
            .output()
            .context("could not run cargo")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Self::parse(&serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?)
    }

    fn parse(metadata: &Value) -> anyhow::Result<Self> {
        let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
        let mut members = packages.iter().map(parse_member).collect::<anyhow::Result<Vec<_>>>()?;
        members.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(Self { members })
    }
}

fn parse_member(package: &Value) -> anyhow::Result<Member> {
    let text = |key: &str| package[key].as_str().map(str::to_owned);
    let name = text("name").context("a package has no name")?;
    let manifest = text("manifest_path").with_context(|| format!("{name} has no manifest"))?;
    let folder = folder_of(Path::new(&manifest).parent().unwrap_or(Path::new("")))?;
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    let dependencies = dependencies.iter().filter(|dependency| dependency["kind"] != "dev").map(|dependency| {
        Ok(match dependency["path"].as_str() {
            Some(path) => Dependency::Own(folder_of(Path::new(path))?),
            None => Dependency::Foreign(dependency["name"].as_str().context("a dependency has no name")?.to_owned()),
        })
    });
    let dependencies = dependencies.collect::<anyhow::Result<_>>()?;
    Ok(Member { name, folder, description: text("description").unwrap_or_default(), dependencies })
}

fn folder_of(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(name.with_context(|| format!("{} is not a folder under crates/", path.display()))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_members_without_the_dependencies_of_tests() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "x-b", "manifest_path": "/r/crates/b/Cargo.toml", "description": "B", "dependencies": [
                { "name": "x-a", "kind": null, "path": "/r/crates/a" },
                { "name": "cc", "kind": "build" },
                { "name": "proptest", "kind": "dev" },
            ] },
            { "name": "x-a", "manifest_path": "/r/crates/a/Cargo.toml", "description": null, "dependencies": [] },
        ] });
        let workspace = Workspace::parse(&metadata).unwrap();
        let [a, b] = workspace.members.as_slice() else { panic!("{workspace:?}") };
        assert_eq!((a.folder.as_str(), a.description.as_str()), ("a", ""));
        assert_eq!(b.dependencies, [Dependency::Own("a".to_owned()), Dependency::Foreign("cc".to_owned())]);
    }
}
