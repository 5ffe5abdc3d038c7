//! ADB, the binary format of apk-tools 3: a tree of values in one block, then signatures, then
//! data. `doc/apk-v3.5.scd` and `src/adb.h` of apk-tools describe it.

use std::io::Write;

use anyhow::{Result, ensure};
use flate2::Compression;
use flate2::write::DeflateEncoder;

/// What a value of the tree is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Int(u64),
    Blob(Vec<u8>),
    /// Fields by their number, from 1; or the items of an array.
    Object(Vec<Value>),
    Array(Vec<Value>),
}

impl Value {
    /// A string; null when it is empty, as apk has it.
    pub(super) fn text(text: &str) -> Value {
        Value::Blob(text.as_bytes().to_vec())
    }

    /// An object with some fields set.
    pub(super) fn object<const N: usize>(fields: [(usize, Value); N]) -> Value {
        let length = fields.iter().map(|(number, _)| *number).max().unwrap_or(0);
        let mut slots = vec![Value::Null; length];
        for (number, value) in fields {
            if let Some(slot) = number.checked_sub(1).and_then(|at| slots.get_mut(at)) {
                *slot = value;
            }
        }
        Value::Object(slots)
    }
}

/// What a tree describes: the first four bytes behind the magic.
#[derive(Debug, Clone, Copy)]
pub(super) enum Schema {
    Package,
    Index,
}

impl Schema {
    pub(super) const fn bytes(self) -> &'static [u8; 4] {
        match self {
            Schema::Package => b"pckg",
            Schema::Index => b"indx",
        }
    }
}

/// Types of a value, in its four highest bits.
const INT: u32 = 0x1;
const INT_32: u32 = 0x2;
const INT_64: u32 = 0x3;
const BLOB_8: u32 = 0x8;
const BLOB_16: u32 = 0x9;
const BLOB_32: u32 = 0xa;
const ARRAY: u32 = 0xd;
const OBJECT: u32 = 0xe;

/// The tree of `root` as the contents of an ADB block.
pub(super) fn tree(root: &Value) -> Result<Vec<u8>> {
    // Both versions of the format are 0; the root's place is known at the end.
    let mut bytes = vec![0; 8];
    let root = write(&mut bytes, root)?.to_le_bytes();
    if let Some(place) = bytes.get_mut(4..8) {
        place.copy_from_slice(&root);
    }
    Ok(bytes)
}

/// Writes a value; gives the word that stands for it.
fn write(to: &mut Vec<u8>, value: &Value) -> Result<u32> {
    match value {
        Value::Null => Ok(0),
        Value::Int(int) => match u32::try_from(*int) {
            Ok(int) if int < 1 << 28 => Ok(INT << 28 | int),
            Ok(int) => put(to, INT_32, 4, &[&int.to_le_bytes()]),
            Err(_) => put(to, INT_64, 4, &[&int.to_le_bytes()]),
        },
        Value::Blob(blob) if blob.is_empty() => Ok(0),
        Value::Blob(blob) => {
            let length = u32::try_from(blob.len())?.to_le_bytes();
            let [low, high, _, _] = length;
            match blob.len() {
                0..=0xff => put(to, BLOB_8, 1, &[&[low], blob]),
                0x100..=0xffff => put(to, BLOB_16, 2, &[&[low, high], blob]),
                _ => put(to, BLOB_32, 4, &[&length, blob]),
            }
        }
        Value::Object(slots) => slots_of(to, OBJECT, slots),
        Value::Array(slots) => slots_of(to, ARRAY, slots),
    }
}

fn slots_of(to: &mut Vec<u8>, kind: u32, slots: &[Value]) -> Result<u32> {
    let mut words = Vec::with_capacity(slots.len());
    for value in slots {
        words.push(write(to, value)?);
    }
    while words.last() == Some(&0) {
        words.pop();
    }
    if words.is_empty() {
        return Ok(0);
    }
    let count = u32::try_from(words.len() + 1)?;
    let bytes: Vec<u8> = std::iter::once(count)
        .chain(words)
        .flat_map(u32::to_le_bytes)
        .collect();
    put(to, kind, 4, &[&bytes])
}

