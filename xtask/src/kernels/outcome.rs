//! What a guest said, read from its serial line.

/// All of one guest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The version by the kernel's own account; empty if it did not boot.
    pub(super) release: String,
    /// Whether it has BTF.
    pub(super) btf: bool,
    /// With its JIT compiler, and without as far as that can be switched off.
    pub(super) rounds: Vec<Round>,
    /// Whether it came to its end.
    pub(super) done: bool,
}

/// The tests by one way to run programs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// Whether programs were compiled.
    pub(super) jit: bool,
    /// How many instructions the verifier looked at: of the XDP program, of the TC one. Kernels
    /// tell since 5.16.
    pub(super) verified: [Option<u64>; 2],
    /// Tests that passed.
    pub(super) passed: u64,
    /// Tests that did not, and files of tests that did not end, each with its last words.
    pub(super) failed: Vec<String>,
}

/// Reads all that came over the serial line.
pub(super) fn read(log: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let mut round: Option<Round> = None;
    let mut open: Option<&str> = None;
    let mut last = "";
    for line in log.lines().map(str::trim_end) {
        if let Some(said) = line.strip_prefix("@@ ") {
            let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
            match word {
                "kernel" => outcome.release = rest.to_owned(),
                "btf" => outcome.btf = rest == "yes",
                "jit" => {
                    let jit = rest != "0";
                    let next = Round {
                        jit,
                        ..Round::default()
                    };
                    outcome.rounds.extend(round.replace(next));
                }
                "begin" => open = Some(rest),
                "end" => end(&mut open, &mut round, last),
                "done" => outcome.done = true,
                _ => {}
            }
            continue;
        }
        let Some(round) = &mut round else { continue };
        for (hook, verified) in ["Xdp", "Tc"].iter().zip(&mut round.verified) {
            let told = line.split_once(&format!("{hook}: the verifier looked at "));
            if let Some((_, rest)) = told {
                let number = rest.split(' ').next().unwrap_or_default().parse().ok();
                *verified = number.filter(|&number| number != 0);
            }
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            round.passed += number_before(result, " passed");
            open = None;
        } else if let Some(name) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            round.failed.push(name.to_owned());
        } else if line == "FAILED" {
            // Without capture, the name came before what the test said.
            round.failed.extend(open.map(str::to_owned));
        }
        if !line.is_empty() {
            last = line;
        }
    }
    end(&mut open, &mut round, last);
    outcome.rounds.extend(round);
    outcome
}

/// A file of tests that ends without a result has failed.
fn end(open: &mut Option<&str>, round: &mut Option<Round>, last: &str) {
    if let (Some(file), Some(round)) = (open.take(), round) {
        round.failed.push(format!("{file} did not end: {last}"));
    }
}

fn number_before(text: &str, what: &str) -> u64 {
    text.split_once(what)
        .and_then(|(before, _)| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_apart() {
        let log = "Booting from ROM\n@@ kernel 6.1.0\n@@ btf yes\n@@ jit 1\n\
            @@ begin a\ntest frames ... MQTTGUARD_FRAMES=1\n\
            Xdp: the verifier looked at 81381 instructions\n\
            Tc: the verifier looked at 0 instructions\nok\n\n\
            test result: ok. 1 passed; 0 failed; 0 ignored\n@@ end a\n\
            @@ begin b\ntest one ... ok\ntest two ... FAILED\n\
            test result: FAILED. 1 passed; 1 failed; 0 ignored\n@@ end b\n\
            @@ begin c\nKilled\n@@ end c\n\
            @@ jit 0\n@@ begin d\ntest late ... ok\n";
        let outcome = read(log);
        assert_eq!((outcome.release.as_str(), outcome.btf), ("6.1.0", true));
        assert!(!outcome.done);
        let [with, without] = &outcome.rounds[..] else {
            panic!("{outcome:?}");
        };
        assert_eq!((with.jit, with.passed), (true, 2));
        assert_eq!(with.verified, [Some(81_381), None]);
        assert_eq!(with.failed, ["two", "c did not end: Killed"]);
        assert_eq!((without.jit, without.passed), (false, 0));
        assert_eq!(without.failed, ["d did not end: test late ... ok"]);
    }

    #[test]
    fn a_kernel_that_says_nothing_has_no_rounds() {
        assert_eq!(read("Booting from ROM\n"), Outcome::default());
    }
}
