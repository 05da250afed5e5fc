//! Writing answers: to standard output, in pieces, never trusting recorded text to be harmless on a terminal.

use std::io::{self, BufWriter, StdoutLock, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

/// Standard output, written in large pieces.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// Writes a value as one line of JSON.
pub(crate) fn json_line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Writes names and values in two columns.
pub(crate) fn pairs(out: &mut impl Write, rows: impl IntoIterator<Item = (String, String)>) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    for (name, value) in rows {
        table.add_row([name, harmless(&value)]);
    }
    writeln!(out, "{}", table.trim_fmt())
}

/// The text with control characters escaped: what somebody once sent in must not command a terminal.
pub(crate) fn harmless(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    if text.chars().any(char::is_control) { text.chars().map(escape).collect() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_text_cannot_command_a_terminal() {
        assert_eq!(harmless("key\u{1b}[2J\n"), "key\\u{1b}[2J\\n");
        assert_eq!(harmless("schlüssel-1"), "schlüssel-1");
    }
}
