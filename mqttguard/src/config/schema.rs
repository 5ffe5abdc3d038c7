//! What a section and an option are to the table in [`super::table`]: enough to validate a file,
//! to read typed values out of it and to write the reference.

use serde_json::Value as Json;

use super::kinds::Kind;
use super::uci::RawSection;

/// A section type.
pub(super) struct Section {
    pub(super) kind: &'static str,
    pub(super) naming: Naming,
    /// Sections of this type that one file may have.
    pub(super) max: usize,
    pub(super) help: &'static str,
    pub(super) options: &'static [&'static dyn Row],
}

/// Which names the sections of a type have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// One section, of this name.
    Only(&'static str),
    /// Each has a name, by which others refer to it.
    Named,
    /// As the owner likes.
    Free,
}

/// Values that one list may have.
pub(super) const LIST_MAX: usize = 64;

/// An option of kind `K`.
pub(super) struct Opt<K> {
    pub(super) name: &'static str,
    pub(super) kind: K,
    /// `list` lines instead of one `option` line.
    pub(super) list: bool,
    pub(super) absent: Absent,
    pub(super) help: &'static str,
}

/// What holds when the option is not there.
#[derive(Clone, Copy)]
pub(super) enum Absent {
    /// This value, as it would be written.
    Is(&'static str),
    /// No value, which means what is said here.
    Means(&'static str),
    /// It has to be there.
    Mistake,
}

/// An [`Opt`] whatever its kind.
pub(super) trait Row: Sync {
    fn name(&self) -> &'static str;
    fn help(&self) -> &'static str;
    fn list(&self) -> bool;
    fn absent(&self) -> Absent;
    fn accepts(&self, text: &str) -> bool;
    fn expected(&self) -> String;
    fn refers_to(&self) -> Option<&'static str>;
    fn form(&self) -> Json;
}

impl<K: Kind> Row for Opt<K> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn help(&self) -> &'static str {
        self.help
    }
    fn list(&self) -> bool {
        self.list
    }
    fn absent(&self) -> Absent {
        self.absent
    }
    fn accepts(&self, text: &str) -> bool {
        self.kind.read(text).is_some()
    }
    fn expected(&self) -> String {
        self.kind.expected()
    }
    fn refers_to(&self) -> Option<&'static str> {
        self.kind.refers_to()
    }
    fn form(&self) -> Json {
        self.kind.form()
    }
}

impl<K: Kind> Opt<K> {
    /// The values in a section that was found to be without mistakes; the default, if it has
    /// one, where the section has none.
    pub(super) fn all(&self, section: &RawSection) -> Vec<K::Value> {
        let given = section
            .options
            .iter()
            .filter(|option| option.name == self.name);
        let read: Vec<_> = given
            .filter_map(|option| self.kind.read(&option.value))
            .collect();
        match self.absent {
            Absent::Is(default) if read.is_empty() => self.kind.read(default).into_iter().collect(),
            _ => read,
        }
    }

    /// The only value, as [`Opt::all`].
    pub(super) fn one(&self, section: &RawSection) -> Option<K::Value> {
        self.all(section).into_iter().next()
    }
}

/// The candidate that `word` was probably meant to be.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Beyond this length it is no slip of the finger, and the distance is quadratic.
    if word.len() > 40 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len().div_ceil(2))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.chars().enumerate() {
        let mut left = i.saturating_add(1);
        let mut next = vec![left];
        for (b, pair) in b.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            let replaced = diagonal.saturating_add(usize::from(a != *b));
            left = replaced
                .min(above.saturating_add(1))
                .min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognized_and_strangers_are_not() {
        let names = ["port", "profile", "address", "enabled"];
        for (word, meant) in [
            ("ports", Some("port")),
            ("profil", Some("profile")),
            ("adress", Some("address")),
            ("enable", Some("enabled")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(1 << 20), names), None);
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
