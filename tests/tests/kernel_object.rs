//! What the kernel program's object is made of.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an object that cannot be read has failed"
)]

use mqttguard::enforce::object::OBJECT;

/// A section of an ELF file of 64 bits in this machine's byte order.
fn section<'a>(elf: &'a [u8], wanted: &str) -> &'a [u8] {
    let short = |at: usize| u16::from_ne_bytes(elf[at..at + 2].try_into().unwrap());
    let word = |at: usize| u32::from_ne_bytes(elf[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_ne_bytes(elf[at..at + 8].try_into().unwrap()) as usize;
    // e_shoff, e_shentsize, e_shnum, e_shstrndx; then sh_name, sh_offset and sh_size of each.
    let header = |index: u16| long(0x28) + usize::from(index) * usize::from(short(0x3a));
    let names = long(header(short(0x3e)) + 0x18);
    let found = (0..short(0x3c)).map(header).find(|header| {
        let name = &elf[names + word(*header) as usize..];
        name.starts_with(wanted.as_bytes()) && name[wanted.len()] == 0
    });
    let header = found.unwrap();
    &elf[long(header + 0x18)..][..long(header + 0x20)]
}

/// Some 32-bit JIT compilers know no calls between BPF functions; helpers are called in another
/// way.
#[test]
fn no_function_calls_another() {
    // BPF_JMP | BPF_CALL; BPF_PSEUDO_CALL stands where a source register would.
    const CALL: u8 = 0x85;
    let is_call = |instruction: &[u8]| {
        let source = match cfg!(target_endian = "big") {
            true => instruction[1] & 0xf,
            false => instruction[1] >> 4,
        };
        instruction[0] == CALL && source == 1
    };
    for program in ["xdp", "classifier"] {
        let code = section(OBJECT, program);
        assert!(code.len() > 8_000, "{program}: {} bytes", code.len());
        let calls = code.chunks(8).filter(|instruction| is_call(instruction));
        assert_eq!(calls.count(), 0, "{program}");
    }
}
