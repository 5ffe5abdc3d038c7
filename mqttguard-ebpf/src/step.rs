//! How a program ends, and which are there to go on.

/// The programs that a frame is handed on to, by their index in the arrays of a hook.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    /// [`stream::read_request`](crate::stream::read_request).
    Request = 0,
    /// [`stream::read_frames`](crate::stream::read_frames).
    Frames = 1,
    /// [`tell::tell`](crate::tell::tell).
    Tell = 2,
}

impl Program {
    /// Room in an array of them.
    pub(crate) const COUNT: u32 = 3;
}

/// What a program has come to.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Pass,
    Drop,
    /// The packet is to be read on by this program. If that fails, it is [`Step::Unread`].
    Read(Program),
    /// It cannot be read, which is a reason to drop it: an honest sender repeats it.
    Unread,
    /// There is something to tell, or to answer. The verdict if that fails: whether it is dropped.
    Tell(bool),
}
