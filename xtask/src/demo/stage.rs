//! How the story is told: scenes, what is claimed in them, and what was seen.

use std::io::IsTerminal;

use anyhow::Result;
use serde_json::{Value, json};

/// Columns of running text.
const WIDTH: usize = 84;

/// Prints the story as it happens, or collects it for `--json`.
pub(super) struct Stage {
    json: bool,
    colour: bool,
    scenes: Vec<Scene>,
    devices: Vec<Value>,
}

struct Scene {
    title: &'static str,
    checks: Vec<Check>,
}

struct Check {
    claim: String,
    good: bool,
    seen: String,
}

impl Stage {
    pub(super) fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            json,
            colour,
            scenes: Vec::new(),
            devices: Vec::new(),
        }
    }

    /// A new scene begins.
    pub(super) fn scene(&mut self, title: &'static str, text: &str) {
        self.scenes.push(Scene {
            title,
            checks: Vec::new(),
        });
        self.print(&format!(
            "\n{}",
            self.paint("1", &format!("{}. {title}", self.scenes.len()))
        ));
        self.say(text);
    }

    /// Running text.
    pub(super) fn say(&self, text: &str) {
        for line in wrap_to(text, WIDTH) {
            self.print(&format!("   {line}"));
        }
    }

    /// One thing that must hold, whether it does, and what was seen.
    pub(super) fn check(&mut self, claim: impl Into<String>, good: bool, seen: impl Into<String>) {
        let (claim, seen) = (claim.into(), seen.into());
        let mark = if good {
            self.paint("32", "✔")
        } else {
            self.paint("31;1", "✘ NOT SO:")
        };
        self.print(&format!(
            "   {mark} {claim} {}",
            self.paint("2", &format!("({seen})"))
        ));
        if let Some(scene) = self.scenes.last_mut() {
            scene.checks.push(Check { claim, good, seen });
        }
    }

    /// A line as it is.
    pub(super) fn print(&self, line: &str) {
        if !self.json {
            println!("{line}");
        }
    }

    /// `text` in the ANSI style `style`, where colour is wanted.
    pub(super) fn paint(&self, style: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// What mqttguard says of its devices at the end.
    pub(super) fn set_devices(&mut self, devices: Vec<Value>) {
        self.devices = devices;
    }

    /// Whether every claim held.
    pub(super) fn all_good(&self) -> bool {
        self.scenes
            .iter()
            .flat_map(|scene| &scene.checks)
            .all(|check| check.good)
    }

    /// The last line, or the JSON object.
    pub(super) fn finish(&self, told: &Result<()>) {
        let good = told.is_ok() && self.all_good();
        if self.json {
            println!("{:#}", self.as_json(told));
        } else if good {
            let checks: usize = self.scenes.iter().map(|scene| scene.checks.len()).sum();
            println!(
                "\n{}",
                self.paint("32;1", &format!("All {checks} claims held."))
            );
        }
    }

    fn as_json(&self, told: &Result<()>) -> Value {
        let scenes: Vec<Value> = self
            .scenes
            .iter()
            .map(|scene| {
                let checks: Vec<Value> = scene
                    .checks
                    .iter()
                    .map(|check| json!({ "claim": check.claim, "ok": check.good, "seen": check.seen }))
                    .collect();
                json!({ "title": scene.title, "checks": checks })
            })
            .collect();
        json!({
            "ok": told.is_ok() && self.all_good(),
            "error": told.as_ref().err().map(|error| format!("{error:#}")),
            "scenes": scenes,
            "devices": self.devices,
        })
    }
}

/// Breaks text into lines of at most `width` characters, between words.
pub(super) fn wrap_to(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_false_claim_spoils_the_whole() {
        let mut stage = Stage::new(true);
        stage.scene("one", "");
        stage.check("holds", true, "seen");
        assert!(stage.all_good());
        stage.scene("two", "");
        stage.check("does not hold", false, "seen");
        assert!(!stage.all_good());
        let json = stage.as_json(&Ok(()));
        assert_eq!(json["ok"], false);
        assert_eq!(json["scenes"][1]["checks"][0]["ok"], false);
    }

    #[test]
    fn text_is_wrapped_at_words() {
        let text = "word ".repeat(40);
        let lines = wrap_to(&text, WIDTH);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= WIDTH));
        assert_eq!(lines.join(" "), text.trim());
    }
}
