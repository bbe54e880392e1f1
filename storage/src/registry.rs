//! The registry: sources, camera credentials, grids.

use std::collections::{HashMap, HashSet};

use model::{Grid, GridId, Kind, Owner, Source, SourceId};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::Error;
use crate::db::Db;

/// What a camera wants to hear before it shows anything.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Never shows the password.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A source with what only the registry may keep.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRow {
    /// The source.
    pub source: Source,
    /// A camera's credentials.
    pub credentials: Option<Credentials>,
}

/// Which sources; every field that is set must match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceFilter {
    /// Camera or sensor.
    pub kind: Option<Kind>,
    /// The class, exactly.
    pub class: Option<String>,
    /// Any of these grids, each with all inside it; empty for all.
    pub grids: Vec<GridId>,
    /// Any of these owners; empty for all.
    pub owners: Vec<Owner>,
    /// Part of the id or name, ASCII letters in any case.
    pub text: Option<String>,
}

/// Sources and grids. Each change raises [`Registry::version`], which other processes see.
#[derive(Clone)]
pub struct Registry {
    db: Db,
}

/// Rows a statement takes at once; far below SQLite's limit of 32,766 parameters.
const ROWS_PER_STATEMENT: usize = 500;

impl Registry {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Rises with each change of sources or grids, by whichever process.
    pub async fn version(&self) -> Result<i64, Error> {
        let value: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'registry_version'")
            .fetch_optional(&self.db.read)
            .await?;
        let text = value.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// The sources that match, by id, after the id `after`, at most `limit`.
    pub async fn sources(&self, filter: &SourceFilter, after: Option<&str>, limit: u32) -> Result<Vec<Source>, Error> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT id, body FROM source");
        self.filter_sql(&mut query, filter, after).await?;
        query.push(" ORDER BY id LIMIT ").push_bind(i64::from(limit));
        query.build().fetch_all(&self.db.read).await?.iter().map(source_of).collect()
    }

    /// How many sources match.
    pub async fn count(&self, filter: &SourceFilter) -> Result<u64, Error> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT COUNT(*) FROM source");
        self.filter_sql(&mut query, filter, None).await?;
        let count: i64 = query.build_query_scalar().fetch_one(&self.db.read).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// One source.
    pub async fn source(&self, id: &str) -> Result<Option<Source>, Error> {
        let row =
            sqlx::query("SELECT id, body FROM source WHERE id = $1").bind(id).fetch_optional(&self.db.read).await?;
        row.as_ref().map(source_of).transpose()
    }

    /// Every source with its credentials, for the ingest; by id.
    pub async fn all(&self) -> Result<Vec<SourceRow>, Error> {
        let rows =
            sqlx::query("SELECT id, body, username, password FROM source ORDER BY id").fetch_all(&self.db.read).await?;
        rows.iter()
            .map(|row| {
                let username: Option<String> = row.try_get("username")?;
                let password: Option<String> = row.try_get("password")?;
                let credentials =
                    username.map(|username| Credentials { username, password: password.unwrap_or_default() });
                Ok(SourceRow { source: source_of(row)?, credentials })
            })
            .collect()
    }

