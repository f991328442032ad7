//! Whose process this is.

/// The account's name as the system knows it; where it knows none, what `USER` or `LOGNAME` says. Java's `user.name`.
pub fn account_name(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    whoami::username().ok().or_else(|| set("USER")).or_else(|| set("LOGNAME"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_better_than_the_environment() {
        let account = std::process::Command::new("id").arg("-un").output().unwrap();
        let name = account_name(|_| Some("somebody else".to_owned()));
        assert_eq!(name.unwrap(), String::from_utf8(account.stdout).unwrap().trim_end());
    }
}
