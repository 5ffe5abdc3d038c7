use std::io;

/// `enum bpf_cmd` and `enum bpf_attach_type` (linux/bpf.h).
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_TCX_INGRESS: u32 = 46;

/// The most programs that the kernel lets stand at one TCX hook (BPF_MPROG_MAX).
const MOST: usize = 64;

/// The part of `union bpf_attr` that BPF_PROG_QUERY reads and writes.
#[repr(C)]
#[derive(Default)]
struct Query {
    target_ifindex: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    zero: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// The identifiers of the programs at an interface's TCX ingress hook, in the order in which they
/// run. Unlike the programs themselves, the kernel tells these to who may administer the network.
///
/// # Errors
///
/// There is no such interface, or the kernel (before 6.6) knows no TCX.
pub(super) fn ingress(index: u32) -> io::Result<Vec<u32>> {
    let mut ids = vec![0u32; MOST];
    let mut query = Query {
        target_ifindex: index,
        attach_type: BPF_TCX_INGRESS,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: MOST as u32,
        ..Query::default()
    };
    // SAFETY: the attributes are as linux/bpf.h lays them out; the kernel writes at most `prog_cnt`
    // identifiers to `ids`, which outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_QUERY,
            &raw mut query,
            size_of::<Query>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    ids.truncate(query.prog_cnt as usize);
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert!(ingress(u32::MAX).is_err());
    }
}
