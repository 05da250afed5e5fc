//! Where the value of each setting comes from: the command line, else the environment, else the file, else the default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::ArgMatches;

use super::table::{Kind, SETTINGS, Setting};

/// The file that is read where none is named.
pub(super) const FILE: &str = "bursar.toml";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Flag(String),
    Variable(String),
    File(PathBuf),
    Default,
    Unset,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(variable) => f.write_str(variable),
            Self::File(path) => path.display().fmt(f),
            Self::Default => f.write_str("default"),
            Self::Unset => f.write_str("not set"),
        }
    }
}

/// Why the configuration cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingError {
    #[error("cannot read the configuration file {path}: {source}", path = path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is not TOML: {source}", path = path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{path} has settings that there are not: {}. `bursar config` lists those that there are", .names.join(", "), path = path.display())]
    Unknown { path: PathBuf, names: Vec<String> },
    #[error("{path}: {name} is {found}; write text, a whole number, true or false", path = path.display())]
    NotAValue { path: PathBuf, name: String, found: &'static str },
    #[error("{name} is not set: give --{flag}, set {variable}, or write it into {FILE}")]
    Missing { name: &'static str, flag: String, variable: String },
    #[error("{name} from {source} cannot be {value:?}: {reason}")]
    Value { name: &'static str, value: String, r#source: Source, reason: String },
}

/// Every setting with its value and where that comes from.
#[derive(Debug, Clone)]
pub(crate) struct Resolved(BTreeMap<&'static str, (Option<String>, Source)>);

impl Resolved {
    /// Looks at the command line, the environment (through `variable`) and the file, in this order.
    ///
    /// # Errors
    /// [`SettingError`] where the file cannot be read, or has what is not a setting.
    pub(crate) fn resolve(
        flags: &ArgMatches,
        variable: impl Fn(&str) -> Option<String>,
        folder: &Path,
    ) -> Result<Self, SettingError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let named = flags.get_one::<String>("config").cloned().or_else(|| variable("BURSAR_CONFIG"));
        let path = named.as_ref().map_or_else(|| folder.join(FILE), PathBuf::from);
        let file = if named.is_some() || path.exists() { read_file(&path)? } else { BTreeMap::new() };
        let resolve = |setting: &'static Setting| {
            let from_flag = flags.get_one::<String>(setting.name).cloned();
            let found = from_flag
                .map(|value| (value, Source::Flag(setting.flag())))
                .or_else(|| Some((variable(&setting.variable())?, Source::Variable(setting.variable()))))
                .or_else(|| Some((file.get(setting.name)?.clone(), Source::File(path.clone()))))
                .or_else(|| Some((setting.default?.to_owned(), Source::Default)));
            let (value, source) = found.map_or((None, Source::Unset), |(value, source)| (Some(value), source));
            (setting.name, (value, source))
        };
        Ok(Self(SETTINGS.iter().map(resolve).collect()))
    }

    /// The value of a setting, read into its type.
    ///
    /// # Errors
    /// [`SettingError`] where it is not set or cannot be.
    pub(crate) fn get<T>(&self, name: &'static str) -> Result<T, SettingError>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let setting = Setting::named(name).expect("every setting that is read stands in the table");
        let Some(value) = &self.0[name].0 else {
            return Err(SettingError::Missing { name, flag: setting.flag(), variable: setting.variable() });
        };
        value.parse().map_err(|reason: T::Err| self.refused(name, reason.to_string()))
    }

    /// A setting that cannot be for this reason.
    pub(crate) fn refused(&self, name: &'static str, reason: String) -> SettingError {
        let setting = Setting::named(name).expect("every setting that is read stands in the table");
        let (value, source) = &self.0[name];
        let is_secret = matches!(setting.kind, Kind::Secret(_) | Kind::Pairs);
        let value = if is_secret { "(hidden)".to_owned() } else { value.clone().unwrap_or_default() };
        SettingError::Value { name, value, source: source.clone(), reason }
    }

    /// A setting in milliseconds; more than zero.
    ///
    /// # Errors
    /// [`SettingError`] where it cannot be.
    pub(crate) fn milliseconds(&self, name: &'static str) -> Result<Duration, SettingError> {
        self.get::<std::num::NonZeroU32>(name).map(|ms| Duration::from_millis(ms.get().into()))
    }

    /// Every setting as it is shown to people: name, value, source.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&'static str, String, &Source)> {
        SETTINGS.iter().map(|setting| {
            let (value, source) = &self.0[setting.name];
            let value = match (value, setting.kind) {
                (None, _) => String::new(),
                (Some(value), Kind::Secret(_)) => hide_password(value),
                (Some(value), Kind::Pairs) => hide_values(value),
                (Some(value), _) => value.clone(),
            };
            (setting.name, value, source)
        })
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, SettingError> {
    let path = path.to_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(SettingError::File { path, source }),
    };
    let table: toml::Table = match toml::from_str(&text) {
        Ok(table) => table,
        Err(source) => return Err(SettingError::Toml { path, source: Box::new(source) }),
    };
    let unknown: Vec<_> = table.keys().filter(|name| Setting::named(name).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(SettingError::Unknown { path, names: unknown });
    }
    let mut values = BTreeMap::new();
    for (name, value) in table {
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(switch) => switch.to_string(),
            toml::Value::Table(pairs) if Setting::named(&name).is_some_and(|setting| setting.kind == Kind::Pairs) => {
                lines_of(pairs).map_err(|found| SettingError::NotAValue {
                    path: path.clone(),
                    name: name.clone(),
                    found,
                })?
            }
            other => return Err(SettingError::NotAValue { path, name, found: other.type_str() }),
        };
        values.insert(name, value);
    }
    Ok(values)
}

