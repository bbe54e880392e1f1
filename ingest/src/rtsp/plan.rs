//! From a camera in the registry to the streams that may be pulled.

use std::sync::Arc;

use model::status::Transport;
use model::{BackendChoice, Kind, Profile, PullMode, PullTags, SourceId, TlsPolicy};
use url::Url;
use video::StreamKey;

use super::{CameraSpec, Credentials};

/// The ports where a URL names none (RFC 2326, section 3.2; RFC 7826, section 4.2).
const RTSP_PORT: u16 = 554;
const RTSPS_PORT: u16 = 322;

/// One session that may be opened: a URL and the rings it feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub source: SourceId,
    /// The profiles that the stream serves: both when the camera has no sub stream.
    pub profiles: Vec<Profile>,
    /// Where to pull from, or what is wrong with it.
    pub target: Result<Target, String>,
    pub credentials: Option<Credentials>,
    /// As wished for by the tags; see `attempts` for what is done.
    pub transport: Transport,
    pub backend: BackendChoice,
    /// Pulled whether or not somebody watches.
    pub always: bool,
    /// Asked now and then how it is, while nobody watches.
    pub probed: bool,
    /// Connected before others: by its class, or by the tag `priority=key`.
    pub key_site: bool,
}

/// Where to pull from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub url: Url,
    /// Address and port: what the governor counts slots by.
    pub host: Arc<str>,
    /// Of `rtsps://`: which certificate is trusted.
    pub tls: Option<TlsPolicy>,
}

impl Plan {
    pub(crate) fn key(&self) -> StreamKey {
        (self.source.clone(), self.profiles[0])
    }

    /// Whether a running session of `self` serves `new` as well.
    pub(crate) fn same_session(&self, new: &Plan) -> bool {
        self.target == new.target
            && self.credentials == new.credentials
            && self.transport == new.transport
            && self.backend == new.backend
            && self.profiles == new.profiles
    }
}

/// The sessions of a camera: one for each profile, or one for both when there is no sub stream.
pub(crate) fn plans(spec: &CameraSpec, key_classes: &[String]) -> Vec<Plan> {
    let source = &spec.source;
    if source.kind != Kind::Camera {
        return Vec::new();
    }
    // An import refuses tags with other words. Those of an older registry count as none, but for the two on which trust and
    // the order of a power cut rest.
    let tags = PullTags::read(&source.tags);
    let tls = tags.tls.map_err(|problem| format!("the tag {problem}"));
    let target = |url: Url| target(url, tls.clone());
    let always = source.mode == PullMode::Always;
    let key_site = tags.is_key.unwrap_or(Some(false)).unwrap_or_else(|| key_classes.contains(&source.class));
    let (transport, backend) = (tags.transport.unwrap_or(Transport::Tcp), tags.backend.unwrap_or_default());
    let is_tls = |target: &Result<Target, String>| target.as_ref().is_ok_and(|target| target.tls.is_some());
    let plan = |profiles: &[Profile], target: Result<Target, String>, always: bool, probed| Plan {
        source: source.id.clone(),
        profiles: profiles.to_vec(),
        credentials: spec.credentials.clone(),
        // Beside the connection nothing would be protected.
        transport: if is_tls(&target) { Transport::Tcp } else { transport },
        backend,
        always,
        probed,
        key_site,
        target,
    };
    let main = parse(&source.url);
    match source.tags.get("sub").map(|sub| sub.trim()).filter(|sub| !sub.is_empty()) {
        None => vec![plan(&[Profile::Main, Profile::Sub], main.and_then(target), always, !always)],
        Some(sub) => {
            let resolved = match main.as_ref() {
                _ if sub.contains("://") => parse(sub),
                Ok(main) => main.join(sub).map_err(|e| format!("the tag sub is no path: {e}")),
                Err(e) => Err(e.clone()),
            };
            vec![
                plan(&[Profile::Main], main.and_then(target), false, false),
                plan(&[Profile::Sub], resolved.and_then(target), always, !always),
            ]
        }
    }
}

fn parse(text: &str) -> Result<Url, String> {
    Url::parse(text.trim()).map_err(|e| format!("no URL: {e}"))
}

