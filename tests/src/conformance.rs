//! Which test covers which normative statement: docs/conformance.md is generated from it.
//!
//! The statements stand in `statements/`. A test says which it covers in lines of its own
//! comment: `v5:` and the statements of MQTT 5.0, `v3:` and those of 3.1.1.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Where tests that cover statements may stand, from the root of the workspace.
const TESTS: [&str; 3] = [
    "tests/tests",
    "mqttguard-broker/src/tests",
    "mqttguard/src/broker",
];

/// A standard, the mark of its lines in the comments, and its statements.
const STANDARDS: [(&str, &str, &str); 2] = [
    ("5.0", "v5:", include_str!("../statements/mqtt-5.0.txt")),
    ("3.1.1", "v3:", include_str!("../statements/mqtt-3.1.1.txt")),
];

const HEAD: &str = "# Conformance

Every normative statement of MQTT 5.0 and 3.1.1 (their appendices B), in our own words, and the tests that
cover it. This file is generated from the tests; a test holds it equal to them.

Tests named `conformance` and `malformed` run over sockets against the broker process, with a reader and
writer of packets of their own; those named `core` drive the broker's core alone. A statement that binds
the client alone is covered where the broker notices a client that breaks it.
";

struct Statement<'a> {
    id: &'a str,
    binds: &'a str,
    text: &'a str,
    /// Why no test covers it.
    why: Option<&'a str>,
}

/// Statement to the names of the tests that cover it.
type Covers = BTreeMap<String, Vec<String>>;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The document that docs/conformance.md has to be.
///
/// # Errors
///
/// When a test names a statement that there is not, a server's statement has neither a test nor
/// a reason for that, or has both.
pub fn document() -> Result<String> {
    let mut found = [Covers::new(), Covers::new()];
    for root in TESTS {
        read_tests(&workspace().join(root), &mut found)?;
    }
    let mut text = HEAD.to_owned();
    for ((standard, _, statements), covers) in STANDARDS.into_iter().zip(found) {
        section(&mut text, standard, statements, covers)
            .with_context(|| format!("MQTT {standard}"))?;
    }
    Ok(text)
}

fn section(text: &mut String, standard: &str, statements: &str, mut covers: Covers) -> Result<()> {
    let statements = parse(statements)?;
    let mut rows = String::new();
    let (mut server, mut server_covered, mut covered) = (0, 0, 0);
    for statement in &statements {
        let tests = covers.remove(statement.id).unwrap_or_default();
        let binds_server = statement.binds != "client";
        server += usize::from(binds_server);
        server_covered += usize::from(binds_server && !tests.is_empty());
        covered += usize::from(!tests.is_empty());
        let id = statement.id;
        let last = match (tests.is_empty(), statement.why, binds_server) {
            (false, None, _) => tests.join("<br>"),
            (true, Some(why), _) => why.to_owned(),
            (true, None, false) => "It binds the client.".to_owned(),
            (true, None, true) => bail!("nothing covers {id}, and nothing says why"),
            (false, Some(_), _) => bail!("{id} is covered, and is said not to be"),
        };
        let (binds, what) = (statement.binds, statement.text);
        writeln!(rows, "| MQTT-{id} | {binds} | {what} | {last} |")?;
    }
    if let Some((id, tests)) = covers.first_key_value() {
        bail!(
            "there is no statement {id}, which {} covers",
            tests.join(", ")
        );
    }
    let all = statements.len();
    writeln!(
        text,
        "\n## MQTT {standard}\n\n{all} statements. {server} bind the server, of which \
         {server_covered} are covered by tests; of all, {covered} are.\n"
    )?;
    writeln!(
        text,
        "| statement | binds | what it asks for | covered by |"
    )?;
    writeln!(text, "|---|---|---|---|")?;
    text.push_str(&rows);
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Statement<'_>>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let statements = lines.map(|line| {
        let mut words = line.splitn(3, ' ');
        let (id, binds, rest) = (words.next(), words.next(), words.next());
        let (text, why) = match rest.context("a line of less than three words")? {
            rest if rest.contains(" // ") => {
                let (text, why) = rest.split_once(" // ").unwrap_or((rest, ""));
                (text, Some(why))
            }
            rest => (rest, None),
        };
        let binds = binds.unwrap_or_default();
        ensure!(["server", "client", "both"].contains(&binds), "{line}");
        Ok(Statement {
            id: id.unwrap_or_default(),
            binds,
            text,
            why,
        })
    });
    statements.collect()
}

fn read_tests(path: &Path, found: &mut [Covers; 2]) -> Result<()> {
    if path.is_dir() {
        let entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path()));
        let mut entries = entries.collect::<Result<Vec<_>>>()?;
        entries.sort();
        return entries
            .iter()
            .try_for_each(|entry| read_tests(entry, found));
    }
    if path.extension().is_none_or(|extension| extension != "rs") {
        return Ok(());
    }
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    read_source(&text, &place(path), found).with_context(|| format!("{}", path.display()))
}

/// The name of a file's tests: `conformance::wills`, `core::wills`.
fn place(path: &Path) -> String {
    let root = workspace();
    let path = path.strip_prefix(&root).unwrap_or(path).with_extension("");
    let path = path.to_string_lossy();
    let short = [
        ("tests/tests/", ""),
        ("mqttguard-broker/src/tests/", "core/"),
        ("mqttguard/src/broker/", "daemon/"),
    ];
    let found = short.iter().find_map(|(from, to)| {
        let rest = path.strip_prefix(from)?;
        Some(format!("{to}{rest}"))
    });
    let found = found.unwrap_or(path.into_owned());
    found
        .trim_end_matches("/main")
        .replace("tests/", "")
        .replace('/', "::")
}

fn read_source(text: &str, place: &str, found: &mut [Covers; 2]) -> Result<()> {
    let mut pending: [Vec<&str>; 2] = Default::default();
    let mut open: Option<usize> = None;
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///").map(str::trim) {
            let marked = |(_, mark, _): &(&str, &str, &str)| comment.starts_with(mark);
            open = STANDARDS.iter().position(marked).or(open);
            open = open.filter(|_| comment.contains("[MQTT-"));
            if let Some(list) = open.and_then(|open| pending.get_mut(open)) {
                let ids = comment.split("[MQTT-").skip(1);
                list.extend(ids.filter_map(|rest| rest.split(']').next()));
            }
        } else if line.starts_with("#[") {
            is_test |= line == "#[test]";
        } else if let Some(rest) = line.strip_prefix("fn ") {
            let name = rest.split('(').next().unwrap_or_default();
            for (covers, ids) in found.iter_mut().zip(&mut pending) {
                ensure!(is_test || ids.is_empty(), "{name} is no test");
                for id in ids.drain(..) {
                    let tests = covers.entry(id.to_owned()).or_default();
                    tests.push(format!("{place}::{name}"));
                }
            }
            (open, is_test) = (None, false);
        } else {
            let left = pending.iter().all(Vec::is_empty);
            ensure!(left, "statements above what is no test: {line}");
            (open, is_test) = (None, false);
        }
    }
    Ok(())
}
