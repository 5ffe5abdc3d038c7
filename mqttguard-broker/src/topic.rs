//! Topic names and topic filters (MQTT 5 section 4.7).
//!
//! All of it works on bytes: the separators and wildcards are ASCII, and no byte of a longer
//! UTF-8 sequence is.

/// The prefix of a shared subscription (section 4.8.2).
const SHARE: &str = "$share/";

/// A topic name is not empty (`MQTT-4.7.3-1`), has no wildcards (`MQTT-3.3.2-2`) and, as the
/// standard allows us to ask for (section 1.5.4), no control characters.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("empty");
    }
    if name.bytes().any(|byte| matches!(byte, b'+' | b'#')) {
        return Err("contains a wildcard");
    }
    check_characters(name)
}

/// A topic filter is not empty; `#` stands alone in the last level (`MQTT-4.7.1-1`), `+` alone
/// in its level (`MQTT-4.7.1-2`).
pub(crate) fn check_filter(filter: &str) -> Result<(), &'static str> {
    if filter.is_empty() {
        return Err("empty");
    }
    let mut ended = false;
    for level in filter.split('/') {
        if ended {
            return Err("`#` is not in the last level");
        }
        if level.len() > 1 && level.bytes().any(|byte| matches!(byte, b'+' | b'#')) {
            return Err("a wildcard does not stand alone in its level");
        }
        ended = level == "#";
    }
    check_characters(filter)
}

/// No control characters: they have no use in a name and do harm where names are shown.
pub(crate) fn check_characters(text: &str) -> Result<(), &'static str> {
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7F) {
        return Err("contains a control character");
    }
    // U+0080 to U+009F are 0xC2 0x80 to 0xC2 0x9F.
    if !text.is_ascii() && text.chars().any(|c| ('\u{80}'..='\u{9F}').contains(&c)) {
        return Err("contains a control character");
    }
    Ok(())
}

/// Levels in a topic name or filter.
pub(crate) fn levels(topic: &str) -> usize {
    topic.bytes().filter(|&byte| byte == b'/').count() + 1
}

/// Splits `$share/{ShareName}/{filter}`. `Ok(None)` if it is no shared subscription; an error if
/// it starts like one and is not (`MQTT-4.8.2-1`, `MQTT-4.8.2-2`).
pub(crate) fn split_share(filter: &str) -> Result<Option<(&str, &str)>, &'static str> {
    let Some(rest) = filter.strip_prefix(SHARE) else {
        return Ok(None);
    };
    let (name, filter) = rest
        .split_once('/')
        .ok_or("a share name without a filter")?;
    if name.is_empty() || name.contains(['+', '#']) {
        return Err("the share name is empty or has a wildcard");
    }
    if filter.is_empty() {
        return Err("a share name without a filter");
    }
    Ok(Some((name, filter)))
}

/// Whether the topic name is for the server's own use (section 4.7.2).
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with('$')
}

/// Whether a filter matches a topic name (sections 4.7.1 and 4.7.2).
pub(crate) fn matches(filter: &str, name: &str) -> bool {
    // MQTT-4.7.2-1
    if is_reserved(name) && !is_reserved(filter) {
        return filter == name;
    }
    let (mut filter, mut name) = (filter.as_bytes(), name.as_bytes());
    loop {
        // Invariant: both stand at the start of a level.
        match filter {
            [b'#'] => return true,
            [b'+', rest @ ..] => {
                filter = rest;
                name = name
                    .iter()
                    .position(|&b| b == b'/')
                    .map_or(&[], |end| tail(name, end));
            }
            _ => {
                let same = filter
                    .iter()
                    .zip(name)
                    .position(|(f, n)| f != n || *f == b'/')
                    .unwrap_or(filter.len().min(name.len()));
                filter = tail(filter, same);
                name = tail(name, same);
            }
        }
        match (filter, name) {
            ([], []) | ([b'/', b'#'], []) => return true,
            ([b'/', f @ ..], [b'/', n @ ..]) => (filter, name) = (f, n),
            _ => return false,
        }
    }
}

fn tail(bytes: &[u8], from: usize) -> &[u8] {
    bytes.get(from..).unwrap_or_default()
}

