//! Why the house is not protected, in the words of `status`. The web interface knows each by how it
//! begins, and says it in the owner's language with what to do about it.

use std::fmt;

/// What is amiss.
pub(super) enum Trouble<'a> {
    /// The owner has it so.
    Monitor,
    /// A network of the configuration that no device stands for.
    NoDevice(&'a str),
    /// The kernel program does not stand: how it is.
    NoProgram(&'a str),
    /// An interface that the kernel program is not attached to, and why.
    NotAttached(&'a str, &'a str),
    /// An interface with frames that pass the kernel program by.
    Blind(&'a str),
    /// Nothing proves yet that the kernel program sees anything.
    Unproven,
    /// The devices on which nftables does what it can.
    Reduced(&'a str),
    /// Why there is no broker.
    NoBroker(&'a str),
    /// Why the registry could not be read.
    Unreadable(&'a str),
    /// Why the registry cannot be written.
    Unsaved(&'a str),
    /// Why the broker's journal cannot be written.
    Journal(&'a str),
    /// Why uplift does not stand.
    Uplift(&'a str),
    /// The configuration file was refused.
    Configuration,
}

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Monitor => f.write_str("monitor mode: nothing is dropped"),
            Trouble::NoDevice(network) => write!(f, "network '{network}' has no device yet"),
            Trouble::NoProgram(how) => write!(f, "the kernel program is {how}"),
            Trouble::NotAttached(interface, why) => {
                write!(f, "not attached to {interface}: {why}")
            }
            Trouble::Blind(interface) => {
                write!(
                    f,
                    "{interface} has frames that the kernel program does not see"
                )
            }
            Trouble::Unproven => f.write_str("no frame has been seen yet"),
            Trouble::Reduced(devices) => write!(
                f,
                "reduced protection: nftables, plaintext ports only, on {devices}"
            ),
            Trouble::NoBroker(why) => write!(f, "the broker is not running: {why}"),
            Trouble::Unreadable(why) => {
                write!(f, "blocks and credentials are not in force: {why}")
            }
            Trouble::Unsaved(why) => write!(f, "changes are lost at the next restart: {why}"),
            Trouble::Journal(why) => {
                write!(f, "what the broker acknowledges is lost in a crash: {why}")
            }
            Trouble::Uplift(why) => write!(
                f,
                "devices that are to be uplifted are cut off from their servers: {why}"
            ),
            Trouble::Configuration => {
                f.write_str("the configuration has mistakes; an earlier one is in force")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::guard::{OFF, not_loaded};
    use super::*;

    const PAGE: &str = include_str!(
        "../../../openwrt/luci-app-mqttguard/htdocs/luci-static/resources/mqttguard/troubles.js"
    );

    /// How the lines begin that the page knows, with an X for what it takes from them.
    fn known() -> Vec<String> {
        let (_, table) = PAGE.split_once("const TROUBLES = [").unwrap();
        let (table, _) = table.split_once("\n];").unwrap();
        let expressions = table.lines().filter_map(|line| {
            let (expression, _) = line.trim().strip_prefix("[ /^")?.split_once("/, ")?;
            Some(expression)
        });
        let known = expressions.map(|expression| {
            let mut begins = expression.to_owned();
            for group in ["(\\S+)", "([^]*)", "([^']*)"] {
                begins = begins.replace(group, "X");
            }
            let is_plain = !begins.contains(['\\', '(', '[', '*', '+', '|', '?', '$']);
            assert!(is_plain, "more than this test reads: {expression}");
            begins
        });
        known.collect()
    }

    #[test]
    fn the_web_interface_knows_every_trouble_and_no_other() {
        let (off, failed) = (not_loaded(OFF), not_loaded("X"));
        let lines = [
            Trouble::Monitor,
            Trouble::NoDevice("X"),
            Trouble::NoProgram(&off),
            Trouble::NoProgram(&failed),
            Trouble::NotAttached("X", "X"),
            Trouble::Blind("X"),
            Trouble::Unproven,
            Trouble::Reduced("X"),
            Trouble::NoBroker("X"),
            Trouble::Unreadable("X"),
            Trouble::Unsaved("X"),
            Trouble::Journal("X"),
            Trouble::Uplift("X"),
            Trouble::Configuration,
        ]
        .map(|trouble| trouble.to_string());
        let known = known();
        for line in &lines {
            let is_known = known.iter().any(|begins| line.starts_with(begins));
            assert!(is_known, "troubles.js does not know: {line}");
        }
        for begins in &known {
            let is_said = lines.iter().any(|line| line.starts_with(begins));
            assert!(is_said, "troubles.js knows what is never said: {begins}");
        }
        assert_eq!(known.len(), lines.len());
    }
}
