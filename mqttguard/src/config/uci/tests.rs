use super::*;

/// One section with one option of this value, as the file would have it.
fn value(written: &str) -> Result<String, SyntaxError> {
    let (sections, errors) = read(
        "mqttguard",
        &format!("config a 'b'\n\toption c {written}\n\toption d 'e'\n"),
    );
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let options = &sections[0].options;
    assert_eq!(
        (options.len(), options[1].value.as_str()),
        (2, "e"),
        "{written}"
    );
    Ok(options[0].value.clone())
}

#[test]
fn reads_values_as_libuci_does() {
    for (written, read) in [
        ("bare", "bare"),
        ("'single'", "single"),
        ("\"double\"", "double"),
        ("''", ""),
        ("a'b c'\"d e\"f", "ab cd ef"),
        ("'a\"b'", "a\"b"),
        ("\"a'b\"", "a'b"),
        ("'it'\\''s'", "it's"),
        ("'back\\slash'", "back\\slash"),
        ("\"back\\slash\"", "backslash"),
        ("\"\\\"\\\\\"", "\"\\"),
        ("a\\ b", "a b"),
        ("'a#b'", "a#b"),
        ("a#b", "a"),
        ("a # b", "a"),
        ("'two\nlines'", "two\nlines"),
        ("\"two\nlines\"", "two\nlines"),
        ("\"joined \\\nline\"", "joined line"),
        ("joined\\\nline", "joinedline"),
        ("joined\\\r\nline", "joinedline"),
        ("\\\nlater", "later"),
        ("crlf\r", "crlf"),
        ("'käse'", "käse"),
    ] {
        assert_eq!(value(written).as_deref(), Ok(read), "{written:?}");
    }
}

#[test]
fn short_keywords_are_uci_too() {
    let (sections, errors) = read("mqttguard", "p mqttguard\nc a b\no x 1\n l y 2\nl y 3");
    assert_eq!(errors, []);
    let [section] = sections.as_slice() else {
        panic!("{sections:?}")
    };
    assert_eq!(
        (section.kind.as_str(), section.name.as_deref()),
        ("a", Some("b"))
    );
    let read: Vec<_> = section
        .options
        .iter()
        .map(|o| (o.name.as_str(), o.value.as_str(), o.list))
        .collect();
    assert_eq!(
        read,
        [("x", "1", false), ("y", "2", true), ("y", "3", true)]
    );
}

#[test]
fn an_empty_name_is_none() {
    let (sections, errors) = read("mqttguard", "config a ''\nconfig b");
    assert_eq!(errors, []);
    assert!(sections.iter().all(|section| section.name.is_none()));
}

#[test]
fn says_which_line_is_not_uci_and_reads_on() {
    for (text, line, found, expected) in [
        (
            "config a\noption b c;option d e",
            2,
            ";",
            "the end of the line (a ';' in a value goes in quotes)",
        ),
        (
            "option a b",
            1,
            "option a",
            "a 'config' line before the first option",
        ),
        (
            "config",
            1,
            "config ",
            "config <type> ['name'] and nothing more",
        ),
        (
            "config a b c",
            1,
            "config a",
            "config <type> ['name'] and nothing more",
        ),
        (
            "config a-b",
            1,
            "config a-b",
            "a section type of letters, digits and '_'",
        ),
        (
            "config a 'b c'",
            1,
            "config a 'b c'",
            "a section name of letters, digits and '_'",
        ),
        (
            "config a\noption b",
            2,
            "option b",
            "one name and one value (a value with spaces goes in quotes)",
        ),
        (
            "config a\noption b c d",
            2,
            "option b",
            "one name and one value (a value with spaces goes in quotes)",
        ),
        (
            "config a\noption b-c d",
            2,
            "option b-c",
            "an option name of letters, digits and '_'",
        ),
        (
            "\n\nconfigure a",
            3,
            "configure",
            "one of: config, option, list, package",
        ),
        (
            "package network",
            1,
            "package network",
            "no 'package' line, or the package mqttguard",
        ),
        (
            "config a\n\noption b 'c\n\n",
            3,
            "the end of the file",
            "a closing ' for the quote opened here",
        ),
        (
            "config a\noption b \"c\\\"",
            2,
            "the end of the file",
            "a closing \" for the quote opened here",
        ),
        ("config a\noption b c\0d", 2, "a NUL byte", "text"),
    ] {
        let (_, errors) = read("mqttguard", text);
        assert_eq!(
            errors,
            [SyntaxError {
                line,
                found: found.into(),
                expected
            }],
            "{text:?}"
        );
    }
    let (sections, errors) = read("mqttguard", "x\nconfig a\noption b\noption c d\ny");
    assert_eq!(
        errors.iter().map(|error| error.line).collect::<Vec<_>>(),
        [1, 3, 5]
    );
    assert_eq!(sections[0].options.len(), 1);
}

#[test]
fn options_of_a_broken_section_do_not_fall_to_the_one_before() {
    let (sections, errors) = read("mqttguard", "config a\nconfig b-c\noption d e\n");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(sections[0].options, []);
}
