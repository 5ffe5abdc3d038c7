//! `mqttguard import`: takes the accounts of a mosquitto in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value};

use super::args::Args;
use super::output::Output;
use super::table::Table;
use super::{Command, Failure, pair, remote, text};
use crate::calendar;
use crate::files::read;
use crate::json::json;
use crate::mosquitto::passwords::{self, Account};
use crate::mosquitto::profiles::{self, Lists, Proposal};
use crate::mosquitto::{Mistake, acl};
use crate::registry::Registry;

pub(super) static COMMAND: Command = Command {
    name: "import",
    usage: "--passwords FILE [--acl FILE] [--device USER=DEVICE]... [--for TIME] \
            [--profiles | --apply] | --forget USER",
    about: "Show what accounts of mosquitto would become here; --apply takes them in: each is then \
            the credential of the first device that logs in with it, or of the named one.",
    words: 0,
    values: &["passwords", "acl", "device", "for", "forget"],
    flags: &["profiles", "apply"],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    if let Some(username) = args.text("forget")? {
        if args.text("passwords")?.is_some() {
            return Err(Failure::Usage(
                "found --forget and --passwords, expected one of them".into(),
            ));
        }
        return forget(args, &username, output);
    }
    let Some(file) = args.text("passwords")? else {
        return Err(Failure::Usage(
            "--passwords: found nothing, expected a password file of mosquitto".into(),
        ));
    };
    let (accounts, others_read) = load(&file, passwords::read)?;
    let proposal = args.text("acl")?.map(|file| -> Result<_, Failure> {
        let (acl, _) = load(&file, acl::read)?;
        let users: Vec<&str> = accounts.iter().map(|one| &*one.username).collect();
        Ok((file, profiles::propose(&acl, &users)))
    });
    let proposal = proposal.transpose()?;
    if args.flag("profiles") {
        return match &proposal {
            Some((_, proposal)) => {
                output.write(&proposal.uci)?;
                Ok(ExitCode::SUCCESS)
            }
            None => Err(Failure::Usage(
                "--profiles: found no --acl, expected the ACL file that they are made of".into(),
            )),
        };
    }
    let devices = devices(&args.texts("device")?, &accounts)?;
    let there = Profiles::ask(args)?;
    let proposal = proposal.as_ref();
    let missing = there.missing(proposal.map(|(_, proposal)| proposal));
    let apply = args.flag("apply");
    if apply && !missing.is_empty() {
        return Err(Failure::Refused(format!(
            "nothing was imported: the configuration has no profile {}. Add what 'mqttguard import \
             --profiles' prints to /etc/config/mqttguard, and 'mqttguard reload'",
            missing.join(", ")
        )));
    }
    let profile_of = |username: &str| {
        let of = proposal.and_then(|(_, proposal)| proposal.of.get(username));
        of.filter(|name| !missing.contains(name))
    };
    let mut arguments = Map::new();
    let list = accounts.iter().map(|account| {
        json!({
            "username": account.username,
            "hash": account.hash,
            "device": devices.get(&*account.username),
            "profile": profile_of(&account.username),
        })
    });
    arguments.insert("accounts".into(), list.map(without_nulls).collect());
    arguments.insert("apply".into(), apply.into());
    pair::put_time(args, &mut arguments, "for", Registry::CLAIM_TIMES)?;
    let mut reply = remote::call(args, "import", arguments.into())?;
    let ok = text::truth(&reply, "ok");
    let code = ExitCode::from(u8::from(!ok));
    let left_out = proposal.map(|(file, proposal)| told(file, &proposal.left_out));
    let left_out = left_out.unwrap_or_default();
    if args.json() {
        if let Some(reply) = reply.as_object_mut() {
            reply.insert("left_out".into(), json!(left_out));
            reply.insert("missing_profiles".into(), json!(missing));
        }
        output.json(&reply)?;
        return Ok(code);
    }
    if others_read {
        output.line(&format!(
            "{}: others than root can read it. Remove it, or take that right away (chmod 600), when \
             it is not needed any more.\n",
            text::safe(&file)
        ))?;
    }
    let of = proposal.map(|(_, proposal)| proposal);
    output.write(&plan(&reply, of, output.style))?;
    if let Some(proposal) = of {
        if !left_out.is_empty() {
            output.line("\nWhat the ACL file says otherwise:\n")?;
            for line in &left_out {
                output.line(&format!("  {}", text::safe(line)))?;
            }
        }
        for name in there.differing(proposal) {
            output.line(&format!(
                "\nThe profile {name} is in the configuration with other topics than the ACL file \
                 has; those of the configuration count."
            ))?;
        }
        if !missing.is_empty() {
            output.write(&format!(
                "\nThese sections have to be added to /etc/config/mqttguard first \
                 (--profiles prints them alone):\n\n{}\n",
                // A tab is a control character to a terminal.
                text::safe_lines(&proposal.uci.replace('\t', "    "))
            ))?;
        }
        output.line(
            "\nUnlike mosquitto, mqttguard refuses a subscription that is wider than the profile, \
             such as '#'.",
        )?;
    }
    output.write(&outcome(&reply))?;
    Ok(code)
}

