//! Times as people write them. All of it is UTC: whether a router knows its time zone depends on
//! how its C library was built.

/// Milliseconds of a day without a leap second.
const DAY_MS: u64 = 86_400_000;

/// `2026-11-22 17:44:33Z`, from milliseconds since the Unix epoch.
pub fn utc(ms: u64) -> String {
    let (year, month, day) = date(ms / DAY_MS);
    let time = ms / 1000 % 86_400;
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// The moment that a text names, in milliseconds since the Unix epoch: the end of a day as
/// `2026-12-31`, or a time as RFC 3339 writes it, with or without seconds: `2026-12-31T18:00Z`,
/// `2026-12-31T18:00:00+01:00`. None for anything else, and before 1970.
pub fn moment(text: &str) -> Option<u64> {
    let (date, rest) = text.split_at_checked(10)?;
    let day = day(numbers(date, '-', &[4, 2, 2])?.try_into().ok()?)?;
    if rest.is_empty() {
        return day.checked_add(1)?.checked_mul(DAY_MS);
    }
    let rest = rest.strip_prefix('T')?;
    let (time, ahead_s) = match rest.strip_suffix('Z') {
        Some(time) => (time, 0),
        None => {
            let (time, zone) = rest.split_at_checked(rest.rfind(['+', '-'])?)?;
            (time, offset_s(zone)?)
        }
    };
    let of_day_s = clock_s(time)?;
    let seconds = day.checked_mul(86_400)?.checked_add(of_day_s)?;
    seconds.checked_add_signed(-ahead_s)?.checked_mul(1000)
}

/// `18:00` or `18:00:30`, in seconds.
fn clock_s(text: &str) -> Option<u64> {
    let (hour, minute, second) = match *numbers(text, ':', &[2, 2, 2])
        .or_else(|| numbers(text, ':', &[2, 2]))?
        .as_slice()
    {
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 60 + minute) * 60 + second)
}

/// `+01:00`, in seconds that its clocks are ahead.
fn offset_s(zone: &str) -> Option<i64> {
    let (sign, text) = match zone.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, zone.strip_prefix('+')?),
    };
    if text.len() != 5 {
        return None;
    }
    Some(sign * i64::try_from(clock_s(text)?).ok()?)
}

/// Numbers of exactly so many digits each.
fn numbers(text: &str, separator: char, digits: &[usize]) -> Option<Vec<u64>> {
    let parts: Vec<&str> = text.split(separator).collect();
    if parts.len() != digits.len() {
        return None;
    }
    let number = |(part, digits): (&&str, &usize)| {
        let fits = part.len() == *digits && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse().ok()).flatten()
    };
    parts.iter().zip(digits).map(number).collect()
}

/// Days since the Unix epoch of a date that there is. After Howard Hinnant's days_from_civil.
fn day([year, month, day]: [u64; 3]) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year_of_march = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let (era, of_era) = (year_of_march / 400, year_of_march % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let days = (era * 146_097 + of_era).checked_sub(719_468)?;
    // A day that its month does not have is another one of the next.
    (date(days) == (year, month, day)).then_some(days)
}

/// Year, month and day. After Howard Hinnant's civil_from_days: eras of 400 years from 0000-03-01.
fn date(day: u64) -> (u64, u64, u64) {
    let days = day.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let (month, next_year) = match shifted {
        0..=9 => (shifted + 3, 0),
        _ => (shifted - 9, 1),
    };
    (era * 400 + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        for (ms, shown) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_400_000, "2000-02-29 00:00:00Z"),
            (4_107_542_399_999, "2100-02-28 23:59:59Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00Z"),
            (1_795_369_473_000, "2026-11-22 17:44:33Z"),
        ] {
            assert_eq!(utc(ms), shown);
        }
        assert!(utc(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn times_of_people() {
        for (text, shown) in [
            ("2026-12-31", "2027-01-01 00:00:00Z"),
            ("2028-02-28", "2028-02-29 00:00:00Z"),
            ("1970-01-01", "1970-01-02 00:00:00Z"),
            ("2026-12-31T18:00Z", "2026-12-31 18:00:00Z"),
            ("2026-12-31T18:00:59Z", "2026-12-31 18:00:59Z"),
            ("2026-12-31T18:00+01:00", "2026-12-31 17:00:00Z"),
            ("2026-12-31T23:30:00-05:30", "2027-01-01 05:00:00Z"),
            ("9999-12-31T23:59Z", "9999-12-31 23:59:00Z"),
        ] {
            assert_eq!(moment(text).map(utc).as_deref(), Some(shown), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2026",
            "2026-12",
            "2026-12-32",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "26-12-31",
            "2026/12/31",
            "+026-12-31",
            "31.12.2026",
            "2026-12-31 18:00Z",
            "2026-12-31T",
            "2026-12-31T18Z",
            "2026-12-31T18:00",
            "2026-12-31T24:00Z",
            "2026-12-31T18:60Z",
            "2026-12-31T18:00:60Z",
            "2026-12-31T18:00:00.5Z",
            "2026-12-31T18:00+1",
            "2026-12-31T18:00+01",
            "2026-12-31T18:00+25:00",
            "2026-12-31T18:00+01:00:00",
            "2026-12-31T18:00Zz",
            "1969-12-31",
            "1970-01-01T00:00+01:00",
            "0000-01-01",
            "2026-12-3\u{e9}",
            "käse-12-31",
        ] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
