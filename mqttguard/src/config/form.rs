//! The table for LuCI's settings page, as a module of JavaScript: every option with what its form
//! needs, so that none is missing there and none is read in another way.

use super::schema::{Absent, Naming, Row, Section};
use super::table::SECTIONS;
use super::uci::{self, RawSection};
use super::{BUILTIN, PACKAGE};

const HEAD: &str = "\
'use strict';
'require baseclass';

/* Written by `mqttguard check --reference-luci` from the table that the daemon goes by; a test holds
 * the two against each other.
 *
 * Each section has its `kind`, the name that the `only` one has or whether it is `named`, and the
 * options of those that are `builtin`, by name. What an option has when it is not given is its
 * `default`, or `means` something, unless it is `required`. */

return baseclass.extend({
	SECTIONS: [
";

/// Every section and option, as JavaScript.
pub fn luci_options() -> String {
    let (builtin, _) = uci::read(PACKAGE, BUILTIN);
    let sections: Vec<String> = SECTIONS
        .iter()
        .map(|section| write_section(section, &builtin))
        .collect();
    format!("{HEAD}{}\n\t]\n}});\n", sections.join(",\n"))
}

fn write_section(section: &Section, builtin: &[RawSection]) -> String {
    let naming = match section.naming {
        Naming::Only(name) => format!("only: {}", quoted(name)),
        Naming::Named => "named: true".to_owned(),
        Naming::Free => "named: false".to_owned(),
    };
    let builtin: Vec<String> = builtin
        .iter()
        .filter(|there| there.kind == section.kind)
        .filter_map(|there| Some((there.name.as_deref()?, there)))
        .map(|(name, there)| format!("{}: {}", quoted(name), values(there)))
        .collect();
    let options: Vec<String> = section.options.iter().map(|row| write_row(*row)).collect();
    format!(
        "\t\t{{\n\t\t\tkind: {}, {naming}, max: {},\n\t\t\thelp: () => _({}),\n\
         \t\t\tbuiltin: {{{}}},\n\t\t\toptions: [\n{}\n\t\t\t]\n\t\t}}",
        quoted(section.kind),
        section.max,
        quoted(section.help),
        indented(&builtin, "\t\t\t"),
        options.join(",\n")
    )
}

/// The options of a built-in section that are not lists, which have no placeholder.
fn values(section: &RawSection) -> String {
    let options = section.options.iter().filter(|option| !option.list);
    let values: Vec<String> = options
        .map(|option| format!("{}: {}", option.name, quoted(&option.value)))
        .collect();
    match values.is_empty() {
        true => "{}".to_owned(),
        false => format!("{{ {} }}", values.join(", ")),
    }
}

fn write_row(row: &dyn Row) -> String {
    let absent = match row.absent() {
        Absent::Is(value) => format!("default: {}", quoted(value)),
        Absent::Means(meaning) => format!("means: () => _({})", quoted(meaning)),
        Absent::Mistake => "required: true".to_owned(),
    };
    format!(
        "\t\t\t\t{{\n\t\t\t\t\tname: {}, list: {}, {absent},\n\t\t\t\t\tvalue: {},\n\
         \t\t\t\t\texpected: () => _({}),\n\t\t\t\t\thelp: () => _({})\n\t\t\t\t}}",
        quoted(row.name()),
        row.list(),
        row.form(),
        quoted(&row.expected()),
        quoted(row.help())
    )
}

fn indented(lines: &[String], indent: &str) -> String {
    match lines.is_empty() {
        true => String::new(),
        false => {
            let lines: Vec<String> = lines
                .iter()
                .map(|line| format!("\n{indent}\t{line}"))
                .collect();
            format!("{}\n{indent}", lines.join(","))
        }
    }
}

/// A string of JavaScript. The table is text without control characters.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