fn forget(args: &Args, username: &str, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "import", json!({ "forget": username }))?;
    match args.json() {
        true => output.json(&reply)?,
        false => {
            let username = text::field(&reply, "username");
            output.line(&format!("The imported account {username} waits no longer."))?;
            output.write(&text::warning(&reply))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is in a file, and whether others than root can read it; or all that is wrong with it.
fn load<T>(file: &str, parse: fn(&str) -> Result<T, Vec<Mistake>>) -> Result<(T, bool), Failure> {
    let (content, others_read) = read(Path::new(file)).map_err(Failure::Refused)?;
    match parse(&content) {
        Ok(parsed) => Ok((parsed, others_read)),
        Err(mistakes) => Err(Failure::Refused(format!(
            "nothing was imported:\n{}",
            told(file, &mistakes).join("\n")
        ))),
    }
}

fn told(file: &str, mistakes: &[Mistake]) -> Vec<String> {
    mistakes
        .iter()
        .map(|one| format!("{file}: {one}"))
        .collect()
}

/// `USER=DEVICE`, by user name.
fn devices<'a>(
    given: &[String],
    accounts: &'a [Account],
) -> Result<BTreeMap<&'a str, String>, Failure> {
    let mut devices = BTreeMap::new();
    for pair in given {
        let wrong = |what: String| Failure::Usage(format!("--device: {what}"));
        let (username, device) = pair
            .split_once('=')
            .ok_or_else(|| wrong(format!("found '{pair}', expected USER=DEVICE")))?;
        let account = accounts.iter().find(|one| one.username == username);
        let account = account.ok_or_else(|| {
            wrong(format!(
                "found '{username}', expected a user name of the password file"
            ))
        })?;
        if device.is_empty()
            || devices
                .insert(&*account.username, device.to_owned())
                .is_some()
        {
            return Err(wrong(format!(
                "found '{pair}', expected one device for each user"
            )));
        }
    }
    Ok(devices)
}

/// The profiles of the running configuration.
struct Profiles(BTreeMap<String, Lists>);

impl Profiles {
    fn ask(args: &Args) -> Result<Profiles, Failure> {
        let reply = remote::call(args, "profiles", Value::Null)?;
        let profiles = text::items(&reply, "profiles").iter();
        let profiles = profiles.map(|profile| {
            let lists = Lists {
                publish: text::strings(profile, "publish"),
                subscribe: text::strings(profile, "subscribe"),
                deny: text::strings(profile, "deny"),
            };
            (text::field(profile, "name"), lists)
        });
        Ok(Profiles(profiles.collect()))
    }

    /// Those that accounts are to have and that are not there.
    fn missing(&self, proposal: Option<&Proposal>) -> Vec<String> {
        let wanted: BTreeSet<&String> = proposal
            .map(|proposal| proposal.of.values().collect())
            .unwrap_or_default();
        let missing = wanted
            .into_iter()
            .filter(|name| !self.0.contains_key(*name));
        missing.cloned().collect()
    }

    /// Those that are there and grant something else.
    fn differing<'a>(&self, proposal: &'a Proposal) -> Vec<&'a str> {
        let proposed = proposal.profiles.iter();
        let differing = proposed.filter(|(name, lists)| {
            let there = self.0.get(name);
            there.is_some_and(|there| there != lists)
        });
        differing.map(|(name, _)| name.as_str()).collect()
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => {
            fields.retain(|_, value| !value.is_null());
            Value::Object(fields)
        }
        other => other,
    }
}

/// One line an account.
fn plan(reply: &Value, proposal: Option<&Proposal>, style: super::output::Style) -> String {
    let mut table = Table::new(["USER", "PASSWORD", "PROFILE", "DEVICE"]);
    for account in text::items(reply, "accounts") {
        let username = text::field(account, "username");
        let proposed = proposal.and_then(|proposal| proposal.of.get(&username));
        let profile = proposed.cloned();
        let device = match account.get("mac") {
            Some(_) if text::truth(account, "come") => {
                format!("{}, has come: stays as it is", text::field(account, "mac"))
            }
            Some(_) => text::field(account, "mac"),
            None => "the first that logs in".to_owned(),
        };
        table.row([
            username.into(),
            text::field(account, "kind").into(),
            profile
                .unwrap_or_else(|| text::field(account, "profile"))
                .into(),
            device.into(),
        ]);
    }
    table.write(0, style)
}

fn outcome(reply: &Value) -> String {
    let errors = text::strings(reply, "errors");
    if !errors.is_empty() {
        let errors: String = errors
            .iter()
            .map(|one| format!("  {}\n", text::safe(one)))
            .collect();
        return format!("\nNothing was imported:\n\n{errors}");
    }
    if !text::truth(reply, "applied") {
        return "\nNothing was changed yet: --apply does it.\n".to_owned();
    }
    let field = |name| text::field(reply, name);
    let until = calendar::utc(text::number(reply, "until_ms"));
    format!(
        "\nThese accounts wait for their devices until {until}. Point the devices to:\n\n  \
         server      {server}\n  port        {port}, with TLS\n  CA file     {ca} on this router\n\n\
         'mqttguard events' shows who came, 'mqttguard status' who is still waited for.\n{warning}",
        server = field("server"),
        port = field("port"),
        ca = field("ca_file"),
        warning = text::warning(reply),
    )
}
