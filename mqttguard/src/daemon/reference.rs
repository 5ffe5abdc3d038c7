//! `docs/ubus.md`, made of the tables that serve the methods and name the notifications.

use std::fmt::Write as _;

use super::signatures::TABLE;
use super::troubles::Trouble;
use crate::coded::{Coded, told};
use mqttguard_broker::Departure;

use super::fault::Fault;
use crate::events::{AttachNote, Because, Denial, JournalNews, NOTIFICATIONS, StandIn};
use crate::naming::snippet::SnippetNote;
use crate::push::{Cause, Next, Task};
use crate::registry::Refused;
use crate::ubus::{ArgType, Unanswered};

const HEAD: &str = "\
# The ubus object

This page is made by `mqttguard check --reference-ubus` from the tables that the daemon itself goes by.

`ubus -v list mqttguard` shows the methods with their arguments, `ubus call mqttguard METHOD '{...}'`
calls one, `ubus subscribe mqttguard` (or `mqttguard events --follow`) shows what happens.

- An answer to a call that failed has the status of libubus and, as data, `error`: one sentence that
  says what was found and expected; and what an owner can meet has a `code` beside it. An argument of the wrong type is INVALID_ARGUMENT in every method.
- Times end in `_ms`: milliseconds since the Unix epoch. Fields without a value are left out.
- What was decided is in force and on disk before the answer; if it could not be written, the answer
  has a `warning`, and `unsaved`: why not.
- Passwords and keys are in the one answer that hands them out and nowhere else.
- Only root may call it. Others need a file in `/usr/share/acl.d`.

";

/// The whole page.
pub(crate) fn reference() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("## Methods\n\n");
    for method in TABLE {
        let kinds = method.args.iter().map(|(name, kind, _)| {
            let kind = kind_name(*kind);
            format!("\"{name}\":\"{kind}\"")
        });
        let kinds = kinds.collect::<Vec<_>>().join(",");
        // Writing to a string does not fail.
        let _ = write!(
            page,
            "### {}\n\n{}\n\n    \"{}\":{{{kinds}}}\n\n",
            method.name, method.about, method.name
        );
        if !method.args.is_empty() {
            page.push_str("| argument | type | meaning |\n|---|---|---|\n");
            for (name, kind, about) in method.args {
                let _ = writeln!(page, "| `{name}` | {} | {about} |", kind_name(*kind));
            }
            page.push('\n');
        }
        let _ = writeln!(page, "Answers {}.\n", method.returns);
        if !method.errors.is_empty() {
            page.push_str("| fails with | when |\n|---|---|\n");
            for (status, when) in method.errors {
                let _ = writeln!(page, "| {status} | {when} |");
            }
            page.push('\n');
        }
        let argument = match method.example {
            "" => String::new(),
            example => format!(" '{example}'"),
        };
        let _ = writeln!(page, "    ubus call mqttguard {}{argument}\n", method.name);
    }
    page.push_str(
        "## Notifications\n\nEach has `seq`, `time_ms`, `event`, `severity` (`info`, `notice`, \
         `warning`), `message` (one sentence), `mac` and `name` where it is about a device, and what \
         stands here.\n\n| name | when | fields |\n|---|---|---|\n",
    );
    for (name, when, fields) in NOTIFICATIONS {
        let fields: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
        let _ = writeln!(page, "| `{name}` | {when} | {} |", fields.join(", "));
    }
    page.push_str(
        "\n## Codes\n\nWhat is told in a sentence has a code beside it, with the values that stand in \
         braces here. Sentences may be put better one day; codes stay.\n",
    );
    codes(&mut page, "troubles", TROUBLES, &Trouble::samples());
    codes(&mut page, "cause of a push", CAUSES, &Cause::samples());
    codes(&mut page, "next_code of a push", NEXT, &Next::ALL);
    codes(&mut page, "step of a push", STEPS, &Task::ALL);
    codes(&mut page, "code of fallback", FALLBACK, &StandIn::samples());
    codes(
        &mut page,
        "code of journal and journal-trouble",
        JOURNAL,
        &JournalNews::samples(),
    );
    codes(&mut page, "code of login-refused", LOGINS, &Denial::ALL);
    codes(
        &mut page,
        "code of state-changed",
        STATES,
        &Because::samples(),
    );
    codes(
        &mut page,
        "code of disconnected",
        DEPARTURES,
        &Departure::ALL,
    );
    codes(
        &mut page,
        "notes of an attachment",
        NOTES,
        &AttachNote::samples(),
    );
    codes(
        &mut page,
        "noted of a snippet",
        SNIPPETS,
        &SnippetNote::SAMPLES,
    );
    codes(&mut page, "code of an error", FAULTS, &Fault::samples());
    codes(
        &mut page,
        "code of an error, by the rules of the registry",
        REFUSALS,
        &Refused::samples(),
    );
    codes(
        &mut page,
        "code of an error, without an answer",
        UNANSWERED,
        &Unanswered::ALL,
    );
    page
}

const TROUBLES: &str =
    "What `status` lists in `troubles`, each with its sentence of `why` as `message`.";
const CAUSES: &str = "`cause` of an answer of `push` and of the event `push-failed`, with its sentence as \
    `message`; `step` is the one that failed, if it came to one, and `perhaps` is true where the device \
    may have taken the settings all the same.";
const NEXT: &str = "`next_code` of an answer of `push`, beside the sentence `next`.";
const STEPS: &str = "`step` of each of the `steps` that `push` answers, beside the words `what`.";
const FALLBACK: &str = "`code` of the event `fallback`, beside the sentence `detail`.";
const LOGINS: &str = "`code` of the event `login-refused`, beside the sentence `why`.";
const STATES: &str = "`code` of the event `state-changed`, with its values, beside the sentence `why`; of a \
    device that is blocked or in quarantine `because` has them, with the sentence as `message`. The \
    `why` of a `note` is the owner's own.";
