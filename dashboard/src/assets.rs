//! The console's files, out of the binary.

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::Embed;

#[derive(Embed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Dist;

const NO_UI: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Gridward</title>\
<body style=\"font:16px sans-serif;max-width:40em;margin:4em auto\"><h1>Gridward</h1>\
<p>This binary was built without its console. Run <code>make web</code> and build again.</p>\
<p>The API is at <a href=\"/api/openapi.json\">/api/openapi.json</a>.</p>";

/// Any path outside the API: a file of the console, or its page, which finds its way by the path itself.
pub async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") {
        return crate::error::ApiError::not_found("route").into_response();
    }
    let (name, found) = match Dist::get(path).filter(|_| !path.is_empty()) {
        Some(file) => (path, Some(file)),
        // The console's page may name a source, whose id may hold a dot; files lie at the top and under assets.
        None if path.starts_with("assets/") || (path.contains('.') && !path.contains('/')) => {
            return StatusCode::NOT_FOUND.into_response();
        }
        None => ("index.html", Dist::get("index.html")),
    };
    let Some(file) = found else { return Html(NO_UI).into_response() };
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let packed = [("br", ".br"), ("gzip", ".gz")].into_iter().find_map(|(encoding, suffix)| {
        let wanted = accepts.split(',').any(|e| e.trim().split(';').next() == Some(encoding));
        wanted.then(|| Dist::get(&format!("{name}{suffix}"))).flatten().map(|file| (encoding, file))
    });
    let etag: String = file.metadata.sha256_hash()[..8].iter().map(|b| format!("{b:02x}")).collect();
    let etag = format!("\"{etag}\"");
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    if headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()) == Some(etag.as_str()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    let kind = mime_guess::from_path(name).first_or_octet_stream().to_string();
    let fixed = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache.to_owned()),
        (header::ETAG, etag),
        (header::VARY, "accept-encoding".to_owned()),
    ];
    match packed {
        Some((encoding, packed)) => (fixed, [(header::CONTENT_ENCODING, encoding)], packed.data).into_response(),
        None => (fixed, file.data).into_response(),
    }
}
