//! How a push goes: what each step is for, and what happens next.

use std::fmt;

use serde_json::Value;

use crate::coded::Coded;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// To find out what the device is.
    AskWhat,
    /// To find out the version, and with it what the device is.
    AskVersion,
    /// To find out whether its build has TLS.
    AskTls,
    /// To see its settings of MQTT.
    Look,
    /// To give it the router's certificate.
    StoreCa,
    /// To set broker and login.
    Set,
    /// To see whether it has them.
    ReadBack,
    /// To restart it.
    Restart,
}

impl Task {
    pub(crate) const ALL: [Task; 8] = [
        Task::AskWhat,
        Task::AskVersion,
        Task::AskTls,
        Task::Look,
        Task::StoreCa,
        Task::Set,
        Task::ReadBack,
        Task::Restart,
    ];
}

impl Coded for Task {
    fn code(&self) -> &'static str {
        match self {
            Task::AskWhat => "ask-what",
            Task::AskVersion => "ask-version",
            Task::AskTls => "ask-tls",
            Task::Look => "look",
            Task::StoreCa => "store-ca",
            Task::Set => "set",
            Task::ReadBack => "read-back",
            Task::Restart => "restart",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::AskWhat => "ask what it is",
            Task::AskVersion => "ask which version it is",
            Task::AskTls => "ask whether its build has TLS",
            Task::Look => "look at its settings of MQTT",
            Task::StoreCa => "store the router's CA certificate",
            Task::Set => "set the broker and the login",
            Task::ReadBack => "read the settings back",
            Task::Restart => "restart it",
        })
    }
}

/// What happens after a push that worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: it was a dry run.
    DryRun,
    /// It connects within ten seconds.
    ConnectsSoon,
    /// It connects within a minute.
    Connects,
    /// It restarts first.
    Restarts,
}

impl Next {
    pub(crate) const ALL: [Next; 4] = [
        Next::DryRun,
        Next::ConnectsSoon,
        Next::Connects,
        Next::Restarts,
    ];
}

impl Coded for Next {
    fn code(&self) -> &'static str {
        match self {
            Next::DryRun => "dry-run",
            Next::ConnectsSoon => "connects-soon",
            Next::Connects => "connects",
            Next::Restarts => "restarts",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Next::DryRun => "nothing was set: this was a dry run",
            Next::ConnectsSoon => "it connects again within ten seconds",
            Next::Connects => "it connects within a minute",
            Next::Restarts => "it restarts and connects within a minute",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let source = include_str!("outcome.rs");
        let coded = |codes: Vec<&str>| codes.into_iter().map(str::to_owned).collect();
        let tasks = Task::ALL.iter().map(Coded::code).collect();
        assert_eq!(codes_of(source, "impl Coded for Task"), coded(tasks));
        let nexts = Next::ALL.iter().map(Coded::code).collect();
        assert_eq!(codes_of(source, "impl Coded for Next"), coded(nexts));
    }
}
