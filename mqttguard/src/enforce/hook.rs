use std::fs;
use std::io;
use std::path::Path;

use aya::programs::links::{FdLink, LinkError, PinnedLink};
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcError, qdisc_add_clsact,
};
use aya::programs::xdp::{XdpError, XdpLink};
use aya::programs::{LinkOrder, ProgramError, TcAttachType, XdpMode};

use super::holders::tc_holder;
use super::kind::{Kind, TC_HANDLE, TC_PRIORITY};
use super::links::Link;
use super::object::Object;

/// How an attachment came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    Fresh,
    /// A predecessor's, whose program was replaced in one step.
    TakenOver,
}

/// An interface's native XDP, held for our program by one that does nothing. Dropped, it is free.
pub(super) struct Reserved(FdLink);

/// Holds native XDP for our program, which the kernel is still to verify: whether the driver has it
/// at all, and whether it is free, shows only when something is attached.
pub(super) fn reserve(object: &mut Object, link: &Link) -> Result<Reserved, HookError> {
    let program = object.nothing().map_err(HookError::new)?;
    let id = program.attach_to_if_index(link.index, XdpMode::Driver)?;
    let held = program.take_link(id)?.try_into().map_err(HookError::new)?;
    Ok(Reserved(held))
}

/// Attaches and pins, so that it stands when this process is gone; or replaces the program of a
/// predecessor's attachment, or what holds the place.
pub(super) fn attach(
    object: &mut Object,
    dir: &Path,
    link: &Link,
    kind: Kind,
    reserved: Option<Reserved>,
) -> Result<Attached, HookError> {
    let pin = kind.pin(dir, link.index);
    match kind {
        Kind::Xdp => match reserved {
            Some(reserved) => take_place(object, &pin, reserved),
            None => attach_xdp(object, &pin, link, XdpMode::Driver),
        },
        Kind::XdpGeneric => attach_xdp(object, &pin, link, XdpMode::Skb),
        Kind::Tcx => attach_tcx(object, &pin, link),
        Kind::Tc => attach_tc(object, &pin, link),
    }
}

fn take_place(
    object: &mut Object,
    pin: &Path,
    Reserved(held): Reserved,
) -> Result<Attached, HookError> {
    let program = object.xdp().map_err(HookError::new)?;
    let id = program.attach_to_link(XdpLink::try_from(held).map_err(HookError::new)?)?;
    let ours: FdLink = program.take_link(id)?.try_into().map_err(HookError::new)?;
    ours.pin(pin).map_err(HookError::new)?;
    Ok(Attached::Fresh)
}

fn attach_xdp(
    object: &mut Object,
    pin: &Path,
    link: &Link,
    mode: XdpMode,
) -> Result<Attached, HookError> {
    let program = object.xdp().map_err(HookError::new)?;
    if let Some(old) = predecessor(pin) {
        let taken = XdpLink::try_from(old)
            .map_err(HookError::new)
            .and_then(|old| Ok(program.attach_to_link(old)?));
        match taken {
            Ok(id) => {
                drop(program.take_link(id)?);
                return Ok(Attached::TakenOver);
            }
            Err(_) => unpin(pin)?,
        }
    }
    let id = program.attach_to_if_index(link.index, mode)?;
    let fresh: FdLink = program.take_link(id)?.try_into().map_err(HookError::new)?;
    fresh.pin(pin).map_err(HookError::new)?;
    Ok(Attached::Fresh)
}

fn attach_tcx(object: &mut Object, pin: &Path, link: &Link) -> Result<Attached, HookError> {
    let program = object.tc().map_err(HookError::new)?;
    if let Some(old) = predecessor(pin) {
        let taken = SchedClassifierLink::try_from(old)
            .map_err(HookError::new)
            .and_then(|old| Ok(program.attach_to_link(old)?));
        match taken {
            Ok(id) => {
                drop(program.take_link(id)?);
                return Ok(Attached::TakenOver);
            }
            Err(_) => unpin(pin)?,
        }
    }
    let id = program.attach_with_options(
        &link.name,
        TcAttachType::Ingress,
        TcAttachOptions::TcxOrder(LinkOrder::first()),
    )?;
    let fresh: FdLink = program.take_link(id)?.try_into().map_err(HookError::new)?;
    fresh.pin(pin).map_err(HookError::new)?;
    Ok(Attached::Fresh)
}

