//! `gridward user` and `gridward token`.

use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, bail};
use model::log::Audit;
use model::{Actor, GridId, LogBody, Owner, Role, Scope, Timestamp, UserId};
use storage::{MIN_PASSWORD_CHARS, Opener, Storage};

/// The scope as given on the command line; checked by [`known`].
pub fn scope(grids: Vec<String>, owners: Vec<String>) -> anyhow::Result<Scope> {
    let owners = owners.iter().map(|text| {
        let found = Owner::ALL.into_iter().find(|owner| owner.as_str() == text);
        found.with_context(|| format!("owner {text:?}: expected one of governance, police, traffic, telecom, resident"))
    });
    Ok(Scope {
        grids: grids.iter().map(|id| GridId::new(id.as_str())).collect(),
        owners: owners.collect::<Result<_, _>>()?,
    })
}

/// Adds a person.
pub async fn add_user(
    config: &Path,
    name: &str,
    role: Role,
    scope: anyhow::Result<Scope>,
    password_stdin: bool,
) -> anyhow::Result<()> {
    let (storage, scope) = open(config, scope?).await?;
    let id = UserId::parse(name).with_context(|| format!("name {name:?}"))?;
    let password = password(password_stdin)?;
    storage.users().add(&id, &password, role, &scope).await?;
    note(&storage, "user.add", name, serde_json::json!({ "role": role, "scope": scope })).await?;
    println!("added {name} as {}", role.as_str());
    if !password_stdin {
        println!("password: {password}");
    }
    Ok(())
}

/// Gives a person another password; their sessions end, and a lock on their name is lifted.
pub async fn set_password(config: &Path, name: &str, password_stdin: bool) -> anyhow::Result<()> {
    let (storage, _) = open(config, Scope::default()).await?;
    let password = password(password_stdin)?;
    storage.users().set_password(name, &password).await?;
    note(&storage, "user.password", name, serde_json::Value::Null).await?;
    println!("{name} has a new password");
    if !password_stdin {
        println!("password: {password}");
    }
    Ok(())
}

/// From the first line of standard input, or made up.
fn password(stdin: bool) -> anyhow::Result<String> {
    if !stdin {
        // As strong as a token, made the same way.
        return Ok(storage::random_password());
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read the password")?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.chars().count() < MIN_PASSWORD_CHARS {
        bail!("the password has fewer than {MIN_PASSWORD_CHARS} characters");
    }
    Ok(password.to_owned())
}

/// Makes a token and prints its secret alone, so that a script can take it.
pub async fn create_token(
    config: &Path,
    name: Option<String>,
    role: Role,
    scope: anyhow::Result<Scope>,
) -> anyhow::Result<()> {
    let (storage, scope) = open(config, scope?).await?;
    let name = name.unwrap_or_else(|| format!("token-{}", Timestamp::now().as_millisecond()));
    let id = UserId::parse(&name).with_context(|| format!("name {name:?}"))?;
    let token = storage.users().create_token(&id, role, &scope).await?;
    note(&storage, "token.create", &name, serde_json::json!({ "role": role, "scope": scope })).await?;
    println!("{}", token.secret);
    Ok(())
}

async fn open(config: &Path, scope: Scope) -> anyhow::Result<(Storage, Scope)> {
    let settings = crate::settings::read(config)?;
    let (storage, _) = Storage::open(&settings.storage, Opener::Tool).await?;
    let grids = storage.registry().grids().await?;
    if let Some(unknown) = scope.grids.iter().find(|id| !grids.iter().any(|grid| grid.id == **id)) {
        bail!("grid {unknown} is not known; import the sources first");
    }
    Ok((storage, scope))
}

async fn note(storage: &Storage, action: &str, subject: &str, detail: serde_json::Value) -> anyhow::Result<()> {
    let audit = Audit { action: action.to_owned(), subject: subject.to_owned(), purpose: None, detail };
    storage.log().append(&Actor::Console, Timestamp::now(), vec![LogBody::Audit(audit)]).await?;
    Ok(())
}
