use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mqttguard_common::Mac;

/// Who makes what, by the prefixes that the IEEE assigns: a file of lines `a4cf12 Espressif`, sorted,
/// with prefixes of six or seven hexadecimal digits. It is looked into and never read as a whole.
#[derive(Clone, Debug)]
pub struct Vendors {
    file: PathBuf,
}

/// The longest line there may be; a file with longer ones is not ours.
const LINE: u64 = 256;

impl Vendors {
    /// The table in this file, which need not be there.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Vendors { file: file.into() }
    }

    /// Who made the device; None for an address that nobody assigned (RFC 9542, 2.1), such as those
    /// that phones make up for each network, and for what the table does not have.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is no such table.
    pub fn find(&self, mac: Mac) -> io::Result<Option<String>> {
        if mac.0[0] & 0b11 != 0 {
            return Ok(None);
        }
        let digits: String = mac.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let file = File::open(&self.file)?;
        let length = file.metadata()?.len();
        let mut table = BufReader::with_capacity(LINE as usize, file);
        // Prefixes of seven digits lie in blocks that have no line of six.
        for prefix in [digits.get(..6), digits.get(..7)].into_iter().flatten() {
            if let Some(name) = find(&mut table, length, prefix, &self.file)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// [`Vendors`] that looks each device up once.
#[derive(Debug)]
pub struct Makers {
    vendors: Vendors,
    known: RefCell<BTreeMap<[u8; 4], Option<Arc<str>>>>,
}

impl Makers {
    /// Blocks of addresses that are remembered.
    const KNOWN: usize = 1024;

    /// By the table in this file, which need not be there.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Makers {
            vendors: Vendors::new(file),
            known: RefCell::default(),
        }
    }

    /// Who made the device, as far as the table knows. A table that cannot be read is told in the log.
    pub fn maker(&self, mac: Mac) -> Option<Arc<str>> {
        let [a, b, c, d, ..] = mac.0;
        // The prefixes have seven digits at most.
        let block = [a, b, c, d & 0xf0];
        let mut known = self.known.borrow_mut();
        if let Some(maker) = known.get(&block) {
            return maker.clone();
        }
        let maker = self.vendors.find(mac).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                log::warn!("makers of devices: {error}");
            }
            None
        });
        let maker = maker.map(Arc::from);
        if known.len() >= Self::KNOWN {
            known.clear();
        }
        known.insert(block, maker.clone());
        maker
    }
}

/// Halves the file until the line is found, or where it would stand.
fn find(
    table: &mut BufReader<File>,
    length: u64,
    prefix: &str,
    path: &Path,
) -> io::Result<Option<String>> {
    // The line, if there is one, starts in this range.
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        let Some((start, line)) = line_from(table, middle, path)? else {
            high = middle;
            continue;
        };
        let (found, name) = line
            .split_once(' ')
            .ok_or_else(|| bad(path, "a line without a name"))?;
        match prefix.cmp(found) {
            std::cmp::Ordering::Equal => return Ok(Some(name.to_owned())),
            std::cmp::Ordering::Less => high = middle,
            std::cmp::Ordering::Greater => low = start + line.len() as u64 + 1,
        }
    }
    Ok(None)
}

/// The first line that starts at this byte or behind it, and where it starts.
fn line_from(
    table: &mut BufReader<File>,
    at: u64,
    path: &Path,
) -> io::Result<Option<(u64, String)>> {
    let mut start = at;
    if at > 0 {
        // The byte before tells whether a line starts here.
        table.seek(SeekFrom::Start(at - 1))?;
        start = at - 1 + read_line(table, path)?.len() as u64;
    } else {
        table.seek(SeekFrom::Start(0))?;
    }
    let mut line = read_line(table, path)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.ends_with(b"\n") {
        line.pop();
    }
    let line = String::from_utf8(line).map_err(|_| bad(path, "bytes that are no text"))?;
    Ok(Some((start, line)))
}

fn read_line(table: &mut BufReader<File>, path: &Path) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    io::Read::take(table, LINE).read_until(b'\n', &mut line)?;
    if line.len() as u64 == LINE {
        return Err(bad(path, "a line that is too long"));
    }
    Ok(line)
}

fn bad(path: &Path, what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}: {what}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> (tempfile::TempDir, Vendors) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vendors");
        std::fs::write(&file, text).unwrap();
        (dir, Vendors::new(file))
    }

    fn mac(text: &str) -> Mac {
        text.parse().unwrap()
    }

    #[test]
    fn every_line_of_the_table_is_found() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../openwrt/mqttguard-vendors/files/vendors");
        let text = std::fs::read_to_string(&file).unwrap();
        let vendors = Vendors::new(file);
        let lines: Vec<(&str, &str)> = text
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .collect();
        assert!(lines.is_sorted() && lines.len() > 30_000, "{}", lines.len());
        let some = lines
            .iter()
            .step_by(97)
            .chain(lines.first())
            .chain(lines.last());
        for &(prefix, name) in
            some.filter(|(prefix, _)| u8::from_str_radix(&prefix[..2], 16).unwrap() & 3 == 0)
        {
            let digits = format!("{prefix:0<12}");
            let octets: Vec<&str> = (0..6).map(|at| &digits[2 * at..2 * at + 2]).collect();
            assert_eq!(
                vendors.find(mac(&octets.join(":"))).unwrap().as_deref(),
                Some(name)
            );
        }
    }

    #[test]
    fn blocks_of_either_size_and_what_is_between_them() {
        let (_dir, vendors) =
            table("000001 First\n0055da0 Small A\n0055daf Small B\n00ffff Last\n");
        for (address, expected) in [
            ("00:00:01:ff:ff:ff", Some("First")),
            ("00:55:da:0f:00:00", Some("Small A")),
            ("00:55:da:f0:00:00", Some("Small B")),
            ("00:55:da:10:00:00", None),
            ("00:ff:ff:00:00:00", Some("Last")),
            ("00:00:00:00:00:00", None),
            ("fc:00:00:00:00:00", None),
            ("02:00:01:00:00:00", None),
        ] {
            assert_eq!(
                vendors.find(mac(address)).unwrap().as_deref(),
                expected,
                "{address}"
            );
        }
    }

    #[test]
    fn makers_are_remembered_by_their_blocks() {
        let (dir, vendors) = table("0055da0 Small A\n0055daf Small B\na4cf12 Espressif\n");
        let makers = Makers::new(vendors.file);
        let ask = |address| makers.maker(mac(address));
        let all = [
            "00:55:da:0f:00:00",
            "00:55:da:f0:00:00",
            "a4:cf:12:00:00:01",
            "00:00:00:00:00:01",
        ];
        let expected = [Some("Small A"), Some("Small B"), Some("Espressif"), None];
        assert_eq!(all.map(ask).each_ref().map(Option::as_deref), expected);
        drop(dir);
        assert_eq!(all.map(ask).each_ref().map(Option::as_deref), expected);
    }

    #[test]
    fn a_file_that_is_something_else_is_an_error() {
        for text in ["no-space\n", &"x".repeat(1000)] {
            assert!(table(text).1.find(mac("00:00:01:00:00:00")).is_err());
        }
        assert_eq!(table("").1.find(mac("00:00:01:00:00:00")).unwrap(), None);
        assert!(
            Vendors::new("/nowhere")
                .find(mac("00:00:01:00:00:00"))
                .is_err()
        );
    }
}
