//! `docs/configuration.md`, written from the table, so that it cannot say anything else.

use mqttguard_broker::BOUNDS;

use super::schema::{Absent, LIST_MAX, Naming, Row, Section};
use super::table::SECTIONS;
use super::{BUILTIN, DOOR};

const INTRODUCTION: &str = "\
<!-- Written by `mqttguard check --reference`; a test holds the two against each other. -->

# Configuration

mqttguard reads `/etc/config/mqttguard`, a [UCI](https://openwrt.org/docs/guide-user/base-system/uci)
file. An empty file is a working configuration: the LAN is guarded and the broker listens with TLS
on port 8883.

- `mqttguard check` reads the file and lists every mistake in it with its line, without touching
  the running daemon.
- `/etc/init.d/mqttguard reload` (or `mqttguard reload`, which shows the mistakes) puts a changed
  file into force. A file with a mistake is refused as a whole and the last good one stays in force.
- Unknown sections and options are mistakes. An `option` with an empty value counts as not there.
- UCI knows a section by its name alone: two sections must not have the same one, even if their
  types differ.

";

/// The reference of every section and option, as Markdown.
pub fn reference() -> String {
    let mut text = INTRODUCTION.to_owned();
    for section in SECTIONS {
        write_section(&mut text, section);
    }
    write_bounds(&mut text);
    text.push_str(
        "## Built-in sections\n\n\
         These are there without being written. A section of the same type and name in the file \
         changes the options that it has; the others stay as they are here. A list that is given \
         replaces the whole list.\n\n```\n",
    );
    text.push_str(BUILTIN);
    text.push_str("```\n");
    text
}

fn write_bounds(text: &mut String) {
    text.push_str(
        "## What is bounded\n\n\
         Everything that a client can make the broker hold or do. Those that have the name of an \
         option above are set there; the others are fixed. `mqttguard stats --json` counts under \
         `limits_met` how often each was met, and an event `limit-met` tells by whom, a few times \
         a second at most. MQTT 3 has no reason codes beside those of CONNACK and SUBACK.\n\n\
         | bound | of what | when it is met | MQTT 5 reason code |\n|---|---|---|---|\n",
    );
    for bound in BOUNDS.iter().chain(DOOR) {
        let reason = match bound.reason {
            Some((packet, code)) => format!("{packet} 0x{code:02X}"),
            None => String::new(),
        };
        text.push_str(&format!(
            "| `{}` | {} | {} | {reason} |\n",
            bound.name, bound.of, bound.effect
        ));
    }
    text.push('\n');
}

fn write_section(text: &mut String, section: &Section) {
    let heading = match section.naming {
        Naming::Only(name) => format!("## config {} '{name}'\n\n", section.kind),
        Naming::Named => format!("## config {} '*name*'\n\n", section.kind),
        Naming::Free => format!("## config {} ['*name*']\n\n", section.kind),
    };
    text.push_str(&heading);
    text.push_str(section.help);
    if section.max > 1 {
        text.push_str(&format!(" At most {} sections.", section.max));
    }
    text.push_str("\n\n| option | value | when not given | meaning |\n|---|---|---|---|\n");
    for row in section.options {
        write_row(text, *row);
    }
    text.push('\n');
}

fn write_row(text: &mut String, row: &dyn Row) {
    let name = match row.list() {
        true => format!("list `{}`", row.name()),
        false => format!("`{}`", row.name()),
    };
    let many = match row.list() {
        true => format!(" (at most {LIST_MAX} of them)"),
        false => String::new(),
    };
    let absent = match row.absent() {
        Absent::Is(value) => format!("`{value}`"),
        Absent::Means(meaning) => meaning.to_owned(),
        Absent::Mistake => "a mistake".to_owned(),
    };
    let cells = [name, row.expected() + &many, absent, row.help().to_owned()];
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    text.push_str(&format!("| {} |\n", cells.join(" | ")));
}
