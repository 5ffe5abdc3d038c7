//! Topics on their way through a bridge.

use crate::topic;

/// One direction of a bridge: which topics go, and what they are called on the other side.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// Filters on the side that the messages come from, prefix included.
    pub(super) filters: Vec<String>,
    /// Taken off a topic name before `to` is put there.
    from: String,
    to: String,
}

impl Route {
    pub(super) fn new(patterns: &[String], from: &str, to: &str) -> Route {
        Route {
            filters: patterns.iter().map(|p| format!("{from}{p}")).collect(),
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    /// The topic name on the other side, in two parts; `None` if it does not go there.
    pub(super) fn map<'a>(&'a self, name: &'a str) -> Option<(&'a str, &'a str)> {
        if !topic::any_matches(&self.filters, name) {
            return None;
        }
        let rest = name.strip_prefix(self.from.as_str())?;
        let len = self.to.len() + rest.len();
        let fits = (1..=usize::from(u16::MAX)).contains(&len);
        fits.then_some((self.to.as_str(), rest))
    }

    /// Filters on the other side.
    pub(super) fn images(&self) -> impl Iterator<Item = String> {
        let patterns = self.filters.iter();
        patterns.map(|filter| {
            let pattern = filter.get(self.from.len()..).unwrap_or_default();
            format!("{}{pattern}", self.to)
        })
    }
}

/// Whether there may be a topic name that both filters match.
pub fn overlap(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == b || a == "+" || b == "+" => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_exchanged() {
        let patterns = ["tele/#".to_owned(), "a/+".to_owned()];
        let route = Route::new(&patterns, "home/", "site7/");
        assert_eq!(route.filters, ["home/tele/#", "home/a/+"]);
        assert_eq!(route.map("home/tele/x/y"), Some(("site7/", "tele/x/y")));
        assert_eq!(route.map("home/a/b"), Some(("site7/", "a/b")));
        for other in ["tele/x", "home/a/b/c", "site7/tele/x", "home", "$SYS/x"] {
            assert_eq!(route.map(other), None, "{other}");
        }
        let images: Vec<String> = route.images().collect();
        assert_eq!(images, ["site7/tele/#", "site7/a/+"]);
    }

    #[test]
    fn a_name_that_would_be_too_long_or_empty_does_not_go() {
        let route = Route::new(&["#".to_owned()], "", "p/");
        assert!(route.map(&"x".repeat(65_533)).is_some());
        assert!(route.map(&"x".repeat(65_534)).is_none());
        let bare = Route::new(&["#".to_owned()], "p/", "");
        assert_eq!(bare.map("p/"), None);
        assert_eq!(bare.map("p"), None);
        assert_eq!(bare.map("p/x"), Some(("", "x")));
    }

    #[test]
    fn filters_overlap_when_a_name_can_match_both() {
        for (a, b, want) in [
            ("#", "a/b", true),
            ("a/#", "a", true),
            ("a/+", "+/b", true),
            ("a/+/c", "a/b/#", true),
            ("a/b", "a/b", true),
            ("a/+", "a/b/c", false),
            ("a/b/#", "a/c/#", false),
            ("tele/#", "cmnd/#", false),
            ("a", "b", false),
        ] {
            assert_eq!(overlap(a, b), want, "{a} {b}");
            assert_eq!(overlap(b, a), want, "{b} {a}");
        }
    }
}
