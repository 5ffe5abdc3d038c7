//! `cargo xtask vendors`: the table of who makes which network interfaces.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::command::workspace;
use crate::setup::{self, Need};

/// The lists of the IEEE Registration Authority, as Debian packs them. The third, of blocks of 4096
/// addresses, is left out: it has laboratories and machine builders, and a tenth of the size.
const LISTS: [&str; 2] = [
    "/usr/share/ieee-data/oui.csv",
    "/usr/share/ieee-data/mam.csv",
];
const TABLE: &str = "openwrt/mqttguard-vendors/files/vendors";
/// Longest name, in characters.
const NAME: usize = 28;

/// What says of what kind a company is, and nothing of which. Without full stops.
const FORMS: [&str; 38] = [
    "ab",
    "ag",
    "aps",
    "as",
    "bv",
    "co",
    "company",
    "corp",
    "corporate",
    "corporation",
    "electronics",
    "electronic",
    "gmbh",
    "group",
    "holding",
    "holdings",
    "inc",
    "incorporated",
    "intl",
    "international",
    "industrial",
    "kg",
    "limited",
    "llc",
    "ltd",
    "nv",
    "oy",
    "plc",
    "pte",
    "pty",
    "pvt",
    "sa",
    "sas",
    "spa",
    "srl",
    "systems",
    "technologies",
    "technology",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
}

/// Writes the table anew: a line for each prefix, sorted, so that the daemon finds one by halving.
pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[&[Need::Package("ieee-data")]], args.no_install)?;
    let mut table = BTreeMap::new();
    for list in LISTS {
        let mut rows = csv::Reader::from_path(list).with_context(|| list.to_owned())?;
        for row in rows.records() {
            let row = row.with_context(|| list.to_owned())?;
            let (Some(prefix), Some(company)) = (row.get(1), row.get(2)) else {
                bail!("{list}: a row without an assignment and its organization");
            };
            if company == "Private" || company == "IEEE Registration Authority" {
                continue;
            }
            table.insert(prefix.to_ascii_lowercase(), name(company));
        }
    }
    let lines: Vec<String> = table
        .iter()
        .map(|(prefix, name)| format!("{prefix} {name}\n"))
        .collect();
    fs::write(workspace().join(TABLE), lines.concat()).context(TABLE)?;
    println!("{TABLE}: {} prefixes", lines.len());
    Ok(())
}

/// A company as people call it: `Shenzhen Foo Technology Co., Ltd.` is `Shenzhen Foo`.
fn name(company: &str) -> String {
    let words: Vec<&str> = company
        .split([' ', '\t', ','])
        .filter(|word| !word.is_empty())
        .collect();
    let is_form = |word: &&str| {
        let bare = word
            .replace(['.', '/', '&', '(', ')'], "")
            .to_ascii_lowercase();
        bare.is_empty() || FORMS.contains(&bare.as_str())
    };
    let kept = words.len() - words.iter().rev().take_while(|word| is_form(word)).count();
    let words = words.get(..kept.max(1)).unwrap_or(&words);
    let mut name = words.join(" ");
    if let Some((end, _)) = name.char_indices().nth(NAME) {
        name.truncate(end);
        // Not half a word, unless it is the only one.
        if let Some((whole, _)) = name.rsplit_once(' ') {
            name.truncate(whole.len());
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn companies_lose_what_they_have_in_common() {
        for (company, expected) in [
            ("Espressif Inc.", "Espressif"),
            ("Tuya Smart Inc.", "Tuya Smart"),
            ("Shenzhen Foo Technology Co., Ltd.", "Shenzhen Foo"),
            ("TP-LINK TECHNOLOGIES CO.,LTD.", "TP-LINK"),
            ("HUAWEI TECHNOLOGIES CO.,LTD", "HUAWEI"),
            ("Group", "Group"),
            ("Bar S.p.A.", "Bar"),
            ("Xiaomi Communications Co Ltd", "Xiaomi Communications"),
            (
                "Beijing Very Long Name of a Company Indeed",
                "Beijing Very Long Name of a",
            ),
        ] {
            assert_eq!(name(company), expected);
        }
    }
}
