//! Text that is stored and compared, and never shown.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// What a password is checked against, or the password itself: whoever reads a hash can guess at
/// the password at leisure. It has no `Display`, and `Debug` does not show it, so that no log line,
/// panic or failed assertion of anything that holds one can give it away.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.is_empty() {
            true => "nothing",
            false => "***",
        })
    }
}

impl Deref for Hidden {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Hidden {
        Hidden(text)
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Hidden {
        Hidden(text.to_owned())
    }
}

impl PartialEq<str> for Hidden {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_to_files_and_shown_nowhere() {
        let hidden = Hidden::from("open-sesame");
        assert_eq!(format!("{hidden:?} {:?}", Hidden::default()), "*** nothing");
        let written = serde_json::to_string(&hidden).unwrap();
        assert_eq!(written, "\"open-sesame\"");
        assert_eq!(serde_json::from_str::<Hidden>(&written).unwrap(), hidden);
    }
}
