//! The words of a message, in the town's language.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::alarm::Title;
use model::{Hazard, Level};

use crate::notice::{Kind, Notice};
use crate::telling::{Language, Telling};

/// A message in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One line.
    pub subject: String,
    /// Some lines; the first one is the subject.
    pub body: String,
}

/// A message in the words of the file's language.
pub fn words(notice: &Notice, telling: &Telling) -> Words {
    let zh = telling.language == Language::Zh;
    let content = &notice.content;
    let say = |title: &Title| if zh { title.zh.clone() } else { title.en.clone() };
    let level = level(content.level, zh);
    let why = match (content.kind, zh) {
        (Kind::Opened | Kind::Summary, _) => String::new(),
        (Kind::Risen, true) => "升级 ".to_owned(),
        (Kind::Risen, false) => "graver: ".to_owned(),
        (Kind::Escalated, true) => "无人处理 ".to_owned(),
        (Kind::Escalated, false) => "still waiting: ".to_owned(),
        (Kind::Over, true) => "已结束 ".to_owned(),
        (Kind::Over, false) => "over: ".to_owned(),
    };
    let subject = one_line(&if zh {
        format!("【{level}】{why}{}", say(&content.title))
    } else {
        format!("[{level}] {why}{}", say(&content.title))
    });
    let mut lines = vec![subject.clone()];
    let mut line = |name_zh: &str, name_en: &str, value: &str| {
        if !value.is_empty() {
            let (name, colon) = if zh { (name_zh, "：") } else { (name_en, ": ") };
            lines.push(format!("{name}{colon}{}", one_line(value)));
        }
    };
    let zone = telling.zone();
    if content.kind == Kind::Summary {
        for item in &content.items {
            let when = clock(item.at, &zone);
            lines.push(one_line(&format!(
                "{when} {} {} {}",
                self::level(item.level, zh),
                say(&item.title),
                item.incident
            )));
        }
        let rest = content.count.saturating_sub(content.items.len());
        if rest > 0 {
            lines.push(if zh {
                format!("另有 {rest} 条，见控制台")
            } else {
                format!("and {rest} more, see the console")
            });
        }
        return Words { subject, body: lines.join("\n") };
    }
    let hazard = content.hazard.map(|hazard| self::hazard(hazard, zh)).unwrap_or_default();
    line("险种", "Hazard", hazard);
    line("网格", "Grid", &content.grid_name);
    line("时间", "Since", &clock(content.reported_at, &zone));
    let place = content.place.map(|place| format!("{:.5}, {:.5}", place.lat, place.lon)).unwrap_or_default();
    line("位置", "Place", &place);
    line("处置", "Action", &content.action.as_ref().map(say).unwrap_or_default());
    if content.kind == Kind::Escalated {
        let minutes = content.waited_s / 60;
        let waited = if zh { format!("{minutes} 分钟") } else { format!("{minutes} min") };
        line("已等待", "Waited", &waited);
    }
    line("编号", "Incident", notice.incident.as_ref().map(|id| id.as_str()).unwrap_or_default());
    Words { subject, body: lines.join("\n") }
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string()
}

/// Titles of people's reports may hold anything; a message's line is one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn level(level: Level, zh: bool) -> &'static str {
    match (level, zh) {
        (Level::Blue, true) => "蓝色 IV",
        (Level::Yellow, true) => "黄色 III",
        (Level::Orange, true) => "橙色 II",
        (Level::Red, true) => "红色 I",
        (Level::Blue, false) => "blue IV",
        (Level::Yellow, false) => "yellow III",
        (Level::Orange, false) => "orange II",
        (Level::Red, false) => "red I",
    }
}

fn hazard(hazard: Hazard, zh: bool) -> &'static str {
    if !zh {
        return hazard.as_str();
    }
    match hazard {
        Hazard::Flood => "水情",
        Hazard::Fire => "火情",
        Hazard::Gas => "燃气与危化",
        Hazard::Geology => "地质",
        Hazard::Security => "治安",
        Hazard::Traffic => "交通",
        Hazard::Crowd => "人群",
        Hazard::Utility => "公共设施",
        Hazard::Environment => "环境",
        Hazard::Equipment => "设备",
        Hazard::Request => "诉求",
        Hazard::Other => "其他",
    }
}
