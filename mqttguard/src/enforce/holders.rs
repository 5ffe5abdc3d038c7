//! Which programs the kernel has at a hook: ours, and other people's.

use aya::programs::loaded_programs;

use super::filters;
use super::kind::{Kind, TC_HANDLE, TC_PRIORITY};
use super::links::Link;
use super::{object, tcx};

/// What is at the hook that the program is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Our program; and those that have their say before it, in words.
    Ours(Vec<String>),
    /// Not our program any more; whose, in words, if any.
    Lost(Option<String>),
    /// The kernel does not say.
    Unknown,
}

/// Asks the kernel what is at a hook where `ours` should be.
pub(super) fn hold(link: &Link, kind: Kind, ours: u32) -> Hold {
    match kind {
        Kind::Xdp => only(link.native_xdp, ours),
        Kind::XdpGeneric => only(link.generic_xdp, ours),
        Kind::Tcx => {
            let Ok(programs) = tcx::ingress(link.index) else {
                return Hold::Unknown;
            };
            match programs.iter().position(|id| *id == ours) {
                Some(place) => {
                    let before = programs.into_iter().take(place);
                    Hold::Ours(before.map(program).collect())
                }
                None => Hold::Lost(None),
            }
        }
        Kind::Tc => {
            let Ok(filters) = filters::ingress(link.index) else {
                return Hold::Unknown;
            };
            let is_here = |filter: &&filters::Filter| {
                filter.priority == TC_PRIORITY && filter.handle == u32::from(TC_HANDLE)
            };
            match filters.iter().find(is_here) {
                Some(filter) if filter.program == Some(ours) => {
                    let before = filters.iter().take_while(|filter| !is_here(filter));
                    Hold::Ours(before.map(filter_words).collect())
                }
                Some(other) => Hold::Lost(Some(filter_words(other))),
                None => Hold::Lost(None),
            }
        }
    }
}

fn only(found: Option<u32>, ours: u32) -> Hold {
    match found {
        Some(id) if id == ours => Hold::Ours(Vec::new()),
        found => Hold::Lost(found.map(program)),
    }
}

/// The program, in words, that keeps us from an interface's XDP hook.
pub(super) fn xdp_holder(link: &Link) -> Option<String> {
    link.native_xdp.or(link.generic_xdp).map(program)
}

/// The filter, in words, that stands where ours would and is not one of mqttguard's.
pub(super) fn tc_holder(link: &Link) -> Option<String> {
    filters::ingress(link.index)
        .ok()?
        .iter()
        .find_map(|filter| {
            let is_here = filter.priority == TC_PRIORITY && filter.handle == u32::from(TC_HANDLE);
            // aya gives a filter its program's name.
            (is_here && filter.name != object::TC).then(|| filter_words(filter))
        })
}

/// A program by its identifier, in words. Its name is known to who may administer the machine.
fn program(id: u32) -> String {
    let found = loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id);
    words(id, found.as_ref().and_then(|program| program.name_as_str()))
}

fn words(id: u32, name: Option<&str>) -> String {
    match name {
        Some(name) if !name.is_empty() => format!("program {id} '{name}'"),
        _ => format!("program {id}"),
    }
}

fn filter_words(filter: &filters::Filter) -> String {
    let mut words = format!("the {} filter of priority {}", filter.kind, filter.priority);
    if let Some(id) = filter.program {
        words.push_str(&format!(" (program {id} '{}')", filter.name));
    }
    words
}
