//! The text of dnsmasq's lease file.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mqttguard_common::Mac;

use super::reporter::{MAX_FACTS, hostname};

/// Times before this are lengths of leases: what a dnsmasq built for routers without a clock
/// (`HAVE_BROKEN_RTC`) writes instead of the time a lease ends. 2001-09-09, or 31 years.
const FIRST_TIME: u64 = 1_000_000_000;

/// What is in a lease file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Leases {
    /// IPv4 leases that have not run out.
    pub(super) leases: Vec<Lease>,
    /// When the first of them does.
    pub(super) next_expiry: Option<Duration>,
    /// False if the last line has no end: dnsmasq is still writing.
    pub(super) complete: bool,
    /// The first line that makes no sense: its number and text.
    pub(super) garbage: Option<(usize, String)>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) mac: Mac,
    pub(super) address: IpAddr,
    pub(super) hostname: Option<String>,
    /// The first field as it stands: a time, a length or 0.
    pub(super) expiry: u64,
}

/// Reads lines of `expiry mac ip host|* clientid|*`, for example
/// `1795404902 02:c1:1e:17:00:01 192.168.77.149 phone1 01:02:c1:1e:17:00:01`. An expiry of 0 is
/// never. DHCPv6 leases, which follow a `duid` line and have no MAC, and leases of hardware other
/// than Ethernet are passed over.
pub(super) fn parse(text: &str, now: SystemTime) -> Leases {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut found = Leases {
        complete: text.is_empty() || text.ends_with('\n'),
        ..Leases::default()
    };
    // Whatever follows the last line end is empty, or not yet whole.
    let lines = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let mut v6 = false;
    for (number, line) in lines.lines().enumerate() {
        let mut fields = line.split_ascii_whitespace();
        let (first, second) = (fields.next(), fields.next());
        if v6 || first.is_none() {
            continue;
        }
        if first == Some("duid") {
            v6 = true;
            continue;
        }
        if second.is_some_and(is_other_hardware) {
            continue;
        }
        let lease = read(first, second, fields.next());
        let Some((expiry, mac, address)) = lease else {
            found
                .garbage
                .get_or_insert_with(|| (number + 1, line.chars().take(80).collect()));
            continue;
        };
        if expiry >= FIRST_TIME {
            let Some(left) = Duration::from_secs(expiry)
                .checked_sub(now)
                .filter(|d| !d.is_zero())
            else {
                continue;
            };
            found.next_expiry = Some(found.next_expiry.map_or(left, |first| first.min(left)));
        }
        if found.leases.len() < MAX_FACTS {
            let hostname = fields.next().and_then(hostname);
            found.leases.push(Lease {
                mac,
                address,
                hostname,
                expiry,
            });
        }
    }
    found
}

fn read(
    expiry: Option<&str>,
    mac: Option<&str>,
    address: Option<&str>,
) -> Option<(u64, Mac, IpAddr)> {
    Some((
        expiry?.parse().ok()?,
        mac?.parse().ok()?,
        address?.parse().ok()?,
    ))
}

/// `06-00:11:22:33:44:55`: the ARP hardware type comes first where it is not Ethernet.
fn is_other_hardware(field: &str) -> bool {
    matches!(field.as_bytes(), [a, b, b'-', rest @ ..]
        if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() && (rest.is_empty() || rest.contains(&b':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "1795404902 02:c1:1e:17:00:01 192.168.77.149 phone1 01:02:c1:1e:17:00:01\n";

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn phone1() -> Lease {
        Lease {
            mac: Mac([0x02, 0xc1, 0x1e, 0x17, 0x00, 0x01]),
            address: IpAddr::from([192, 168, 77, 149]),
            hostname: Some("phone1".to_owned()),
            expiry: 1_795_404_902,
        }
    }

    #[test]
    fn reads_what_dnsmasq_writes() {
        let found = parse(LINE, at(1_795_404_900));
        assert_eq!(found.leases, [phone1()]);
        assert_eq!(found.next_expiry, Some(Duration::from_secs(2)));
        assert!(found.complete && found.garbage.is_none());
        assert_eq!(parse("", at(0)).leases, []);
        assert!(parse("", at(0)).complete);
    }

    #[test]
    fn a_lease_that_ran_out_is_none() {
        for now in [1_795_404_902, 1_795_404_903] {
            assert_eq!(parse(LINE, at(now)).leases, [], "at {now}");
        }
        // Never, and a length of twelve hours.
        for expiry in [0, 43200] {
            let line = LINE.replace("1795404902", &expiry.to_string());
            let found = parse(&line, at(1_795_404_903));
            assert_eq!(found.leases, [Lease { expiry, ..phone1() }]);
            assert_eq!(found.next_expiry, None);
        }
    }

    #[test]
    fn a_name_that_is_a_star_is_none() {
        let found = parse("0 02:c1:1e:17:00:01 192.168.77.149 * *\n", at(1));
        assert_eq!(
            found.leases,
            [Lease {
                hostname: None,
                expiry: 0,
                ..phone1()
            }]
        );
    }

    #[test]
    fn leases_without_a_mac_are_passed_over() {
        let text = format!(
            "{LINE}0 06-00:11:22:33:44:55 192.168.77.150 * *\n\
             duid 00:01:00:01:30:a1:b2:c3:02:c1:1e:17:00:01\n\
             1795404902 1511 fd77:77:77::2 phone1 00:01:00:01:30:a1:b2:c3:02:c1:1e:17:00:02\n\
             1795404902 T1511 fd77:77:77::3 * 00:01:00:01:30:a1:b2:c3:02:c1:1e:17:00:02\n"
        );
        let found = parse(&text, at(1));
        assert_eq!(found.leases, [phone1()]);
        assert_eq!(found.garbage, None);
    }

    #[test]
    fn garbage_is_skipped_and_named() {
        let text = format!("\nnonsense\n1 2 3\n{LINE}x 02:c1:1e:17:00:01 192.168.77.1 * *\n");
        let found = parse(&text, at(1));
        assert_eq!(found.leases, [phone1()]);
        assert_eq!(found.garbage, Some((2, "nonsense".to_owned())));
    }

    #[test]
    fn a_line_without_its_end_waits() {
        for cut in 1..LINE.len() {
            let text = format!("{LINE}{}", &LINE[..cut]);
            let found = parse(&text, at(1));
            assert!(!found.complete, "cut at {cut}");
            assert_eq!(found.leases, [phone1()], "cut at {cut}");
            assert_eq!(found.garbage, None, "cut at {cut}");
        }
    }
}
