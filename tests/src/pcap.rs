//! Frames in a file that Wireshark opens.

use std::fs;
use std::io;
use std::path::Path;

/// Ethernet (LINKTYPE_ETHERNET).
const ETHERNET: u32 = 1;

/// Writes frames in the classic pcap format, all at the time 0.
///
/// # Errors
///
/// The file cannot be written.
pub fn write(path: &Path, frames: &[&[u8]]) -> io::Result<()> {
    let mut file = Vec::new();
    // Magic, version 2.4, time zone, accuracy, longest frame, kind of link.
    file.extend(0xa1b2_c3d4u32.to_le_bytes());
    file.extend(2u16.to_le_bytes());
    file.extend(4u16.to_le_bytes());
    file.extend([0; 8]);
    file.extend(65_535u32.to_le_bytes());
    file.extend(ETHERNET.to_le_bytes());
    for frame in frames {
        let length = (frame.len() as u32).to_le_bytes();
        file.extend([0; 8]);
        file.extend(length);
        file.extend(length);
        file.extend(*frame);
    }
    fs::write(path, file)
}