/// Whether every topic name that `filter` matches is matched by `grant` too.
pub(crate) fn covers(grant: &str, filter: &str) -> bool {
    // A wildcard in the first level of the grant does not reach `$` topics.
    if is_reserved(filter) && !is_reserved(grant) {
        return false;
    }
    let mut grant = grant.split('/');
    let mut filter = filter.split('/');
    loop {
        match (grant.next(), filter.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(allowed), Some(level)) if allowed == level => {}
            _ => return false,
        }
    }
}

/// Whether one of the filters matches the topic name.
pub(crate) fn any_matches(filters: &[String], name: &str) -> bool {
    filters.iter().any(|filter| matches(filter, name))
}

/// Whether one of the filters covers the filter.
pub(crate) fn any_covers(grants: &[String], filter: &str) -> bool {
    grants.iter().any(|grant| covers(grant, filter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mqtt_4_7_1_wildcards_match_as_the_standard_says() {
        for (filter, name, want) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/ranking",
                true,
            ),
            (
                "sport/tennis/player1/#",
                "sport/tennis/player1/score/wimbledon",
                true,
            ),
            ("sport/tennis/player1/#", "sport/tennis/player10", false),
            ("sport/#", "sport", true),
            ("#", "a", true),
            ("#", "/", true),
            ("sport/tennis/+", "sport/tennis/player1", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("+/#", "a", true),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b/d", false),
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/bc", "a/b", false),
            ("a//b", "a//b", true),
            ("a/+/b", "a//b", true),
            ("ü/+", "ü/ß", true),
        ] {
            assert_eq!(matches(filter, name), want, "{filter} {name}");
        }
    }

    #[test]
    fn mqtt_4_7_2_1_wildcards_do_not_reach_dollar_topics() {
        for (filter, name, want) in [
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("$SYS/+", "$SYS/x", true),
            ("$SYS/#", "$SYS", true),
        ] {
            assert_eq!(matches(filter, name), want, "{filter} {name}");
        }
    }

    #[test]
    fn mqtt_4_7_1_filters_are_checked() {
        for good in [
            "#", "+", "/", "a/#", "+/a/#", "a/+/b", "//", "$SYS/#", "+/+", "+/#",
        ] {
            assert_eq!(check_filter(good), Ok(()), "{good}");
        }
        for bad in [
            "", "a#", "a/#/b", "#/", "##", "+a", "a+/b", "a/+b", "++", "a\u{1}", "a\u{85}",
        ] {
            assert!(check_filter(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "a/+", "#", "a#b", "\u{7f}"] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_grant_covers_what_is_no_wider() {
        for (grant, filter, want) in [
            ("#", "#", true),
            ("#", "a/+/#", true),
            ("#", "$SYS/#", false),
            ("+/a", "$SYS/a", false),
            ("$SYS/#", "$SYS/+", true),
            ("a/#", "a", true),
            ("a/#", "a/#", true),
            ("a/#", "a/+/c", true),
            ("a/#", "+/b", false),
            ("a/+", "a/+", true),
            ("a/+", "a/b", true),
            ("a/+", "a/#", false),
            ("a/+", "a/b/c", false),
            ("a/b", "a/+", false),
            ("a/b", "a/b", true),
            ("a/b", "a/b/#", false),
            ("a/b", "a", false),
            ("a/+/#", "a/#", false),
            ("a/+/#", "a/b", true),
            ("+/#", "#", false),
        ] {
            assert_eq!(covers(grant, filter), want, "{grant} {filter}");
        }
    }

    #[test]
    fn mqtt_4_8_2_share_names_are_checked() {
        assert_eq!(split_share("a/b"), Ok(None));
        assert_eq!(split_share("$share/g/a/+"), Ok(Some(("g", "a/+"))));
        assert_eq!(split_share("$share/g//"), Ok(Some(("g", "/"))));
        for bad in [
            "$share/",
            "$share/g",
            "$share/g/",
            "$share//a",
            "$share/+/a",
            "$share/a#/b",
        ] {
            assert!(split_share(bad).is_err(), "{bad}");
        }
    }
}
