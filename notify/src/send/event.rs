//! A message as a CloudEvent 1.0 in structured JSON.

use serde_json::{Value, json};

use super::sign;
use crate::notice::Notice;

/// What CloudEvents are made by.
const SOURCE: &str = "/gridward";

/// The event; the same message gives the same event, so that whoever gets it twice can tell by its `id`.
pub(super) fn of(notice: &Notice) -> Value {
    let content = &notice.content;
    let incident = notice.incident.as_ref();
    let mut event = json!({
        "specversion": "1.0",
        "id": sign::digest(&notice.key),
        "source": SOURCE,
        "type": format!("gridward.incident.{}", content.kind.as_str()),
        "time": notice.at,
        "datacontenttype": "application/json",
        "data": {
            "incident": incident,
            "step": notice.step,
            "kind": content.kind,
            "title": content.title,
            "action": content.action,
            "level": content.level,
            "hazard": content.hazard,
            "grid": content.grid,
            "grid_name": content.grid_name,
            "place": content.place,
            "reported_at": content.reported_at,
            "waited_s": content.waited_s,
        },
    });
    if let (Some(incident), Value::Object(fields)) = (incident, &mut event) {
        fields.insert("subject".to_owned(), json!(incident));
    }
    event
}
