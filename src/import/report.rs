//! What an import says in the end: figures in a table, and what went wrong, as far as it fits a screen.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use domain::money::Money;

use super::command::Command;
use super::online_retail::keys;
use super::online_retail::mapping::{Problem, Totals};
use super::sender::Answer;

/// How many problems are listed; the rest is counted.
const LISTED_MAX: usize = 20;

/// What became of the commands and lines of an import so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub lines: u64,
    pub accepted: u64,
    pub replayed: u64,
    pub refused: u64,
    pub unmapped: u64,
    /// The last position that a command of the import brought about.
    pub position: u64,
    listed: Vec<String>,
}

impl Tally {
    /// Takes up what became of a command.
    pub(crate) fn answer(&mut self, command: &Command, answer: Answer) {
        match answer {
            Answer::Accepted { replayed, position } => {
                self.position = self.position.max(position);
                if replayed {
                    self.replayed += 1;
                } else {
                    self.accepted += 1;
                }
            }
            Answer::Refused { code, detail } => {
                self.refused += 1;
                let Command { body, key, line, .. } = command;
                self.list(format!("line {line}: {} ({key}) was refused: {code}: {detail}", body.command_type()));
            }
        }
    }

    /// Takes up a line that became nothing.
    pub(crate) fn problem(&mut self, Problem { line, reason }: Problem) {
        self.unmapped += 1;
        self.list(format!("line {line}: {reason}"));
    }

    /// Whether everything in the file was taken up.
    pub(crate) const fn is_complete(&self) -> bool {
        self.refused == 0 && self.unmapped == 0
    }

    fn list(&mut self, problem: String) {
        if self.listed.len() < LISTED_MAX {
            self.listed.push(problem);
        }
    }

    /// Writes the figures, then the problems. `merchant` is what the merchant's account holds now, or why that is not
    /// known.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        totals: &Totals,
        merchant: &Result<Money, String>,
    ) -> io::Result<()> {
        let net = totals.gross.minus(totals.given_back).unwrap_or(totals.gross);
        let (gross, given_back, net) = (keys::pounds(totals.gross), keys::pounds(totals.given_back), keys::pounds(net));
        let count = |count: u64| count.to_string();
        let rows = [
            ("lines read", count(self.lines)),
            ("lines not mapped", count(self.unmapped)),
            ("orders", count(totals.orders)),
            ("products", count(totals.products)),
            ("customers", count(totals.customers)),
            ("returns", count(totals.returns)),
            ("credit notes", count(totals.credit_notes)),
            ("stock corrections", count(totals.stock_adjustments)),
            ("commands accepted", count(self.accepted)),
            ("commands replayed", count(self.replayed)),
            ("commands refused", count(self.refused)),
            ("gross sales", gross.to_string()),
            ("given back", given_back.to_string()),
            ("net sales", net.to_string()),
            ("acct-merchant holds", merchant.as_ref().map_or_else(Clone::clone, ToString::to_string)),
        ];
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        for (name, value) in rows {
            table.add_row([name.to_owned(), value]);
        }
        writeln!(out, "{}", table.trim_fmt())?;
        for problem in &self.listed {
            writeln!(out, "{problem}")?;
        }
        let more = (self.refused + self.unmapped).saturating_sub(self.listed.len() as u64);
        if more > 0 {
            writeln!(out, "and {more} more")?;
        }
        Ok(())
    }
}