/// A filter of the classic kind has no link to pin: it holds its program itself. The program is
/// pinned as a note that there is one.
fn attach_tc(object: &mut Object, pin: &Path, link: &Link) -> Result<Attached, HookError> {
    let program = object.tc().map_err(HookError::new)?;
    if tc_holder(link).is_some() {
        return Err(HookError::busy());
    }
    let replaced = filter(link)?;
    let (id, attached) = match program.attach_to_link(replaced) {
        Ok(id) => (id, Attached::TakenOver),
        Err(_) => {
            match qdisc_add_clsact(&link.name) {
                Ok(()) | Err(TcError::AlreadyAttached) => {}
                Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {
                }
                Err(error) => return Err(ProgramError::from(error).into()),
            }
            let options = NlOptions {
                priority: TC_PRIORITY,
                handle: TC_HANDLE,
                classid: None,
            };
            let id = program.attach_with_options(
                &link.name,
                TcAttachType::Ingress,
                TcAttachOptions::Netlink(options),
            )?;
            (id, Attached::Fresh)
        }
    };
    // Dropped, it would take the filter away.
    std::mem::forget(program.take_link(id)?);
    unpin(pin)?;
    program.pin(pin).map_err(HookError::new)?;
    Ok(attached)
}

/// Detaches from an interface, which may be gone already (None).
pub(super) fn detach(
    dir: &Path,
    index: u32,
    link: Option<&Link>,
    kind: Kind,
) -> Result<(), HookError> {
    if let (Kind::Tc, Some(link)) = (kind, link) {
        use aya::programs::links::Link as _;
        if tc_holder(link).is_some() {
            return unpin(&kind.pin(dir, index));
        }
        match filter(link)?.detach() {
            Ok(()) => {}
            Err(error) if os_error(&error) == Some(libc::ENOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    unpin(&kind.pin(dir, index))
}

/// Detaches everything that is pinned and that `keep` does not want.
pub(super) fn detach_all_but(dir: &Path, links: &[Link], keep: impl Fn(Kind, u32) -> bool) {
    for (kind, index) in pinned(dir) {
        if keep(kind, index) {
            continue;
        }
        let link = links.iter().find(|link| link.index == index);
        if let Err(error) = detach(dir, index, link, kind) {
            log::warn!("detaching {} from interface {index}: {error}", kind.name());
        }
    }
}

/// The attachments that are pinned, whoever made them.
pub(super) fn pinned(dir: &Path) -> Vec<(Kind, u32)> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Kind::of_pin(entry.ok()?.file_name().to_str()?))
        .collect()
}

fn filter(link: &Link) -> Result<SchedClassifierLink, HookError> {
    SchedClassifierLink::attached(
        &link.name,
        TcAttachType::Ingress,
        TC_PRIORITY,
        TC_HANDLE,
        None,
    )
    .map_err(HookError::new)
}

fn predecessor(pin: &Path) -> Option<FdLink> {
    PinnedLink::from_pin(pin).ok().map(FdLink::from)
}

/// Removes a pin, which detaches the link that was pinned.
fn unpin(pin: &Path) -> Result<(), HookError> {
    // The last one to let go of a link detaches it: the file system does so some time later, a
    // descriptor when it is closed, so that the hook is free when this returns.
    let _held = predecessor(pin);
    match fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(HookError {
            errno: error.raw_os_error(),
            text: format!("{}: {error}", pin.display()),
        }),
        _ => Ok(()),
    }
}

/// Why an interface could not be attached to.
#[derive(Debug)]
pub(super) struct HookError {
    errno: Option<i32>,
    text: String,
}

impl HookError {
    /// Whether another program is where ours would be.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.errno, Some(libc::EBUSY | libc::EEXIST))
    }

    fn busy() -> Self {
        HookError {
            errno: Some(libc::EBUSY),
            text: String::new(),
        }
    }

    fn new(error: impl std::fmt::Display) -> Self {
        HookError {
            errno: None,
            text: error.to_string(),
        }
    }
}

impl From<ProgramError> for HookError {
    fn from(error: ProgramError) -> Self {
        HookError {
            errno: os_error(&error),
            text: error.to_string(),
        }
    }
}

impl From<LinkError> for HookError {
    fn from(error: LinkError) -> Self {
        HookError::new(error)
    }
}

impl std::fmt::Display for HookError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.errno {
            Some(libc::EBUSY | libc::EEXIST) => f.write_str("another program holds the hook"),
            Some(libc::ERANGE) => f.write_str("it is full of other programs"),
            Some(libc::EOPNOTSUPP) => f.write_str("the driver does not have it"),
            Some(libc::EINVAL) => f.write_str("the kernel does not have it"),
            Some(errno) => write!(f, "{}", io::Error::from_raw_os_error(errno)),
            None => f.write_str(&self.text),
        }
    }
}

fn os_error(error: &ProgramError) -> Option<i32> {
    match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        ProgramError::NetlinkError(error)
        | ProgramError::TcError(TcError::NetlinkError(error))
        | ProgramError::XdpError(XdpError::NetlinkError(error)) => error.raw_os_error(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_tell_kind_and_interface() {
        for kind in Kind::ALL {
            let pin = kind.pin(Path::new("/x"), 17);
            let name = pin.file_name().unwrap().to_str().unwrap();
            assert!(!name.contains('.'));
            assert_eq!(Kind::of_pin(name), Some((kind, 17)));
        }
        for name in ["", "xdp", "xdp-", "xdp-x", "qdisc-3"] {
            assert_eq!(Kind::of_pin(name), None, "{name}");
        }
    }
}
