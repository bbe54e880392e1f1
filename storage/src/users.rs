//! Users, their passwords, tokens and sessions. Passwords, tokens and session keys are kept as hashes only.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use model::{Role, Scope, Timestamp, UserId};
use rand::RngCore;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tokio::sync::Semaphore;

use crate::Error;
use crate::db::Db;
use crate::registry::{json, unreadable};

/// Wrong passwords in a row before a name is locked.
const FREE_FAILURES: i64 = 5;
/// The first lock's length in seconds; doubled with each further failure.
const FIRST_LOCK_S: i64 = 60;
/// The longest lock in seconds.
const LONGEST_LOCK_S: i64 = 900;
/// After this long without a wrong password a name's count begins anew, and its row is deleted.
const FORGET_MS: i64 = 3_600_000;
/// Passwords checked at a time: argon2 takes 19 MiB and a core for each.
const CHECKS: usize = 4;
/// How long a check waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// The shortest password taken.
pub const MIN_PASSWORD_CHARS: usize = 8;

/// A person who may log in.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The name.
    pub name: UserId,
    /// The role.
    pub role: Role,
    /// Which part of the town.
    pub scope: Scope,
    /// Since when.
    pub created_at: Timestamp,
}

/// A token for a program, without its secret.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenInfo {
    /// Its id; the actor in the log.
    pub id: UserId,
    /// The role.
    pub role: Role,
    /// Which part of the town.
    pub scope: Scope,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// A token as it is told once.
#[derive(Clone, PartialEq)]
pub struct NewToken {
    /// Its id.
    pub id: UserId,
    /// The secret; it cannot be told again.
    pub secret: String,
}

/// Too many wrong passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lockout {
    /// Seconds until the next try is heard.
    pub retry_after_s: u64,
}

/// Users, tokens, sessions.
#[derive(Clone)]
pub struct Users {
    db: Db,
    checks: Arc<Semaphore>,
}

