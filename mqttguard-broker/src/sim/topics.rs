//! Topic matching as section 4.7 of the standard tells it, level by level.

/// Whether a filter, without `$share`, matches a topic name.
pub(super) fn matches(filter: &str, name: &str) -> bool {
    let filter: Vec<&str> = filter.split('/').collect();
    let name: Vec<&str> = name.split('/').collect();
    if name[0].starts_with('$') && matches!(filter[0], "+" | "#") {
        return false;
    }
    levels(&filter, &name)
}

fn levels(filter: &[&str], name: &[&str]) -> bool {
    if filter.is_empty() {
        return name.is_empty();
    }
    if filter[0] == "#" {
        return true;
    }
    // `a/#` matches `a` too.
    if name.is_empty() {
        return false;
    }
    let rest = &filter[1..];
    let same = filter[0] == "+" || filter[0] == name[0];
    same && ((rest == ["#"] && name.len() == 1) || levels(rest, &name[1..]))
}

/// Whether a grant covers a filter: a wildcard of the filter needs one as wide in the grant.
pub(super) fn covers(grant: &str, filter: &str) -> bool {
    let grant: Vec<&str> = grant.split('/').collect();
    let filter: Vec<&str> = filter.split('/').collect();
    if filter[0].starts_with('$') && matches!(grant[0], "+" | "#") {
        return false;
    }
    for (place, level) in grant.iter().enumerate() {
        if *level == "#" {
            // `a/#` covers `a`, and anything below it.
            return filter.len() >= place;
        }
        match filter.get(place) {
            None | Some(&"#") => return false,
            Some(&"+") if *level != "+" => return false,
            Some(found) if *level != "+" && found != level => return false,
            Some(_) => {}
        }
    }
    grant.len() == filter.len()
}

/// The share name, if there is one, and the filter behind it.
pub(super) fn share(filter: &str) -> (Option<&str>, &str) {
    let Some(rest) = filter.strip_prefix("$share/") else {
        return (None, filter);
    };
    let (name, path) = rest.split_once('/').expect("a well-formed filter");
    (Some(name), path)
}
