use std::fs;
use std::io;
use std::path::Path;

/// Puts `text` below the heading `## <heading>` of a document, in place of what stands there, or
/// at the end if there is no such heading. `text` has no headings of that level.
///
/// # Errors
///
/// The document cannot be read or written.
pub fn write_section(path: &Path, heading: &str, text: &str) -> io::Result<()> {
    let old = fs::read_to_string(path)?;
    fs::write(path, with_section(&old, heading, text))
}

fn with_section(document: &str, heading: &str, text: &str) -> String {
    let line = format!("## {heading}");
    let (mut before, mut after) = (String::new(), String::new());
    let mut place = Place::Before;
    for old in document.lines() {
        if old == line {
            place = Place::Within;
        } else if old.starts_with("## ") && place == Place::Within {
            place = Place::After;
        }
        let side = match place {
            Place::Before => &mut before,
            Place::Within => continue,
            Place::After => &mut after,
        };
        side.push_str(old);
        side.push('\n');
    }
    let mut new = format!("{}\n\n{line}\n\n{}\n", before.trim_end(), text.trim());
    if !after.is_empty() {
        new.push('\n');
        new.push_str(&after);
    }
    new
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Within,
    After,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_takes_the_place_of_the_old_one() {
        let old = "# T\n\nintro\n\n## A\n\nold\n\n### How\n\nx\n\n## B\n\nstays\n";
        let new = with_section(old, "A", "new\n");
        assert_eq!(new, "# T\n\nintro\n\n## A\n\nnew\n\n## B\n\nstays\n");
        assert_eq!(with_section(&new, "A", "new\n"), new);
    }

    #[test]
    fn a_section_that_is_new_comes_last() {
        let new = with_section("# T\n\n## A\n\nstays\n", "B", "new");
        assert_eq!(new, "# T\n\n## A\n\nstays\n\n## B\n\nnew\n");
    }
}
