//! Every setting there is, on one screen. Its flag is its name with hyphens, its variable its name in capitals behind
//! `BURSAR_`; in the file it stands under its name.

use clap::{Arg, ArgAction};

/// How a setting is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value; what is shown for it in the help.
    Value(&'static str),
    /// A value that holds a password, never shown.
    Secret(&'static str),
    /// On or off.
    Switch,
    /// `NAME=VALUE` pairs, with semicolons or on lines; a table in the file. Only the names are shown.
    Pairs,
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Its name in the file.
    pub name: &'static str,
    /// How it is given.
    pub kind: Kind,
    /// What it is where nobody says; none makes it required.
    pub default: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

const fn value(name: &'static str, shown: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { name, kind: Kind::Value(shown), default: Some(default), help }
}

/// All settings, in the order in which they are shown.
pub(crate) const SETTINGS: &[Setting] = &[
    value("data", "DIR", "bursar-data", "The folder of the log; made where there is none"),
    value("listen", "ADDRESS:PORT", "127.0.0.1:8080", "Where to answer; port 0 takes a free one"),
    Setting {
        name: "database_url",
        kind: Kind::Secret("URL"),
        default: None,
        help: "The PostgreSQL database of the read models: postgres://USER:PASSWORD@HOST:PORT/DATABASE",
    },
    value(
        "database_schema",
        "NAME",
        "bursar",
        "The schema of the read models in that database; made where there is none",
    ),
    value(
        "query_connections_max",
        "COUNT",
        "16",
        "Connections to PostgreSQL for queries, besides the one that fills it",
    ),
    value(
        "query_connection_wait_ms",
        "MS",
        "2000",
        "How long a query waits for one of them before it is answered with 503",
    ),
    value("query_connection_idle_ms", "MS", "600000", "After how long without use one of them is closed"),
    value(
        "query_timeout_ms",
        "MS",
        "10000",
        "How long a statement of a query may take before PostgreSQL breaks it off",
    ),
    value("graphql_depth_max", "COUNT", "15", "How deep a query in GraphQL may go"),
    value(
        "graphql_complexity_max",
        "COUNT",
        "20000",
        "How many values a query in GraphQL may give, where a page counts as many times as its limit says",
    ),
    value(
        "event_readers_max",
        "COUNT",
        "64",
        "Pages and streams of events that may be under way at once; more get 503",
    ),
    value("event_heartbeat_ms", "MS", "15000", "After how long without an event a stream of events says that it lives"),
    Setting {
        name: "allow_unauthenticated",
        kind: Kind::Switch,
        default: Some("false"),
        help: "Listen on an address that other machines reach, although anybody who reaches it may do anything",
    },
    value("segment_bytes", "BYTES", "268435456", "Length of new segments of the log: a multiple of 4096"),
    value(
        "scrub_bytes_per_second",
        "BYTES",
        "33554432",
        "How fast full segments of the log are read again to find damage; 0 turns it off",
    ),
    value("scrub_interval_s", "S", "86400", "How long after its beginning such a pass over the log begins again"),
    value("commands_in_flight_max", "COUNT", "65536", "Commands that may wait for their answer at once; more get 503"),
    value(
        "states_in_memory_max",
        "COUNT",
        "1500000",
        "States of accounts, and as many of orders, payments and products, kept in memory; others are read from disk",
    ),
    value(
        "snapshot_events",
        "COUNT",
        "4000000",
        "After so many events all changed state is saved; a start after a crash reads at most so many again",
    ),
    value("connections_max", "COUNT", "4096", "Connections at once; more wait to be accepted"),
    value("header_read_timeout_ms", "MS", "30000", "How long a client may take to send the head of a request"),
    value(
        "body_read_timeout_ms",
        "MS",
        "20000",
        "How long a command's body may take to arrive, and how long a batch, or reading an answer, may pause",
    ),
    value("request_timeout_ms", "MS", "30000", "How long a request may take until its answer begins"),
    value("body_bytes_max", "BYTES", "1048576", "The largest body of one command, and the longest line of a batch"),
    value("batch_bytes_max", "BYTES", "67108864", "The largest body of a batch of commands"),
    value("stop_timeout_ms", "MS", "15000", "How long a stop waits for requests on their way before it cuts them off"),
    value(
        "view_lag_events_max",
        "COUNT",
        "100000",
        "How many events the read models may be behind while the server is ready",
    ),
    value(
        "kafka_brokers",
        "HOST:PORT,…",
        "off",
        "Kafka brokers that every event is sent to as well, through a topic; off: none",
    ),
    value("kafka_topic", "NAME", "bursar.events", "The topic of the events; made where there is none"),
    value("kafka_partitions", "COUNT", "12", "How many partitions the topic has; it cannot be changed later"),
    value("kafka_replication", "COUNT", "1", "On how many brokers each partition is kept, where the topic is made"),
    value("kafka_group", "NAME", "bursar", "The consumer group whose members share the partitions to fill read models"),
    value(
        "view_feed",
        "log|kafka|none",
        "log",
        "Where `serve` fills the read models from: its own log, Kafka together with workers, or not at all",
    ),
    Setting {
        name: "kafka_options",
        kind: Kind::Pairs,
        default: Some("none"),
        help: "Settings of librdkafka, such as those for TLS and SASL: NAME=VALUE;NAME=VALUE",
    },
    value("log_format", "text|json", "text", "How log lines are written to standard error"),
    value("log_filter", "FILTER", "info", "Which log lines are written: a level, or target=level pairs with commas"),
];

impl Setting {
    /// The setting of a name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Its flag, without the two hyphens.
    pub(crate) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Its variable.
    pub(crate) fn variable(&self) -> String {
        format!("BURSAR_{}", self.name.to_ascii_uppercase())
    }

    /// What the command line knows of it. Its variable and default are resolved apart, so that the file fits between.
    fn argument(&self) -> Arg {
        let default = match self.default {
            Some(default) => format!("default: {default}"),
            None => "required".to_owned(),
        };
        // The command line wants names that live as long as the process; there are a dozen of them, made once.
        let argument = Arg::new(self.name).long(self.flag().leak() as &str);
        let argument = argument.help(format!("{} [{}; {default}]", self.help, self.variable()));
        match self.kind {
            Kind::Value(shown) | Kind::Secret(shown) => argument.value_name(shown).action(ArgAction::Set),
            Kind::Pairs => argument.value_name("NAME=VALUE;…").action(ArgAction::Set),
            Kind::Switch => argument.value_name("true|false").num_args(0..=1).default_missing_value("true"),
        }
    }
}

/// The arguments of all settings, and of the file that holds them.
pub(crate) fn arguments() -> impl Iterator<Item = Arg> {
    let file = Arg::new("config").long("config").value_name("FILE");
    let file =
        file.help("The file that settings are read from [BURSAR_CONFIG; default: ./bursar.toml where there is one]");
    std::iter::once(file).chain(SETTINGS.iter().map(Setting::argument))
}
