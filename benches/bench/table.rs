//! The table that all measurements go into, and the page it is recorded on.

use std::fmt;
use std::process::Command;

/// One measured figure.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) figure: String,
    /// What it is to reach, and how far it came; empty where nothing is demanded.
    pub(crate) bar: String,
    pub(crate) beside: String,
    pub(crate) how: String,
}

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Adds a row and prints it at once, so that a long run can be followed.
    pub(crate) fn add(&mut self, row: Row) {
        let bar = if row.bar.is_empty() { String::new() } else { format!("; bar {}", row.bar) };
        eprintln!("  {}: {} ({}{bar})", row.what, row.figure, row.beside);
        self.rows.push(row);
    }

    /// Writes `docs/benchmarks.md` anew.
    pub(crate) fn record(&self) -> anyhow::Result<()> {
        let read = |program: &str, args: &[&str]| -> anyhow::Result<String> {
            Ok(String::from_utf8_lossy(&Command::new(program).args(args).output()?.stdout).trim().to_owned())
        };
        let cpu = read("sh", &["-c", "sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1"])?;
        let cores = read("nproc", &[])?;
        let memory = read("sh", &["-c", "awk '/MemTotal/ {printf \"%.0f GiB\", $2 / 1048576}' /proc/meminfo"])?;
        let system = read("sh", &["-c", ". /etc/os-release; echo \"$PRETTY_NAME, Linux $(uname -r)\""])?;
        let date = read("date", &["-u", "+%Y-%m-%d"])?;
        let page = format!(
            "# Benchmarks\n\nMade by `scripts/bench --record` on {date}: {cpu}, {cores} cores, {memory}, {system}.\n\
             Load generator and server share the cores. A figure is the median of its runs, with the lowest and the \
             highest; machines differ and shared ones drift, so read the ratios within one run.\n\n{self}"
        );
        std::fs::write("docs/benchmarks.md", page)?;
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | figure | bar | beside | how |\n|---|---|---|---|---|")?;
        let row = |r: &Row| writeln!(f, "| {} | {} | {} | {} | {} |", r.what, r.figure, r.bar, r.beside, r.how);
        self.rows.iter().try_for_each(row)
    }
}

/// A rate that is to be reached, and how much of it was.
pub(crate) fn at_least(bar: f64, figure: f64) -> String {
    format!("≥ {} /s: × {:.2}", grouped(bar), figure / bar)
}

/// The median of some figures, with the lowest and the highest, in thousands per second.
pub(crate) fn spread(mut figures: Vec<f64>) -> (f64, String) {
    figures.sort_by(f64::total_cmp);
    let (low, median, high) = (figures[0], figures[figures.len() / 2], figures[figures.len() - 1]);
    (median, format!("{} /s ({} – {})", grouped(median), grouped(low), grouped(high)))
}

/// A whole number with thousands set apart.
pub(crate) fn grouped(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