fn target(url: Url, tls: Result<TlsPolicy, String>) -> Result<Target, String> {
    let (port, tls) = match url.scheme() {
        "rtsp" => (RTSP_PORT, None),
        "rtsps" => (RTSPS_PORT, Some(tls?)),
        other => return Err(format!("the URL begins with {other}://, expected rtsp:// or rtsps://")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL holds credentials, which have fields of their own".into());
    }
    let Some(host) = url.host_str().filter(|h| !h.is_empty()) else {
        return Err("the URL names no host".into());
    };
    let host = format!("{}:{}", host.to_ascii_lowercase(), url.port().unwrap_or(port)).into();
    Ok(Target { url, host, tls })
}

#[cfg(test)]
mod tests {
    use model::Source;

    use super::*;

    fn camera(url: &str, tags: &[(&str, &str)]) -> CameraSpec {
        let source = Source {
            class: "street".into(),
            url: url.into(),
            tags: tags.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            ..Source::new("cam-1", Kind::Camera, model::Owner::Governance, "g")
        };
        CameraSpec { source: Arc::new(source), credentials: None }
    }

    fn urls(spec: &CameraSpec) -> Vec<(Vec<Profile>, String, bool)> {
        plans(spec, &[])
            .into_iter()
            .map(|p| (p.profiles, p.target.map_or_else(|e| e, |t| format!("{} @ {}", t.url, t.host)), p.always))
            .collect()
    }

    #[test]
    fn without_a_sub_stream_one_session_serves_both() {
        let found = urls(&camera("rtsp://10.0.0.1/main", &[]));
        assert_eq!(found, [(vec![Profile::Main, Profile::Sub], "rtsp://10.0.0.1/main @ 10.0.0.1:554".into(), true)]);
    }

    #[test]
    fn a_sub_stream_is_a_path_on_the_same_host_or_a_url() {
        let found = urls(&camera("rtsp://NVR:8554/Ch/101?a=1", &[("sub", "/Ch/102?a=2")]));
        assert_eq!(found[0], (vec![Profile::Main], "rtsp://NVR:8554/Ch/101?a=1 @ nvr:8554".into(), false));
        assert_eq!(found[1], (vec![Profile::Sub], "rtsp://NVR:8554/Ch/102?a=2 @ nvr:8554".into(), true));
        let found = urls(&camera("rtsp://a/1", &[("sub", "rtsp://b:1/2")]));
        assert_eq!(found[1].1, "rtsp://b:1/2 @ b:1");
    }

    #[test]
    fn a_key_site_is_one_by_its_class_or_its_tag() {
        let key = |tags: &[(&str, &str)], classes: &[&str]| {
            let classes: Vec<String> = classes.iter().map(|c| (*c).to_owned()).collect();
            plans(&camera("rtsp://a/1", tags), &classes)[0].key_site
        };
        assert!(key(&[], &["school_gate", "street"]));
        assert!(!key(&[], &["school_gate"]));
        assert!(key(&[("priority", "key")], &[]));
        assert!(!key(&[("priority", "usual")], &["street"]), "the tag overrides the class");
    }

    #[test]
    fn rtsps_has_a_port_and_a_policy_and_no_udp() {
        let plan = plans(&camera("rtsps://cam/1", &[("transport", "udp"), ("tls", "insecure")]), &[]).remove(0);
        let target = plan.target.unwrap();
        assert_eq!((target.host.as_ref(), target.tls), ("cam:322", Some(TlsPolicy::Insecure)));
        assert_eq!(plan.transport, Transport::Tcp);
        assert!(plans(&camera("rtsps://cam/1", &[("tls", "pin:ab")]), &[])[0].target.is_err());
        let plain = plans(&camera("rtsp://cam/1", &[("transport", "udp")]), &[]).remove(0);
        assert_eq!((plain.target.unwrap().tls, plain.transport), (None, Transport::Udp));
    }

    #[test]
    fn urls_that_cannot_be_used_are_told_without_their_secrets() {
        for bad in ["", "http://10.0.0.1/", "rtsp://root:secret@10.0.0.1/", "rtsp:///x"] {
            let plan = plans(&camera(bad, &[]), &[]).remove(0);
            let told = plan.target.expect_err(bad);
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