const DEPARTURES: &str = "`code` of the event `disconnected`, beside the sentence `why`.";
const NOTES: &str = "What `status` lists in `notes` of each of the `attachments` of `kernel`, beside their \
    sentences in `why`; likewise the trouble `not-attached`, and the event `enforcement` where `what` is \
    `failed` or `lost`.";
const SNIPPETS: &str =
    "What each of the `snippets` lists in `noted`, beside their sentences in `notes`.";
const FAULTS: &str = "`code` of an answer to a call that failed, with its values, beside the sentence \
    `error`. What only a mistake of the caller can lead to has none.";
const REFUSALS: &str = "The same.";
const UNANSWERED: &str = "The same, in every method.";
const JOURNAL: &str =
    "`code` of the events `journal` and `journal-trouble`, beside the sentence `detail`.";

/// A table of codes, made of one of each.
fn codes<T: Coded>(page: &mut String, title: &str, about: &str, samples: &[T]) {
    let _ = write!(
        page,
        "\n### {title}\n\n{about}\n\n| code | values | sentence |\n|---|---|---|\n"
    );
    for one in told(samples) {
        let values: Vec<_> = one.values.iter().map(|name| format!("`{name}`")).collect();
        let (code, values, sentence) = (one.code, values.join(", "), one.sentence);
        let _ = writeln!(page, "| `{code}` | {values} | {sentence} |");
    }
}

/// As `ubus -v list` shows it.
const fn kind_name(kind: ArgType) -> &'static str {
    match kind {
        ArgType::String => "String",
        ArgType::Integer => "Integer",
        ArgType::Boolean => "Boolean",
        ArgType::Array => "Array",
        ArgType::Table => "Table",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_page_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ubus.md");
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            there == reference(),
            "run: cargo run -p mqttguard -- check --reference-ubus > docs/ubus.md"
        );
    }

    /// The handlers are held against the table by their source: a method without one, or the
    /// other way round, would be found by its first caller only.
    #[test]
    fn every_method_is_served_and_every_served_one_is_in_the_table() {
        let source = include_str!("methods.rs");
        let (_, rest) = source.split_once("match method {").unwrap();
        let (arms, _) = rest.split_once("_ => Err").unwrap();
        let served: BTreeSet<&str> = arms
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" =>"))
            .map(|(name, _)| name)
            .collect();
        let listed: BTreeSet<&str> = TABLE.iter().map(|method| method.name).collect();
        assert_eq!(served, listed);
    }

    #[test]
    fn every_example_fits_its_method() {
        for method in TABLE {
            let example = match method.example {
                "" => "{}",
                example => example,
            };
            let given: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(example).unwrap();
            for (name, value) in given {
                let arg = method.args.iter().find(|(arg, ..)| *arg == name);
                let (_, kind, _) = arg.unwrap_or_else(|| panic!("{}: {name}", method.name));
                let fits = match kind {
                    ArgType::String => value.is_string(),
                    ArgType::Integer => value.is_u64(),
                    ArgType::Boolean => value.is_boolean(),
                    ArgType::Array => value.is_array(),
                    ArgType::Table => value.is_object(),
                };
                assert!(fits, "{}: {name}", method.name);
            }
        }
    }

    /// As above: each code of an event is in the list.
    #[test]
    fn every_notification_is_listed() {
        let source = include_str!("../events/codes.rs");
        let (_, body) = source.split_once("pub const fn code(").unwrap();
        let literals = body.split('"').skip(1).step_by(2);
        let coded: BTreeSet<&str> = literals.filter(|text| !text.contains(' ')).collect();
        let listed: BTreeSet<&str> = NOTIFICATIONS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(coded, listed);
    }

    /// What the web interface says in the owner's language, it knows by these codes.
    #[test]
    fn the_web_interface_knows_every_code() {
        macro_rules! page {
            ($name:literal) => {
                include_str!(concat!(
                    "../../../openwrt/luci-app-mqttguard/htdocs/luci-static/resources/mqttguard/",
                    $name
                ))
            };
        }
        let (pages, troubles, faults) =
            (page!("codes.js"), page!("troubles.js"), page!("faults.js"));
        let known = |page: &str, code: &str| page.contains(&format!("\n\t'{code}': ("));
        let mut codes: Vec<&str> = Vec::new();
        codes.extend(Cause::samples().iter().map(Coded::code));
        codes.extend(Next::ALL.iter().map(Coded::code));
        codes.extend(Task::ALL.iter().map(Coded::code));
        codes.extend(StandIn::samples().iter().map(Coded::code));
        codes.extend(JournalNews::samples().iter().map(Coded::code));
        codes.extend(Denial::ALL.iter().map(Coded::code));
        codes.extend(Because::samples().iter().map(Coded::code));
        codes.extend(Departure::ALL.iter().map(Coded::code));
        codes.extend(SnippetNote::SAMPLES.iter().map(Coded::code));
        codes.extend(AttachNote::samples().iter().map(Coded::code));
        for code in codes {
            assert!(known(pages, code), "codes.js does not know {code}");
        }
        let mut codes: Vec<&str> = Vec::new();
        codes.extend(Fault::samples().iter().map(Coded::code));
        codes.extend(Refused::samples().iter().map(Coded::code));
        codes.extend(Unanswered::ALL.iter().map(Coded::code));
        for code in codes {
            assert!(known(faults, code), "faults.js does not know {code}");
        }
        for trouble in Trouble::samples() {
            let code = trouble.code();
            assert!(known(troubles, code), "troubles.js does not know {code}");
        }
    }
}
