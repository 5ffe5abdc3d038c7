//! Password files: a line `user:hash` an account.

use std::collections::BTreeMap;

use super::{Mistake, lines, quoted, without_mark};
use crate::broker::login::imported::Imported;
use crate::registry::is_username;

/// An account in a password file.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The line that it is on.
    pub line: u32,
    /// The user name, fit to be one here.
    pub username: String,
    /// What the password is checked against, as mosquitto_passwd writes it.
    pub hash: String,
    /// Of which kind that is.
    pub kind: &'static str,
}

/// Reads a password file.
///
/// # Errors
///
/// Every line that is no account, or not one that can be one here.
pub fn read(text: &str) -> Result<Vec<Account>, Vec<Mistake>> {
    let mut accounts = Vec::new();
    let mut mistakes = Vec::new();
    let mut seen = BTreeMap::new();
    for (line, text) in lines(without_mark(text)) {
        let wrong = |what| Mistake { line, what };
        let account = match account(line, text) {
            Ok(account) => account,
            Err(what) => {
                mistakes.push(wrong(what));
                continue;
            }
        };
        match seen.insert(account.username.clone(), line) {
            Some(first) => mistakes.push(wrong(format!(
                "user name: found '{}' again, expected it once (it is on line {first} too)",
                account.username
            ))),
            None => accounts.push(account),
        }
    }
    if accounts.is_empty() && mistakes.is_empty() {
        mistakes.push(Mistake {
            line: 1,
            what: "found no account, expected lines of a user name, ':' and a hash".to_owned(),
        });
    }
    match mistakes.is_empty() {
        true => Ok(accounts),
        false => Err(mistakes),
    }
}

fn account(line: u32, text: &str) -> Result<Account, String> {
    let (username, hash) = text
        .split_once(':')
        .ok_or("found no ':', expected a user name, ':' and a hash")?;
    // As mosquitto does.
    let (username, hash) = (username.trim(), hash.trim());
    if !is_username(username) {
        return Err(format!(
            "user name: found '{}', expected 1 to 63 letters, digits, '.', '_' or '-' (it goes into \
             topics)",
            quoted(username)
        ));
    }
    let kind = hash
        .parse::<Imported>()
        .map_err(|why| format!("user '{username}': {why}"))?;
    Ok(Account {
        line,
        username: username.to_owned(),
        hash: hash.to_owned(),
        kind: kind.kind(),
    })
}

/// A password file with these user names and hashes.
pub fn write<'a>(accounts: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines = accounts.map(|(username, hash)| format!("{username}:{hash}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "$6$c2FsdHNhbHQ=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

    fn mistakes(text: &str) -> Vec<String> {
        let mistakes = read(text).err().unwrap_or_default();
        mistakes.iter().map(Mistake::to_string).collect()
    }

    #[test]
    fn lines_of_windows_comments_and_blanks_are_read() {
        let text = format!("\u{feff}# ours\r\n\r\n lamp : {GOOD} \r\nplug:{GOOD}");
        let accounts = read(&text).ok().unwrap();
        let names: Vec<_> = accounts
            .iter()
            .map(|one| (one.line, &*one.username))
            .collect();
        assert_eq!(names, [(3, "lamp"), (4, "plug")]);
        assert!(accounts.iter().all(|one| one.hash == GOOD));
        let written = write(accounts.iter().map(|one| (&*one.username, &*one.hash)));
        assert!(read(&written).is_ok_and(|again| again.len() == 2));
    }

    #[test]
    fn every_mistake_is_named_by_line_and_no_secret_shown() {
        let text = format!("lamp:{GOOD}\nplug:open-sesame\nmy lamp:{GOOD}\nnothing\nlamp:{GOOD}\n");
        let found = mistakes(&text);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert!(found[0].starts_with("line 2: user 'plug': password: found no hash"));
        assert!(found[1].starts_with("line 3: user name: found 'my lamp', expected"));
        assert!(found[2].starts_with("line 4: found no ':'"));
        assert!(found[3].contains("line 5: user name: found 'lamp' again"));
        assert!(found[3].contains("line 1 too"));
        assert!(!found.concat().contains("sesame") && !found.concat().contains("AAAA"));
        assert_eq!(mistakes("# nobody\n").len(), 1);
    }
}