    /// Adds or replaces sources, all or none; durable when it returns. A row without credentials keeps the stored
    /// ones of the same id, so that an exported file can be taken in again.
    pub async fn put_sources(&self, rows: &[SourceRow]) -> Result<(), Error> {
        let mut tx = self.db.write.begin_with("BEGIN IMMEDIATE").await?;
        for chunk in rows.chunks(ROWS_PER_STATEMENT) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO source (id, kind, class, name, owner, grid, body, username, password) ",
            );
            query.push_values(chunk, |mut values, row| {
                let source = &row.source;
                values
                    .push_bind(source.id.as_str())
                    .push_bind(kind_text(source.kind))
                    .push_bind(&source.class)
                    .push_bind(&source.name)
                    .push_bind(source.owner.as_str())
                    .push_bind(source.grid.as_str())
                    .push_bind(json(source))
                    .push_bind(row.credentials.as_ref().map(|c| &c.username))
                    .push_bind(row.credentials.as_ref().map(|c| &c.password));
            });
            query.push(
                " ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, class = excluded.class, name = excluded.name, \
                 owner = excluded.owner, grid = excluded.grid, body = excluded.body, \
                 username = COALESCE(excluded.username, source.username), \
                 password = COALESCE(excluded.password, source.password)",
            );
            query.build().execute(&mut *tx).await?;
        }
        raise_version(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Sets one tag of a source, or takes it away; the source as it is then, durable. Whoever replaces the source at the
    /// same time loses nothing but the race. The version rises only when the tag was another one.
    pub async fn set_tag(&self, id: &str, tag: &str, value: Option<&str>) -> Result<Source, Error> {
        let mut tx = self.db.write.begin_with("BEGIN IMMEDIATE").await?;
        let row = sqlx::query("SELECT id, body FROM source WHERE id = $1").bind(id).fetch_optional(&mut *tx).await?;
        let mut source =
            row.as_ref().map(source_of).transpose()?.ok_or_else(|| Error::Missing(format!("source {id}")))?;
        let before = match value {
            Some(value) => source.tags.insert(tag.to_owned(), value.to_owned()),
            None => source.tags.remove(tag),
        };
        if before.as_deref() == value {
            return Ok(source);
        }
        sqlx::query("UPDATE source SET body = $1 WHERE id = $2").bind(json(&source)).bind(id).execute(&mut *tx).await?;
        raise_version(&mut tx).await?;
        tx.commit().await?;
        Ok(source)
    }

    /// Removes sources; answers how many there were.
    pub async fn remove_sources(&self, ids: &[SourceId]) -> Result<u64, Error> {
        let mut tx = self.db.write.begin_with("BEGIN IMMEDIATE").await?;
        let mut removed = 0;
        for id in ids {
            removed += sqlx::query("DELETE FROM source WHERE id = $1")
                .bind(id.as_str())
                .execute(&mut *tx)
                .await?
                .rows_affected();
        }
        raise_version(&mut tx).await?;
        tx.commit().await?;
        Ok(removed)
    }

    /// All grids, by id.
    pub async fn grids(&self) -> Result<Vec<Grid>, Error> {
        let rows =
            sqlx::query("SELECT id, name, parent, outline FROM grid ORDER BY id").fetch_all(&self.db.read).await?;
        rows.iter()
            .map(|row| {
                let id: String = row.try_get("id")?;
                let outline: String = row.try_get("outline")?;
                let parent: Option<String> = row.try_get("parent")?;
                Ok(Grid {
                    name: row.try_get("name")?,
                    parent: parent.map(GridId::new),
                    outline: serde_json::from_str(&outline).map_err(|error| unreadable("grid", &id, error))?,
                    id: GridId::new(id),
                })
            })
            .collect()
    }

    /// Adds or replaces grids, all or none; durable when it returns.
    pub async fn put_grids(&self, grids: &[Grid]) -> Result<(), Error> {
        let mut tx = self.db.write.begin_with("BEGIN IMMEDIATE").await?;
        for grid in grids {
            sqlx::query(
                "INSERT INTO grid (id, name, parent, outline) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE \
                 SET name = excluded.name, parent = excluded.parent, outline = excluded.outline",
            )
            .bind(grid.id.as_str())
            .bind(&grid.name)
            .bind(grid.parent.as_ref().map(GridId::as_str))
            .bind(json(&grid.outline))
            .execute(&mut *tx)
            .await?;
        }
        raise_version(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn filter_sql(
        &self,
        query: &mut QueryBuilder<Sqlite>,
        filter: &SourceFilter,
        after: Option<&str>,
    ) -> Result<(), Error> {
        query.push(" WHERE id > ").push_bind(after.unwrap_or_default().to_owned());
        if let Some(kind) = filter.kind {
            query.push(" AND kind = ").push_bind(kind_text(kind));
        }
        if let Some(class) = &filter.class {
            query.push(" AND class = ").push_bind(class.clone());
        }
        if !filter.grids.is_empty() {
            let inside = with_inner(&self.grids().await?, &filter.grids);
            any_of(query, "grid", inside.iter().map(|id| id.as_str().to_owned()));
        }
        if !filter.owners.is_empty() {
            any_of(query, "owner", filter.owners.iter().map(|owner| owner.as_str().to_owned()));
        }
        if let Some(text) = filter.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let pattern = format!("%{escaped}%");
            query.push(" AND (id LIKE ").push_bind(pattern.clone()).push(" ESCAPE '\\' OR name LIKE ");
            query.push_bind(pattern).push(" ESCAPE '\\')");
        }
        Ok(())
    }
}

/// The given grids and all inside them.
pub fn with_inner(grids: &[Grid], wanted: &[GridId]) -> HashSet<GridId> {
    let mut children: HashMap<&GridId, Vec<&GridId>> = HashMap::new();
    for grid in grids {
        if let Some(parent) = &grid.parent {
            children.entry(parent).or_default().push(&grid.id);
        }
    }
    let mut inside = HashSet::new();
    let mut open: Vec<&GridId> = wanted.iter().collect();
    while let Some(id) = open.pop() {
        if inside.insert(id.clone()) {
            open.extend(children.get(id).into_iter().flatten());
        }
    }
    inside
}

fn any_of(query: &mut QueryBuilder<Sqlite>, column: &'static str, values: impl Iterator<Item = String>) {
    query.push(" AND ").push(column).push(" IN (");
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(")");
}

async fn raise_version(tx: &mut sqlx::Transaction<'_, Sqlite>) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO meta (name, value) VALUES ('registry_version', CAST('1' AS BLOB)) ON CONFLICT (name) DO UPDATE \
         SET value = CAST(CAST(CAST(CAST(value AS TEXT) AS BIGINT) + 1 AS TEXT) AS BLOB)",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn source_of(row: &SqliteRow) -> Result<Source, Error> {
    let id: String = row.try_get("id")?;
    let body: String = row.try_get("body")?;
    serde_json::from_str(&body).map_err(|error| unreadable("source", &id, error))
}

pub(crate) fn unreadable(what: &'static str, row: &str, error: impl std::fmt::Display) -> Error {
    Error::Unreadable { what, row: row.to_owned(), detail: error.to_string() }
}

pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("model types have string keys and finite numbers")
}

fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Camera => "camera",
        Kind::Sensor => "sensor",
    }
}
