//! Settings of the read models, and of reading events.

use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use projections::database::{Database, InvalidDatabaseUrl, QueryPool, SchemaName};
use projections::graphql;

use super::resolve::{Resolved, SettingError};

/// Settings of the read models, and of reading events.
#[derive(Debug, Clone)]
pub(crate) struct ReadSide {
    /// Where they are.
    pub database: Database,
    /// Connections for queries.
    pub query_pool: QueryPool,
    /// What a query in GraphQL may cost.
    pub graphql: graphql::Limits,
    /// Readers of the log over HTTP at once.
    pub event_readers_max: usize,
    /// After how long without an event a stream of them says that it lives.
    pub event_heartbeat: Duration,
}

/// A URL that says where PostgreSQL is; which schema is said apart.
struct DatabaseUrl(String);

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, InvalidDatabaseUrl> {
        Database::new(url, SchemaName::default()).map(|_| Self(url.to_owned()))
    }
}

impl ReadSide {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        let DatabaseUrl(url) = settings.get("database_url")?;
        let schema = settings.get("database_schema")?;
        let database = Database::new(&url, schema).expect("the URL was read before");
        let query_pool = QueryPool {
            connections_max: settings.get::<NonZeroU32>("query_connections_max")?.get(),
            connection_wait_max: settings.milliseconds("query_connection_wait_ms")?,
            statement_timeout: settings.milliseconds("query_timeout_ms")?,
            idle_max: settings.milliseconds("query_connection_idle_ms")?,
        };
        let graphql = graphql::Limits {
            depth_max: settings.get::<NonZeroU32>("graphql_depth_max")?.get().into(),
            complexity_max: settings.get::<NonZeroU32>("graphql_complexity_max")?.get().into(),
        };
        let event_readers_max = settings.get::<NonZeroUsize>("event_readers_max")?.get();
        let event_heartbeat = settings.milliseconds("event_heartbeat_ms")?;
        Ok(Self { database, query_pool, graphql, event_readers_max, event_heartbeat })
    }
}