impl Users {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, checks: Arc::new(Semaphore::new(CHECKS)) }
    }

    /// Adds a person; an error when the name is taken.
    pub async fn add(&self, name: &UserId, password: &str, role: Role, scope: &Scope) -> Result<(), Error> {
        let hash = hash_password(password).await?;
        let added = sqlx::query(
            "INSERT INTO person (name, role, scope, password, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(name.as_str())
        .bind(role.as_str())
        .bind(json(scope))
        .bind(hash)
        .bind(Timestamp::now().to_string())
        .execute(&self.db.write)
        .await?;
        if added.rows_affected() == 0 { Err(Error::Exists(format!("user {name}"))) } else { Ok(()) }
    }

    /// Removes a person and ends their sessions.
    pub async fn remove(&self, name: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM session WHERE person = $1").bind(name).execute(&self.db.write).await?;
        let gone = sqlx::query("DELETE FROM person WHERE name = $1").bind(name).execute(&self.db.write).await?;
        if gone.rows_affected() == 0 { Err(Error::Missing(format!("user {name}"))) } else { Ok(()) }
    }

    /// Gives a person another password, ends their sessions and lifts a lock on their name.
    pub async fn set_password(&self, name: &str, password: &str) -> Result<(), Error> {
        let hash = hash_password(password).await?;
        let mut change = self.db.write.begin().await?;
        let found = sqlx::query("UPDATE person SET password = $2 WHERE name = $1")
            .bind(name)
            .bind(hash)
            .execute(&mut *change)
            .await?;
        if found.rows_affected() == 0 {
            return Err(Error::Missing(format!("user {name}")));
        }
        sqlx::query("DELETE FROM session WHERE person = $1").bind(name).execute(&mut *change).await?;
        sqlx::query("DELETE FROM attempt WHERE name = $1").bind(name).execute(&mut *change).await?;
        change.commit().await?;
        Ok(())
    }

    /// All people, by name.
    pub async fn list(&self) -> Result<Vec<User>, Error> {
        let rows = sqlx::query("SELECT name, role, scope, created_at FROM person ORDER BY name")
            .fetch_all(&self.db.read)
            .await?;
        rows.iter().map(user_of).collect()
    }

    /// One person.
    pub async fn get(&self, name: &str) -> Result<Option<User>, Error> {
        let row = sqlx::query("SELECT name, role, scope, created_at FROM person WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.db.read)
            .await?;
        row.as_ref().map(user_of).transpose()
    }

    /// The person, when the password is right; takes as long for a name that does not exist. Few are checked at a time:
    /// [`Error::Busy`] when the turn does not come.
    pub async fn check(&self, name: &str, password: &str) -> Result<Option<User>, Error> {
        let stored: Option<String> = sqlx::query_scalar("SELECT password FROM person WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.db.read)
            .await?;
        let known = stored.is_some();
        let turn = tokio::time::timeout(TURN, self.checks.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Error::Busy) };
        let right = verify_password(password, stored).await?;
        if known && right { self.get(name).await } else { Ok(None) }
    }

    /// Whether the name is locked at `now`.
    pub async fn lockout(&self, name: &str, now: Timestamp) -> Result<Option<Lockout>, Error> {
        let until: Option<i64> = sqlx::query_scalar("SELECT until_ms FROM attempt WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.db.read)
            .await?;
        let left_ms = until.unwrap_or(0) - now.as_millisecond();
        Ok((left_ms > 0).then(|| Lockout { retry_after_s: u64::try_from(left_ms).unwrap_or(0).div_ceil(1_000) }))
    }

    /// Notes a wrong password; the fifth in a row locks the name for a minute, each further one for twice as long, at
    /// most 15 minutes. An hour without one and the count begins anew.
    pub async fn note_failure(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        let now_ms = now.as_millisecond();
        // Names are whatever strangers type; without this the table would hold them for ever.
        sqlx::query("DELETE FROM attempt WHERE until_ms < $1").bind(now_ms - FORGET_MS).execute(&self.db.write).await?;
        // Before it is locked, `until_ms` is the time of the last failure: over, and remembered.
        let failures: i64 = sqlx::query_scalar(
            "INSERT INTO attempt (name, failures, until_ms) VALUES ($1, 1, $2) ON CONFLICT (name) DO UPDATE \
             SET failures = attempt.failures + 1, until_ms = MAX(attempt.until_ms, $2) RETURNING failures",
        )
        .bind(name)
        .bind(now_ms)
        .fetch_one(&self.db.write)
        .await?;
        if failures >= FREE_FAILURES {
            let doublings = u32::try_from((failures - FREE_FAILURES).clamp(0, 10)).unwrap_or(0);
            let lock_s = (FIRST_LOCK_S << doublings).min(LONGEST_LOCK_S);
            sqlx::query("UPDATE attempt SET until_ms = $2 WHERE name = $1")
                .bind(name)
                .bind(now_ms + lock_s * 1_000)
                .execute(&self.db.write)
                .await?;
        }
        Ok(())
    }

    /// Forgets wrong passwords after a right one.
    pub async fn note_success(&self, name: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM attempt WHERE name = $1").bind(name).execute(&self.db.write).await?;
        Ok(())
    }

    /// Begins a session; answers its secret key.
    pub async fn begin_session(&self, name: &UserId, expires: Timestamp) -> Result<String, Error> {
        let key = secret();
        sqlx::query("DELETE FROM session WHERE expires_ms < $1")
            .bind(Timestamp::now().as_millisecond())
            .execute(&self.db.write)
            .await?;
        sqlx::query("INSERT INTO session (hash, person, expires_ms) VALUES ($1, $2, $3)")
            .bind(digest(&key))
            .bind(name.as_str())
            .bind(expires.as_millisecond())
            .execute(&self.db.write)
            .await?;
        Ok(key)
    }

    /// The person of a session that has not expired, and when it will.
    pub async fn session(&self, key: &str, now: Timestamp) -> Result<Option<(User, Timestamp)>, Error> {
        let row = sqlx::query(
            "SELECT p.name AS name, role, scope, created_at, expires_ms FROM session s JOIN person p ON p.name = s.person \
             WHERE hash = $1 AND expires_ms > $2",
        )
        .bind(digest(key))
        .bind(now.as_millisecond())
        .fetch_optional(&self.db.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let expires_ms: i64 = row.try_get("expires_ms")?;
        let expires = Timestamp::from_millisecond(expires_ms).map_err(|e| unreadable("session", "", e))?;
        Ok(Some((user_of(&row)?, expires)))
    }

    /// Moves a session's end.
    pub async fn extend_session(&self, key: &str, expires: Timestamp) -> Result<(), Error> {
        sqlx::query("UPDATE session SET expires_ms = $2 WHERE hash = $1")
            .bind(digest(key))
            .bind(expires.as_millisecond())
            .execute(&self.db.write)
            .await?;
        Ok(())
    }

    /// Ends a session.
    pub async fn end_session(&self, key: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM session WHERE hash = $1").bind(digest(key)).execute(&self.db.write).await?;
        Ok(())
    }

    /// Makes a token for a program.
    pub async fn create_token(&self, id: &UserId, role: Role, scope: &Scope) -> Result<NewToken, Error> {
        let secret = format!("gw_{}", secret());
        let added = sqlx::query(
            "INSERT INTO token (id, role, scope, hash, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(id.as_str())
        .bind(role.as_str())
        .bind(json(scope))
        .bind(digest(&secret))
        .bind(Timestamp::now().to_string())
        .execute(&self.db.write)
        .await?;
        if added.rows_affected() == 0 {
            return Err(Error::Exists(format!("token {id}")));
        }
        Ok(NewToken { id: id.clone(), secret })
    }

    /// The token with this secret; notes its use, to the minute.
    pub async fn token(&self, secret: &str, now: Timestamp) -> Result<Option<TokenInfo>, Error> {
        let row = sqlx::query("SELECT id, role, scope, created_at, last_used_at FROM token WHERE hash = $1")
            .bind(digest(secret))
            .fetch_optional(&self.db.read)
            .await?;
        let Some(token) = row.as_ref().map(token_of).transpose()? else { return Ok(None) };
        let recently = token.last_used_at.is_some_and(|at| now.duration_since(at).as_secs() < 60);
        if !recently {
            let noted = sqlx::query("UPDATE token SET last_used_at = $2 WHERE id = $1")
                .bind(token.id.as_str())
                .bind(now.to_string())
                .execute(&self.db.write)
                .await;
            // With a full disk the token still opens what can be read.
            noted.map_or_else(|error| tracing::debug!(%error, "a token's use could not be noted"), drop);
        }
        Ok(Some(token))
    }

    /// All tokens, by id.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, Error> {
        let rows = sqlx::query("SELECT id, role, scope, created_at, last_used_at FROM token ORDER BY id")
            .fetch_all(&self.db.read)
            .await?;
        rows.iter().map(token_of).collect()
    }

    /// Takes a token back.
    pub async fn revoke_token(&self, id: &str) -> Result<(), Error> {
        let gone = sqlx::query("DELETE FROM token WHERE id = $1").bind(id).execute(&self.db.write).await?;
        if gone.rows_affected() == 0 { Err(Error::Missing(format!("token {id}"))) } else { Ok(()) }
    }
}

async fn hash_password(password: &str) -> Result<String, Error> {
    let password = password.to_owned();
    blocking(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())).await
}

/// Compares with the stored hash, or with a hash nobody's password has, so that both take the same time.
async fn verify_password(password: &str, stored: Option<String>) -> Result<bool, Error> {
    let password = password.to_owned();
    blocking(move || {
        let Some(stored) = stored else {
            let _ = Argon2::default().hash_password(password.as_bytes());
            return Ok(false);
        };
        let hash = PasswordHash::new(&stored)?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

/// argon2 takes tens of milliseconds of CPU by design: never on an async worker.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, argon2::password_hash::Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?;
    done.map_err(|error| unreadable("password", "", error))
}

/// A password for a person, when none was given: 80 random bits in hex.
pub fn random_password() -> String {
    let mut bytes = [0u8; 10];
    rand::rng().fill_bytes(&mut bytes);
    hex(&bytes)
}

/// 256 random bits in hex.
fn secret() -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    hex(&bytes)
}

/// The secrets have 256 random bits, so that one round of SHA-256 is enough.
fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn user_of(row: &SqliteRow) -> Result<User, Error> {
    let name: String = row.try_get("name")?;
    let (role, scope) = rights_of(row, "user", &name)?;
    Ok(User { role, scope, created_at: time_of(row, "created_at", &name)?, name: UserId::new(name) })
}

fn token_of(row: &SqliteRow) -> Result<TokenInfo, Error> {
    let id: String = row.try_get("id")?;
    let (role, scope) = rights_of(row, "token", &id)?;
    let used: Option<String> = row.try_get("last_used_at")?;
    let last_used_at = used.and_then(|text| text.parse().ok());
    Ok(TokenInfo { role, scope, created_at: time_of(row, "created_at", &id)?, last_used_at, id: UserId::new(id) })
}

fn rights_of(row: &SqliteRow, what: &'static str, name: &str) -> Result<(Role, Scope), Error> {
    let (role, scope): (String, String) = (row.try_get("role")?, row.try_get("scope")?);
    let role = Role::ALL.into_iter().find(|r| r.as_str() == role).ok_or_else(|| unreadable(what, name, "role"))?;
    Ok((role, serde_json::from_str(&scope).map_err(|error| unreadable(what, name, error))?))
}

fn time_of(row: &SqliteRow, column: &str, name: &str) -> Result<Timestamp, Error> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error: jiff::Error| unreadable("user", name, error))
}
