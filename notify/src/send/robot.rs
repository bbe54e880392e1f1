//! Robots of group chats: WeCom 企业微信, DingTalk 钉钉, Feishu 飞书. Each answers 200 also when it refuses, with a code.

use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::{Failure, http, sign};
use crate::telling::{Person, Robot, RobotKind};
use crate::text::Words;

/// The makers' addresses, up to the token.
const WECOM: &str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send";
const DINGTALK: &str = "https://oapi.dingtalk.com/robot/send";
const FEISHU: &str = "https://open.feishu.cn/open-apis/bot/v2/hook";
/// WeCom refuses a text of more than 2,048 bytes; the others take more.
const TEXT_BYTES: usize = 2_048;

pub(super) struct Group {
    kind: RobotKind,
    /// With the token in it.
    url: Url,
    secret: Option<String>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("kind", &self.kind).field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Group {
    pub fn new(config: &Robot) -> Result<Self, String> {
        let maker = match config.kind {
            RobotKind::Wecom => WECOM,
            RobotKind::Dingtalk => DINGTALK,
            RobotKind::Feishu => FEISHU,
        };
        let mut url = http::address(config.url.as_deref().unwrap_or(maker))?;
        let token = config.token.read()?;
        match config.kind {
            RobotKind::Wecom => drop(url.query_pairs_mut().append_pair("key", &token)),
            RobotKind::Dingtalk => drop(url.query_pairs_mut().append_pair("access_token", &token)),
            RobotKind::Feishu => {
                let mut path = url.path_segments_mut().map_err(|()| "an address without a path".to_owned())?;
                path.pop_if_empty().push(&token);
            }
        }
        let secret = config.secret.as_ref().map(|secret| secret.read()).transpose()?;
        Ok(Self { kind: config.kind, url, secret })
    }

    pub async fn send(&self, words: &Words, mention: Vec<&Person>, now: Timestamp) -> Result<(), Failure> {
        let (url, body) = self.request(words, &mention, now);
        let answer = http::post(&url, "application/json; charset=utf-8", &[], body.to_string()).await?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = ["errcode", "code", "StatusCode"].iter().find_map(|name| said.get(*name)?.as_i64());
        match code {
            Some(0) => Ok(()),
            Some(code) => {
                let why = ["errmsg", "msg"].iter().find_map(|name| said.get(*name)?.as_str()).unwrap_or_default();
                Err(Failure::new(format!("the robot refused: {code} {}", http::told(why.as_bytes()))))
            }
            None => Err(Failure::new(format!("no answer of a robot: {}", http::told(&answer.body)))),
        }
    }

    /// Where to, and what.
    fn request(&self, words: &Words, mention: &[&Person], now: Timestamp) -> (Url, Value) {
        let mut url = self.url.clone();
        let handles: Vec<&str> = mention.iter().filter_map(|person| person.handle.as_deref()).collect();
        // The makers know phones of China without the country's number.
        let of_person = |person: &&Person| {
            let phone = person.phone.as_deref().filter(|_| person.handle.is_none())?;
            Some(phone.strip_prefix("+86").unwrap_or(phone).to_owned())
        };
        let phones: Vec<String> = mention.iter().filter_map(of_person).collect();
        let body = match self.kind {
            RobotKind::Wecom => json!({
                "msgtype": "text",
                "text": {
                    "content": shortened(&words.body),
                    "mentioned_list": handles,
                    "mentioned_mobile_list": phones,
                },
            }),
            RobotKind::Dingtalk => {
                if let Some(secret) = &self.secret {
                    let ms = now.as_millisecond();
                    let sign = sign::base64_mac(secret.as_bytes(), format!("{ms}\n{secret}").as_bytes());
                    url.query_pairs_mut().append_pair("timestamp", &ms.to_string()).append_pair("sign", &sign);
                }
                let named = handles.iter().copied().chain(phones.iter().map(String::as_str));
                let named: String = named.map(|name| format!(" @{name}")).collect();
                json!({
                    "msgtype": "text",
                    "text": { "content": format!("{}{named}", words.body) },
                    "at": { "atMobiles": phones, "atUserIds": handles, "isAtAll": false },
                })
            }
            RobotKind::Feishu => {
                let named = mention.iter().filter_map(|person| Some((person.handle.as_deref()?, &person.name)));
                let plain = |text: &str| text.replace(['<', '>', '"'], " ");
                let named: String =
                    named.map(|(id, name)| format!(" <at user_id=\"{}\">{}</at>", plain(id), plain(name))).collect();
                let text = format!("{}{named}", words.body.replace("<at", "< at"));
                let mut body = json!({ "msg_type": "text", "content": { "text": text } });
                if let Some(secret) = &self.secret {
                    let second = now.as_second();
                    // As Feishu has it: the secret is in the key, and there is no message.
                    let sign = sign::base64_mac(format!("{second}\n{secret}").as_bytes(), b"");
                    body["timestamp"] = json!(second.to_string());
                    body["sign"] = json!(sign);
                }
                body
            }
        };
        (url, body)
    }
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(kind: RobotKind, secret: Option<&str>) -> Group {
        let url = http::address("https://robots.example/send?key=t0ken").unwrap();
        Group { kind, url, secret: secret.map(str::to_owned) }
    }

    fn person(handle: Option<&str>, phone: &str) -> Person {
        toml::from_str(&format!(
            "id = 'li'\nname = '<b>Li'\nphone = '{phone}'\n{}",
            handle.map(|h| format!("handle = '{h}'")).unwrap_or_default()
        ))
        .unwrap()
    }

    fn said() -> Words {
        Words { subject: "s".into(), body: "水位 <at user_id=\"all\">".into() }
    }

    #[test]
    fn wecom_mentions_by_handle_or_phone_and_is_never_too_long() {
        let (url, body) = group(RobotKind::Wecom, None).request(
            &Words { subject: "s".into(), body: "水".repeat(1_000) },
            &[&person(Some("li.z"), "+8613800000000"), &person(None, "+8613900000000")],
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(url.query(), Some("key=t0ken"));
        assert_eq!(body["text"]["content"].as_str().map(str::len), Some(2_046));
        assert_eq!(body["text"]["mentioned_list"], json!(["li.z"]));
        assert_eq!(body["text"]["mentioned_mobile_list"], json!(["13900000000"]));
    }

    #[test]
    fn dingtalk_is_signed_in_its_address() {
        let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let (url, body) =
            group(RobotKind::Dingtalk, Some("SECabc")).request(&said(), &[&person(None, "+8613900000000")], now);
        let pairs: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs["timestamp"], "1700000000123");
        assert_eq!(pairs["sign"], sign::base64_mac(b"SECabc", b"1700000000123\nSECabc"));
        assert_eq!(body["at"]["atMobiles"], json!(["13900000000"]));
        assert!(body["text"]["content"].as_str().unwrap().ends_with(" @13900000000"));
    }

    #[test]
    fn feishu_is_signed_in_its_body_and_nobody_is_mentioned_by_a_title() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let (_, body) = group(RobotKind::Feishu, Some("abc")).request(&said(), &[&person(Some("ou_1"), "1")], now);
        assert_eq!(body["timestamp"], "1700000000");
        assert_eq!(body["sign"], sign::base64_mac(b"1700000000\nabc", b""));
        let text = body["content"]["text"].as_str().unwrap();
        assert_eq!(text.matches("<at").count(), 1, "{text}");
        assert!(text.ends_with("<at user_id=\"ou_1\"> b Li</at>"), "{text}");
    }
}
