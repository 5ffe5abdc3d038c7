//! What a device says over DHCP that it is (option 60, RFC 2132 section 9.13): the system, or at
//! least the DHCP client, that it runs. Only what the clients' own sources put there is known here.

/// The system of a vendor class, in words. None for one that is not known: it is shown as it is.
pub fn system(vendor_class: &str) -> Option<String> {
    let version = |rest: &str| {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let version = rest.get(..end.unwrap_or(rest.len()))?;
        (!version.is_empty()).then(|| version.to_owned())
    };
    // `android-dhcp-13`: Android's DhcpClient, with the release.
    if let Some(rest) = vendor_class.strip_prefix("android-dhcp-") {
        return version(rest).map(|version| format!("Android {version}"));
    }
    // `udhcp 1.36.1`: udhcpc of BusyBox, with its version.
    if let Some(rest) = vendor_class.strip_prefix("udhcp ") {
        return version(rest).map(|version| format!("Linux (BusyBox {version})"));
    }
    // `dhcpcd-9.4.1:Linux-6.1.21-v8+:aarch64:BCM2835`: client, kernel, architecture, board.
    if let Some(rest) = vendor_class.strip_prefix("dhcpcd-") {
        let mut parts = rest.split(':');
        let client = parts.next().and_then(version)?;
        let kernel = parts.next().and_then(|kernel| kernel.split('-').next());
        return Some(match kernel.filter(|kernel| !kernel.is_empty()) {
            Some(kernel) => format!("{kernel} (dhcpcd {client})"),
            None => format!("dhcpcd {client}"),
        });
    }
    // [MS-DHCPE] section 2.2.4.1.
    (vendor_class == "MSFT 5.0").then(|| "Windows".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_call_themselves() {
        for (class, expected) in [
            ("android-dhcp-13", Some("Android 13")),
            ("android-dhcp-", None),
            ("udhcp 1.36.1", Some("Linux (BusyBox 1.36.1)")),
            ("udhcp", None),
            (
                "dhcpcd-9.4.1:Linux-6.1.21-v8+:aarch64:BCM2835",
                Some("Linux (dhcpcd 9.4.1)"),
            ),
            ("dhcpcd-10.0.6", Some("dhcpcd 10.0.6")),
            ("dhcpcd-:", None),
            ("MSFT 5.0", Some("Windows")),
            ("MSFT 5.0x", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(system(class).as_deref(), expected, "{class}");
        }
    }
}
