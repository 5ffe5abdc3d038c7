//! What the kernel program's object is made of.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an object that cannot be read has failed"
)]

use std::os::fd::AsFd;

use mqttguard::enforce::object::{self, OBJECT};
use mqttguard_tests::bpf::{require_root, translated};

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

/// The sections with code, and the instructions in them.
fn programs() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    ["xdp", "classifier"].into_iter().flat_map(|program| {
        let code = section(OBJECT, program);
        assert!(code.len() > 8_000, "{program}: {} bytes", code.len());
        code.chunks(8)
            .map(move |instruction| (program, instruction))
    })
}

/// BPF_JMP | BPF_CALL; what is called stands in the last word.
const CALL: u8 = 0x85;

/// The register that an instruction reads.
fn source(instruction: &[u8]) -> u8 {
    match cfg!(target_endian = "big") {
        true => instruction[1] & 0xf,
        false => instruction[1] >> 4,
    }
}

/// Some 32-bit JIT compilers know no calls between BPF functions; helpers are called in another
/// way.
#[test]
fn no_function_calls_another() {
    // BPF_PSEUDO_CALL stands where a source register would.
    let calls = programs().filter(|(_, code)| code[0] == CALL && source(code) == 1);
    assert_eq!(calls.count(), 0);
}

/// Those that the program may use, all of which Linux 5.10 has.
#[test]
fn every_helper_is_one_that_5_10_has() {
    // linux/bpf.h, in the order of their numbers.
    const HELPERS: [(i32, &str); 14] = [
        (1, "map_lookup_elem"),
        (2, "map_update_elem"),
        (5, "ktime_get_ns"),
        (9, "skb_store_bytes"),
        (11, "l4_csum_replace"),
        (12, "tail_call"),
        (23, "redirect"),
        (26, "skb_load_bytes"),
        (38, "skb_change_tail"),
        (39, "skb_pull_data"),
        (65, "xdp_adjust_tail"),
        (118, "jiffies64"),
        (131, "ringbuf_reserve"),
        (132, "ringbuf_submit"),
    ];
    for (program, code) in programs().filter(|(_, code)| code[0] == CALL) {
        let helper = i32::from_ne_bytes(code[4..].try_into().unwrap());
        assert!(
            HELPERS.iter().any(|(number, _)| *number == helper),
            "{program}: helper {helper}"
        );
    }
}

/// The only atomic instruction is an addition without its result: others came with 5.12. Kernels
/// whose JIT compiler has none at all take what is loaded for them, since the verifier removes the
/// branch with it: then none is left.
#[test]
fn atomic_instructions_are_removed_for_compilers_without() {
    // BPF_STX | BPF_ATOMIC, of 32 and 64 bits; the operation is in the last word.
    let atomic = |code: &[u8]| matches!(code[0], 0xc3 | 0xdb);
    let all: Vec<_> = programs().filter(|(_, code)| atomic(code)).collect();
    assert!(
        !all.is_empty(),
        "limits are not exact on several processors"
    );
    for (program, code) in all {
        assert_eq!(code[0], 0xdb, "{program}: of 32 bits");
        assert_eq!(code[4..], [0; 4], "{program}: BPF_ADD without its result");
    }
    require_root();
    for (has_atomics, expected) in [(true, true), (false, false)] {
        let mut object = object::open_with(OBJECT, None, has_atomics).unwrap();
        object.xdp().unwrap();
        object.tc().unwrap();
        for (name, info) in object.loaded().unwrap() {
            let found = translated(info.fd().unwrap().as_fd())
                .unwrap()
                .chunks(8)
                .any(atomic);
            // Those that are called charge buckets only for strangers.
            let charges = name.starts_with("mqttguard_");
            assert!(found == expected || !charges && !found, "{name}: {found}");
        }
    }
}
