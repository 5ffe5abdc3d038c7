//! mqttguard's kernel program: parse, decide, count, tell. See [`decide`] for the order of
//! decisions.
//!
//! Two programs share it: `mqttguard_xdp` for XDP, `mqttguard_tc` for a TC ingress hook
//! (clsact or TCX).
//!
//! It runs on kernels from 5.10 on, with or without BTF of their own: no CO-RE, no kfuncs, no
//! perf event arrays. Everything is inlined into the two programs, because some 32-bit JIT
//! compilers know no calls between BPF functions. Nor do some know atomic instructions: the
//! daemon says by [`bucket`] whether this kernel's does, and the verifier removes them where not.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod binding;
mod bucket;
mod decide;
mod flow;
mod frame;
mod header;
mod maps;
mod mqtt;
mod packet;
mod processor;
mod reject;
mod request;
mod subject;
mod websocket;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

use crate::decide::{Verdict, decide};
use crate::frame::Frame;

/// XDP: frames as the driver receives them.
#[xdp]
#[inline(always)]
pub(crate) fn mqttguard_xdp(context: XdpContext) -> u32 {
    match decide(&Frame::of_xdp(&context)) {
        Verdict::Pass => XDP_PASS,
        Verdict::Drop => XDP_DROP,
        Verdict::Reject(reset) => reset.over_xdp(&context),
    }
}

/// TC ingress: frames as socket buffers. Passing is "unspecified", so that filters of others on
/// the same hook have their say too.
#[classifier]
#[inline(always)]
pub(crate) fn mqttguard_tc(context: TcContext) -> i32 {
    match decide(&Frame::of_skb(&context)) {
        Verdict::Pass => TC_ACT_UNSPEC,
        Verdict::Drop => TC_ACT_SHOT as i32,
        Verdict::Reject(reset) => reset.over_skb(&context),
    }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
