//! mqttguard's kernel program: parse, decide, count, tell. See [`decide`] for the order of
//! decisions.
//!
//! It is there twice: `mqttguard_xdp` for XDP, `mqttguard_tc` for a TC ingress hook (clsact or
//! TCX). What seldom happens is in programs of their own, which these hand a frame on to by a tail
//! call: see [`case`].
//!
//! It runs on kernels from 5.10 on, with or without BTF of their own: no CO-RE, no kfuncs, no
//! perf event arrays. Everything is inlined into the programs, because some 32-bit JIT
//! compilers know no calls between BPF functions. Nor do some know atomic instructions: the
//! daemon says by [`bucket`] whether this kernel's does, and the verifier removes them where not.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod binding;
mod bucket;
mod case;
mod cell;
mod connect;
mod decide;
mod destination;
mod finding;
mod flow;
mod frame;
mod header;
mod maps;
mod mqtt;
mod packet;
mod processor;
mod reason;
mod reject;
mod request;
mod step;
mod stream;
mod subject;
mod tell;
mod verdict;
mod websocket;

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_PASS};
use aya_ebpf::bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

use crate::decide::decide;
use crate::frame::Frame;
use crate::maps::{TC_CALLS, XDP_CALLS};
use crate::step::{Program, Step};
use crate::tell::{Told, tell};

/// XDP: frames as the driver receives them.
#[xdp]
#[inline(always)]
pub(crate) fn mqttguard_xdp(context: XdpContext) -> u32 {
    xdp(&context, decide(&Frame::of_xdp(&context)))
}

/// Reads a request that may ask for a WebSocket with MQTT.
#[xdp]
#[inline(always)]
pub(crate) fn xdp_request(context: XdpContext) -> u32 {
    xdp(&context, stream::read_request(&Frame::of_xdp(&context)))
}

/// Reads what may be the first message in a WebSocket.
#[xdp]
#[inline(always)]
pub(crate) fn xdp_frames(context: XdpContext) -> u32 {
    xdp(&context, stream::read_frames(&Frame::of_xdp(&context)))
}

/// Tells the daemon, and answers.
#[xdp]
#[inline(always)]
pub(crate) fn xdp_tell(context: XdpContext) -> u32 {
    match tell(&Frame::of_xdp(&context)) {
        Told::Pass => XDP_PASS,
        Told::Drop => XDP_DROP,
        Told::Answer(reset) => reset.over_xdp(&context),
    }
}

/// Holds the place of the XDP program while the kernel verifies that: whether a driver has native XDP
/// at all shows only when something is attached.
#[xdp]
#[inline(always)]
pub(crate) fn xdp_nothing(_context: XdpContext) -> u32 {
    XDP_PASS
}

#[inline(always)]
fn xdp(context: &XdpContext, step: Step) -> u32 {
    match step {
        Step::Pass => XDP_PASS,
        Step::Drop => XDP_DROP,
        Step::Read(program) => {
            match program {
                Program::Frames => call_xdp(context, Program::Frames),
                _ => call_xdp(context, Program::Request),
            }
            xdp_unread(context)
        }
        Step::Unread => xdp_unread(context),
        Step::Tell(drops) => {
            call_xdp(context, Program::Tell);
            if drops { XDP_DROP } else { XDP_PASS }
        }
    }
}

/// Goes on there. It returns only if that fails: the array has lost its programs, which a
/// program sees that was replaced a moment ago, or there were too many calls.
#[inline(always)]
fn call_xdp(context: &XdpContext, program: Program) {
    // SAFETY: nothing is left behind that would have to be dropped.
    unsafe { XDP_CALLS.tail_call(context, program as u32) };
}

/// The frame is made anew: kept until here, it would cost the verifier half as much again.
#[inline(always)]
fn xdp_unread(context: &XdpContext) -> u32 {
    if stream::is_unread_dropped(&Frame::of_xdp(context)) {
        XDP_DROP
    } else {
        XDP_PASS
    }
}

/// TC ingress: frames as socket buffers. Passing is "unspecified", so that filters of others on
/// the same hook have their say too.
#[classifier]
#[inline(always)]
pub(crate) fn mqttguard_tc(context: TcContext) -> i32 {
    let frame = Frame::of_skb(&context);
    tc(&context, &frame, decide(&frame))
}

/// As [`xdp_request`].
#[classifier]
#[inline(always)]
pub(crate) fn tc_request(context: TcContext) -> i32 {
    let frame = Frame::of_skb(&context);
    tc(&context, &frame, stream::read_request(&frame))
}

/// As [`xdp_frames`].
#[classifier]
#[inline(always)]
pub(crate) fn tc_frames(context: TcContext) -> i32 {
    let frame = Frame::of_skb(&context);
    tc(&context, &frame, stream::read_frames(&frame))
}

/// As [`xdp_tell`].
#[classifier]
#[inline(always)]
pub(crate) fn tc_tell(context: TcContext) -> i32 {
    match tell(&Frame::of_skb(&context)) {
        Told::Pass => TC_ACT_UNSPEC,
        Told::Drop => TC_ACT_SHOT as i32,
        Told::Answer(reset) => reset.over_skb(&context),
    }
}

#[inline(always)]
fn tc(context: &TcContext, frame: &Frame, step: Step) -> i32 {
    match step {
        Step::Pass => TC_ACT_UNSPEC,
        Step::Drop => TC_ACT_SHOT as i32,
        Step::Read(program) => {
            match program {
                Program::Frames => call_tc(context, Program::Frames),
                _ => call_tc(context, Program::Request),
            }
            tc_unread(frame)
        }
        Step::Unread => tc_unread(frame),
        Step::Tell(drops) => {
            call_tc(context, Program::Tell);
            if drops {
                TC_ACT_SHOT as i32
            } else {
                TC_ACT_UNSPEC
            }
        }
    }
}

/// As [`call_xdp`].
#[inline(always)]
fn call_tc(context: &TcContext, program: Program) {
    // SAFETY: as above.
    unsafe { TC_CALLS.tail_call(context, program as u32) };
}

#[inline(always)]
fn tc_unread(frame: &Frame) -> i32 {
    if stream::is_unread_dropped(frame) {
        TC_ACT_SHOT as i32
    } else {
        TC_ACT_UNSPEC
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
