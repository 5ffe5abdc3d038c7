use std::fmt;

/// How a call ended: `enum ubus_msg_status` of libubus's `ubusmsg.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 1: the bus did not understand the message.
    InvalidCommand,
    /// 2: an argument is missing, of the wrong type or out of range.
    InvalidArgument,
    /// 3: the object has no such method.
    MethodNotFound,
    /// 4: no such object, or no such thing as the arguments name.
    NotFound,
    /// 5: nothing to answer with.
    NoData,
    /// 6: the caller may not do that.
    PermissionDenied,
    /// 7: no answer in time.
    Timeout,
    /// 8: not possible here.
    NotSupported,
    /// 9: the method failed.
    UnknownError,
    /// 10: the connection failed.
    ConnectionFailed,
    /// 11: too much to hold, or to put into one message.
    NoMemory,
    /// 12: something could not be parsed.
    ParseError,
    /// 13: the operating system refused.
    SystemError,
    /// A number that libubus did not define when this was written.
    Other(i32),
}

impl Status {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        match self {
            Status::InvalidCommand => 1,
            Status::InvalidArgument => 2,
            Status::MethodNotFound => 3,
            Status::NotFound => 4,
            Status::NoData => 5,
            Status::PermissionDenied => 6,
            Status::Timeout => 7,
            Status::NotSupported => 8,
            Status::UnknownError => 9,
            Status::ConnectionFailed => 10,
            Status::NoMemory => 11,
            Status::ParseError => 12,
            Status::SystemError => 13,
            Status::Other(code) => code,
        }
    }

    /// The status behind a number other than 0, which is success.
    pub const fn from_code(code: i32) -> Status {
        match code {
            1 => Status::InvalidCommand,
            2 => Status::InvalidArgument,
            3 => Status::MethodNotFound,
            4 => Status::NotFound,
            5 => Status::NoData,
            6 => Status::PermissionDenied,
            7 => Status::Timeout,
            8 => Status::NotSupported,
            9 => Status::UnknownError,
            10 => Status::ConnectionFailed,
            11 => Status::NoMemory,
            12 => Status::ParseError,
            13 => Status::SystemError,
            code => Status::Other(code),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::InvalidCommand => "invalid command",
            Status::InvalidArgument => "invalid argument",
            Status::MethodNotFound => "method not found",
            Status::NotFound => "not found",
            Status::NoData => "no data",
            Status::PermissionDenied => "permission denied",
            Status::Timeout => "timed out",
            Status::NotSupported => "not supported",
            Status::UnknownError => "failed",
            Status::ConnectionFailed => "connection failed",
            Status::NoMemory => "too large",
            Status::ParseError => "cannot be parsed",
            Status::SystemError => "system error",
            Status::Other(code) => return write!(f, "status {code}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_both_ways() {
        for code in 1..=14 {
            assert_eq!(Status::from_code(code).code(), code);
        }
        assert_eq!(Status::from_code(14), Status::Other(14));
    }
}