fn put(to: &mut Vec<u8>, kind: u32, alignment: usize, parts: &[&[u8]]) -> Result<u32> {
    to.resize(to.len().next_multiple_of(alignment), 0);
    let place = u32::try_from(to.len())?;
    ensure!(place < 1 << 28, "more than apk can refer to");
    for part in parts {
        to.extend_from_slice(part);
    }
    Ok(kind << 28 | place)
}

/// Kinds of a block.
#[derive(Clone, Copy)]
enum Block {
    Adb = 0,
    Signature = 1,
    Data = 2,
}

/// A file of a tree and the blocks behind it, compressed.
pub(super) struct Container {
    bytes: Vec<u8>,
}

impl Container {
    pub(super) fn new(schema: Schema, tree: &[u8]) -> Result<Self> {
        let mut bytes = b"ADB.".to_vec();
        bytes.extend_from_slice(schema.bytes());
        let mut container = Container { bytes };
        container.block(Block::Adb, &[tree])?;
        Ok(container)
    }

    /// Appends a signature of the tree.
    pub(super) fn signature(&mut self, signature: &[u8]) -> Result<()> {
        self.block(Block::Signature, &[signature])
    }

    /// Appends the bytes of file `file` of directory `path`, both counted from 1.
    pub(super) fn data(&mut self, path: usize, file: usize, bytes: &[u8]) -> Result<()> {
        let (path, file) = (u32::try_from(path)?, u32::try_from(file)?);
        self.block(
            Block::Data,
            &[&path.to_le_bytes(), &file.to_le_bytes(), bytes],
        )
    }

    fn block(&mut self, kind: Block, parts: &[&[u8]]) -> Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let size = u32::try_from(length + 4)?;
        ensure!(size < 1 << 30, "a block larger than a GiB");
        let word = (kind as u32) << 30 | size;
        self.bytes.extend_from_slice(&word.to_le_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        Ok(())
    }

    /// The file.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        let mut deflate = DeflateEncoder::new(b"ADBd".to_vec(), Compression::best());
        deflate.write_all(&self.bytes)?;
        Ok(deflate.finish()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, after apk's `adb.c`.
    #[test]
    fn a_tree_is_laid_out_as_apk_reads_it() {
        let root = Value::object([
            (1, Value::text("ab")),
            (3, Value::Int(0o755)),
            (4, Value::Int(1 << 30)),
            (5, Value::text("")),
            (6, Value::Array(Vec::new())),
        ]);
        let bytes = tree(&root).unwrap();
        assert_eq!(bytes[8..16], [2, b'a', b'b', 0, 0, 0, 0, 0x40]);
        let object = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
        assert_eq!(object, 0xe000_0010);
        let words: Vec<u32> = bytes[16..]
            .chunks(4)
            .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
            .collect();
        // Trailing nulls are left out.
        assert_eq!(words, [5, 0x8000_0008, 0, 0x1000_01ed, 0x2000_000c]);
    }

    #[test]
    fn blocks_are_padded_to_eight_bytes() {
        let mut container = Container::new(Schema::Index, &[1; 8]).unwrap();
        container.data(1, 2, b"xyz").unwrap();
        let bytes = container.bytes;
        assert_eq!(&bytes[..8], b"ADB.indx");
        assert_eq!(&bytes[8..12], &[12, 0, 0, 0]);
        assert_eq!(&bytes[24..28], &[15, 0, 0, 0x80]);
        assert_eq!(
            &bytes[28..40],
            &[1, 0, 0, 0, 2, 0, 0, 0, b'x', b'y', b'z', 0]
        );
        assert_eq!(bytes.len(), 40);
    }
}