/// The pairs of a table, one on each line.
fn lines_of(pairs: toml::Table) -> Result<String, &'static str> {
    let mut lines = String::new();
    for (name, value) in pairs {
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(switch) => switch.to_string(),
            other => return Err(other.type_str()),
        };
        lines.push_str(&format!("{name}={value}\n"));
    }
    Ok(lines)
}

/// The pairs of a text: one on each line where there are lines, else with semicolons between.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = &str> {
    let separator = if text.contains('\n') { '\n' } else { ';' };
    text.split(separator).filter(|pair| !pair.trim().is_empty())
}

/// Any of them may be a password.
fn hide_values(text: &str) -> String {
    let shown = pairs(text).map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{}=(hidden)", name.trim()),
        None if text == "none" => text.to_owned(),
        None => "(hidden)".to_owned(),
    });
    shown.collect::<Vec<_>>().join(";")
}

/// What stands between the user and the host of a URL is nobody's business.
fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "(hidden)".to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    // Parameters may hold a password too.
    let path = path.split(['?', '#']).next().unwrap_or("");
    match authority.rsplit_once('@') {
        None => format!("{scheme}://{authority}{path}"),
        Some((user, host)) => {
            let user = user.split(':').next().unwrap_or("");
            format!("{scheme}://{user}:(hidden)@{host}{path}")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Configuration;
    use crate::config::table::arguments;

    fn resolve(flags: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> Result<Resolved, SettingError> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(folder.path().join(FILE), text).unwrap();
        }
        let command = clap::Command::new("bursar").args(arguments());
        let flags = command.try_get_matches_from(std::iter::once(&"bursar").chain(flags)).unwrap();
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Resolved::resolve(&flags, |name| variables.get(name).map(|v| (*v).to_owned()), folder.path())
    }

    fn told(resolved: &Resolved, name: &str) -> (String, String) {
        let (_, value, source) = resolved.shown().find(|(shown, ..)| *shown == name).unwrap();
        let source = source.to_string();
        (value, source.rsplit('/').next().unwrap().to_owned())
    }

    #[test]
    fn a_flag_comes_before_the_environment_before_the_file_before_the_default() {
        let file = Some("listen = \"127.0.0.1:3\"\nsegment_bytes = 8192\nconnections_max = 7\n");
        let variables = [("BURSAR_LISTEN", "127.0.0.1:2"), ("BURSAR_SEGMENT_BYTES", "4096"), ("BURSAR_DATA", "")];
        let resolved = resolve(&["--listen", "127.0.0.1:1"], &variables, file).unwrap();
        let expect = |name, value: &str, source: &str| {
            assert_eq!(told(&resolved, name), (value.to_owned(), source.to_owned()), "{name}");
        };
        expect("listen", "127.0.0.1:1", "--listen");
        expect("segment_bytes", "4096", "BURSAR_SEGMENT_BYTES");
        expect("connections_max", "7", "bursar.toml");
        expect("data", "bursar-data", "default");
        expect("database_url", "", "not set");
    }

    #[test]
    fn what_is_not_a_setting_is_refused_by_name() {
        let error = resolve(&[], &[], Some("lisen = \"x\"\nport = 1\n")).unwrap_err().to_string();
        assert!(error.contains("has settings that there are not: lisen, port."), "{error}");
        let error = resolve(&[], &[], Some("listen = [1]\n")).unwrap_err().to_string();
        assert!(error.ends_with("listen is array; write text, a whole number, true or false"), "{error}");
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = resolve(&["--config", "/nowhere/at/all.toml"], &[], None).unwrap_err().to_string();
        assert!(error.starts_with("cannot read the configuration file /nowhere/at/all.toml:"), "{error}");
    }

    #[test]
    fn a_value_that_cannot_be_is_told_with_where_it_came_from() {
        let url = ("BURSAR_DATABASE_URL", "postgres://localhost/x");
        let read = |variables: &[(&str, &str)], flags: &[&str]| {
            Configuration::read(&resolve(flags, variables, None).unwrap()).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(
            read(&[], &[]),
            "database_url is not set: give --database-url, set BURSAR_DATABASE_URL, or write it into bursar.toml"
        );
        let error = read(&[url, ("BURSAR_LISTEN", "here")], &[]);
        assert!(error.starts_with("listen from BURSAR_LISTEN cannot be \"here\": "), "{error}");
        let error = read(&[url], &["--stop-timeout-ms", "0"]);
        assert!(error.starts_with("stop_timeout_ms from --stop-timeout-ms cannot be \"0\": "), "{error}");
    }

    #[test]
    fn the_defaults_are_what_the_parts_would_choose_themselves() {
        let resolved = resolve(&["--database-url", "postgres://localhost/x"], &[], None).unwrap();
        let configuration = Configuration::read(&resolved).unwrap();
        assert_eq!(configuration.write_side.segment_bytes, event_store::log::Options::default().segment_bytes);
        let engine = command_api::engine::Options::default();
        assert_eq!(configuration.write_side.commands_in_flight_max, engine.commands_in_flight_max);
        assert_eq!(configuration.write_side.states_in_memory_max, engine.checkpoints.states_in_memory);
        assert_eq!(configuration.write_side.snapshot_events, engine.checkpoints.events_between_snapshots);
        let commands = command_api::http::Options::default();
        assert_eq!(configuration.http.body_bytes_max, commands.body_bytes_max);
        assert_eq!(configuration.http.batch_bytes_max, commands.batch_bytes_max);
        assert_eq!(configuration.http.body_read_timeout, commands.body_read_timeout);
        assert!(!configuration.http.allow_unauthenticated);
    }

    #[test]
    fn the_documentation_has_every_setting_with_its_default() {
        let documentation = include_str!("../../docs/configuration.md");
        for Setting { name, default, .. } in SETTINGS {
            let default = default.unwrap_or("none, required");
            let rows = [format!("| `{name}` | {default} | "), format!("| `{name}` | `{default}` | ")];
            assert!(rows.iter().any(|row| documentation.contains(row)), "{name} with {default}");
        }
    }

    #[test]
    fn settings_of_kafka_are_passed_on_and_only_their_names_are_shown() {
        let url = "database_url = \"postgres://localhost/x\"\nkafka_brokers = \"127.0.0.1:9\"\n";
        let table = "[kafka_options]\n\"sasl.password\" = \"a;b=c\"\n\"linger.ms\" = 1\n";
        let resolved = resolve(&[], &[], Some(&format!("{url}{table}"))).unwrap();
        assert_eq!(told(&resolved, "kafka_options").0, "linger.ms=(hidden);sasl.password=(hidden)");
        let kafka = Configuration::read(&resolved).unwrap().stream.kafka.unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(kafka.client, [pair("linger.ms", "1"), pair("sasl.password", "a;b=c")]);
        let flags = ["--kafka-options", "linger.ms=1; batch.size=9"];
        let kafka = Configuration::read(&resolve(&flags, &[], Some(url)).unwrap()).unwrap().stream.kafka.unwrap();
        assert_eq!(kafka.client, [pair("linger.ms", "1"), pair("batch.size", "9")]);
        assert_eq!((kafka.topic.as_str(), kafka.partitions, kafka.replication), ("bursar.events", 12, 1));

        let refused = |flags: &[&str]| {
            Configuration::read(&resolve(flags, &[], Some(url)).unwrap()).map(|_| ()).unwrap_err().to_string()
        };
        let error = refused(&["--kafka-options", "s3cret"]);
        let expected = "kafka_options from --kafka-options cannot be \"(hidden)\": pair 1 has no \"=\"";
        assert_eq!(error, expected);
        let error = refused(&["--kafka-options", "linger.ms=s3cret"]);
        assert!(error.starts_with("kafka_options from --kafka-options cannot be \"(hidden)\": linger.ms: "), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        let error = refused(&["--kafka-topic", "a b"]);
        assert!(error.contains("a topic cannot be called"), "{error}");
        let off = Configuration::read(&resolve(&["--kafka-brokers", "off"], &[], Some(url)).unwrap()).unwrap();
        assert_eq!(off.stream.kafka, None);
    }

    #[test]
    fn a_password_is_never_shown() {
        let cases = [
            ("postgres://bursar:s3cret@127.0.0.1:5432/b", "postgres://bursar:(hidden)@127.0.0.1:5432/b"),
            ("postgres://127.0.0.1/b?password=s3cret", "postgres://127.0.0.1/b"),
            ("postgres://u:a@b:s3cret@h/b", "postgres://u:(hidden)@h/b"),
            ("s3cret", "(hidden)"),
        ];
        for (url, shown) in cases {
            assert_eq!(hide_password(url), shown);
        }
    }
}
