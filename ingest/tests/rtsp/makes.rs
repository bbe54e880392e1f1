//! Cameras as they are: answers with the oddities of real makes, each through the real session to real pictures.
//!
//! The samples are our own; what is odd about each was seen in the make it is named for (retina's and gortsplib's tests, and
//! the issues named).

use ingest::rtsp::RtspConfig;
use model::status::{Backend, Hint, Transport};
use model::{Profile, PullMode, SourceState, SourceStatus};

use super::make::{Make, SIZE, Sends, serve};
use super::support::{Hub, camera, camera_with, quick, with_login};

/// The makes, and who must read them in the end.
fn makes() -> Vec<(Make, Backend)> {
    let own = OWN.iter().map(|make| (*make, Backend::Retina));
    let odd = ODD.iter().map(|make| (*make, Backend::Ffmpeg));
    own.chain(odd).collect()
}

/// Taken by the usual session.
const OWN: [Make; 20] = [
    Make::PLAIN,
    Make {
        // No content type; a Session header before SETUP.
        name: "no-content-type",
        describe: "Session: l0TtlUFSR\r\nContent-Base: rtsp://{host}/live/\r\n",
        ..Make::PLAIN
    },
    Make {
        // Content-Base without a scheme (moonfire-nvr#356), and an origin of letters.
        name: "anjvision",
        describe: "Content-Type: application/sdp\r\nContent-Base: {host}/stream0/\r\n",
        sdp: "v=0\r\no=- 1109162014219182 1109162014219192 IN IP4 x.y.z.w\r\ns=RTSP/RTP stream from anjvision ipcamera\r\ne=NONE\r\n\
            c=IN IP4 0.0.0.0\r\na=tool:LIVE555 Streaming Media v2011.05.25 CHAM.LI@ANJVISION.COM\r\nt=0 0\r\na=range:npt=0-\r\n\
            a=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:trackID=1\r\na=fmtp:96 {fmtp}\r\n\
            a=x-dimensions: 128, 96\r\na=x-framerate: 25\r\na=appversion:1.0\r\n",
        ..Make::PLAIN
    },
    Make {
        // A base with a query; sound and ONVIF metadata that nobody asks for; a decimal SSRC that fits no 31 bits.
        name: "dahua",
        describe: "x-Accept-Dynamic-Rate: 1\r\nCache-Control: must-revalidate\r\nContent-Type: application/sdp\r\n\
            Content-Base: rtsp://{host}/cam/realmonitor?channel=1&subtype=1&unicast=true&proto=Onvif/\r\n",
        sdp: "v=0\r\no=- 2252542845 2252542845 IN IP4 0.0.0.0\r\ns=Media Server\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
            a=packetization-supported:DH\r\na=rtppayload-supported:DH\r\na=range:npt=now-\r\nm=video 0 RTP/AVP 96\r\n\
            a=control:trackID=0\r\na=framerate:25.000000\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\na=recvonly\r\n\
            m=audio 0 RTP/AVP 97\r\na=control:trackID=1\r\na=rtpmap:97 MPEG4-GENERIC/48000\r\n\
            a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1188\r\n\
            a=recvonly\r\nm=application 0 RTP/AVP 107\r\na=control:trackID=4\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n",
        play: "Session: 4711\r\nRTP-Info: url=trackID=0;seq=13210;rtptime=0;ssrc=4294962989\r\n",
        sends: Sends::SoundUnasked,
        ..Make::PLAIN
    },
    Make {
        // Control URLs in full, which name the camera by its own address; a space before the SSRC.
        name: "hikvision",
        describe: "Content-Type: application/sdp\r\nContent-Base: rtsp://{host}/Streaming/Channels/101/\r\n",
        sdp: "v=0\r\no=- 1620251477190769 1620251477190769 IN IP4 192.168.5.106\r\ns=Media Presentation\r\ne=NONE\r\nb=AS:5050\r\n\
            t=0 0\r\na=control:rtsp://192.168.5.106:554/Streaming/Channels/101/?transportmode=unicast&profile=Profile_1\r\n\
            m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:5000\r\na=recvonly\r\na=x-dimensions:128,96\r\n\
            a=control:rtsp://192.168.5.106:554/Streaming/Channels/101/trackID=1?transportmode=unicast&profile=Profile_1\r\n\
            a=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\n\
            a=Media_header:MEDIAINFO=494D4B48010100000400000100000000000000000000000000000000000000000000000000000000;\r\n",
        setup: "Transport: RTP/AVP/TCP;unicast;interleaved={channels};ssrc= badcafe\r\nSession: 708886412;timeout=60\r\n",
        ..Make::PLAIN
    },
    Make {
        // `IN` twice (mediamtx#227).
        name: "hikvision-double-in",
        sdp: "v=0\r\no=- 1109162014219182 0 IN IP4 0.0.0.0\r\ns=HIK Media Server V3.1.3\r\n\
            i=HIK Media Server Session Description : standard\r\ne=NONE\r\nc=IN c=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n\
            a=range:npt=now-\r\nm=video 0 RTP/AVP 96\r\ni=Video Media\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\n\
            a=control:trackID=video\r\na=appversion:1.0\r\n",
        ..Make::PLAIN
    },
    Make {
        // Sound that comes before PLAY is answered, on channels nobody asked for.
        name: "reolink",
        sdp: "v=0\r\no=- 1619813458434609 1 IN IP4 192.168.5.206\r\ns=Session streamed by \"preview\"\r\ni=h264Preview_01_main\r\n\
            t=0 0\r\na=tool:LIVE555 Streaming Media v2020.03.06\r\na=type:broadcast\r\na=control:*\r\na=range:npt=0-\r\n\
            m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:500\r\na=rtpmap:96 H264/90000\r\na=range:npt=0-\r\n\
            a=fmtp:96 {fmtp}\r\na=control:trackID=1\r\nm=audio 0 RTP/AVP 97\r\nc=IN IP4 0.0.0.0\r\nb=AS:256\r\n\
            a=rtpmap:97 MPEG4-GENERIC/16000\r\na=fmtp:97 streamtype=5;profile-level-id=15;mode=AAC-hbr;sizelength=13;\
            indexlength=3;indexdeltalength=3;config=1408; profile=1;\r\na=control:trackID=2\r\n",
        sends: Sends::SoundEarly,
        ..Make::PLAIN
    },
    Make {
        // The profile in base 64 instead of hex, and no origin at all (moonfire-nvr#187).
        name: "macrovideo",
        sdp: "v=0\r\ns=streamed by the macro-video rtsp server\r\nt=0 0\r\na=control:*\r\na=range:npt=0-\r\nc=IN IP4 0.0.0.0\r\n\
            m=video 0 RTP/AVP 96\r\nb=AS:500\r\na=rtpmap:96 H264/90000\r\n\
            a=fmtp:96 profile-level-id=TeAo;packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:track1\r\n",
        ..Make::PLAIN
    },
    Make {
        // A space behind the clock rate, a frame rate of `0S`, another spelling of CSeq beside it.
        name: "h264dvr",
        describe: "Content-Type: application/sdp\r\nServer: H264DVR 1.0\r\nContent-Base: rtsp://{host}/camera\r\n",
        sdp: "v=0\r\no=- 38990265062388 38990265062388 IN IP4 127.0.0.1\r\ns=RTSP Session\r\nc=IN IP4 192.168.168.100\r\nt=0 0\r\n\
            a=control:*\r\na=range:npt=0-\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000 \r\na=range:npt=0-\r\na=framerate:0S\r\n\
            a=fmtp:96 {fmtp}\r\na=framerate:25\r\na=control:trackID=3\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=4\r\n\
            a=rtpmap:8 PCMA/8000\r\n",
        ..Make::PLAIN
    },
    Make {
        // Blanks at the end of a media line.
        name: "vstarcam",
        sdp: "v=0\r\no=VSTC 3836411392 3836411392 IN IP4 192.168.1.198\r\ns=streamed by the VSTARCAM RTSP server\r\ne=NONE\r\n\
            c=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\nb=AS:1536\r\na=control:track0\r\na=rtpmap:96 H264/90000\r\n\
            a=fmtp:96 {fmtp}\r\nm=audio 0 RTP/AVP 8\t \r\nb=AS:64\r\na=control:track1\r\na=rtpmap:8 PCMA/8000/1\r\n",
        ..Make::PLAIN
    },
    Make {
        // One number too many in the origin, and a media line of its own kind (mediamtx#990).
        name: "tp-link",
        sdp: "v=0\r\no=- 14665860 31787219 1 IN IP4 192.168.4.226\r\ns=Session streamed by \"TP-LINK RTSP Server\"\r\nt=0 0\r\n\
            m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\nb=AS:4096\r\na=range:npt=0-\r\na=control:track1\r\n\
            a=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\nm=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:track2\r\n\
            m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 TP-LINK/90000\r\na=control:track3\r\n",
        ..Make::PLAIN
    },
    Make {
        // One number too few in the origin, no `t=`, controls in full (the firmware of H3C, Uniview and others).
        name: "geovision",
        sdp: "v=0\r\no=- 1001 1 IN IP4 192.168.5.237\r\ns=VCP IPC Realtime stream\r\nm=video 0 RTP/AVP 105\r\n\
            c=IN IP4 192.168.5.237\r\na=control:rtsp://{host}/media/video1/video\r\na=rtpmap:105 H264/90000\r\n\
            a=fmtp:105 {fmtp}\r\na=recvonly\r\nm=application 0 RTP/AVP 107\r\nc=IN IP4 192.168.5.237\r\n\
            a=control:rtsp://{host}/media/video1/metadata\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n\
            a=fmtp:107 DecoderTag=h3c-v3 RTCP=0\r\na=recvonly\r\n",
        ..Make::PLAIN
    },
    Make {
        // Two sound tracks with the same number, one with empty parameters, before the video.
        name: "ubiquiti",
        sdp: "v=0\r\no=- 221 0 IN IP4 192.168.0.1\r\ns=68D79AE46148_0\r\nu=www.evostream.com\r\ne=contact@evostream.com\r\n\
            c=IN IP4 192.168.0.1\r\nt=0 0\r\na=recvonly\r\na=control:*\r\na=range:npt=now-\r\nm=audio 0 RTP/AVP 96\r\na=recvonly\r\n\
            a=rtpmap:96 mpeg4-generic/48000/1\r\na=control:trackID=0\r\na=fmtp:96 streamtype=5; profile-level-id=15; mode=AAC-hbr; \
            config=1188; SizeLength=13; IndexLength=3; IndexDeltaLength=3;\r\nm=audio 0 RTP/AVP 96\r\na=recvonly\r\n\
            a=rtpmap:96 opus/48000/2\r\na=control:trackID=1\r\na=fmtp:96\r\nm=video 0 RTP/AVP 97\r\na=recvonly\r\n\
            a=control:trackID=2\r\na=rtpmap:97 H264/90000\r\na=fmtp:97 {fmtp}\r\n",
        sends: Sends::SoundUnasked,
        ..Make::PLAIN
    },
    Make {
        // No `unicast` in the transport, and a session without a timeout (retina#120).
        name: "luckfox",
        setup: "Transport: RTP/AVP/TCP;ssrc=0badcafe;interleaved={channels}\r\nSession: 12345678\r\n",
        ..Make::PLAIN
    },
    Make {
        // An SSRC in C's notation; a challenge that nobody needs.
        name: "rubetek",
        setup: "Transport: RTP/AVP/TCP;unicast;interleaved={channels};ssrc=0xbadcafe;mode=\"PLAY\"\r\nSession: 5657612475258969210\r\n\
            WWW-Authenticate: Digest realm=\"Rubetek IP camera device\",nonce=\"7257f76204da0f14294c763e2fba0411\"\r\n",
        ..Make::PLAIN
    },
    Make {
        // RTP times below zero (moonfire-nvr#224).
        name: "bad-rtptime",
        play: "Session: 4711\r\nRTP-Info: url=track1;seq=1;rtptime=-1\r\nRange: npt=0.0-596.48\r\n",
        ..Make::PLAIN
    },
    Make {
        // RTP-Info that ends with a semicolon, and begins at 0 where the packets do not.
        name: "laureii",
        play: "Session: 4711\r\nRange: npt=0.000-\r\nRTP-Info: url=rtsp://{host}/live/track1;seq=0;rtptime=0;\r\n",
        ..Make::PLAIN
    },
    Make {
        // A challenge with nothing but realm and nonce.
        name: "longse",
        challenge: "Server: Rtsp Server 1920*1080*20*2048\r\n\
            WWW-Authenticate: Digest realm=\"Surveillance Server\", nonce=\"98481030\"\r\n",
        ..Make::PLAIN
    },
    Make {
        // Digest and Basic offered at once, digest with MD5 spelled out and an opaque text.
        name: "axis",
        challenge: "WWW-Authenticate: Digest realm=\"AXIS_00408CA51334\", nonce=\"000579bfY7302021fbd42e94ba2ba3f6a\", \
            stale=FALSE, algorithm=MD5, opaque=\"x\"\r\nWWW-Authenticate: Basic realm=\"AXIS_00408CA51334\"\r\n",
        ..Make::PLAIN
    },
    Make {
        // Header extensions and padding in every packet, as ONVIF replay and some makes send them.
        name: "rtp-extensions",
        sends: Sends::Extended,
        ..Make::PLAIN
    },
];

/// Beyond the usual session, and taken by FFmpeg.
const ODD: [Make; 7] = [
    Make {
        // Something that is no line, before a line of the session: the library fails over its own assertion (sdp-types 0.1.8).
        name: "no-line",
        sdp: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nno line\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
            a=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\na=control:track1\r\n",
        ..Make::PLAIN
    },
    Make {
        // An origin that ends behind `IN ` (gortsplib#618, mediamtx#4660).
        name: "uniview",
        sdp: "v=0\r\no=- 1001 1 IN \r\ns=VCP IPC Realtime stream\r\nm=video 0 RTP/AVP 105\r\nc=IN IP4 0.0.0.0\r\n\
            a=control:rtsp://{host}/media/video1/video\r\na=rtpmap:105 H264/90000\r\na=fmtp:105 {fmtp}\r\na=recvonly\r\n",
        ..Make::PLAIN
    },
    Make {
        // A port below zero (go2rtc#2316).
        name: "tuya",
        sdp: "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=No Name\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
            m=video -1353744643 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\na=control:track1\r\n",
        ..Make::PLAIN
    },
    Make {
        // A user name of several words (gortsplib#201) and a bare line feed at the end of each line.
        name: "innofuzhou",
        sdp: "v=0\no=JefferyZhang Inno Fuzhou 0 0 IN IP4 127.0.0.1\ns=RbsLive\nc=IN IP4 0.0.0.0\nt=0 0\na=tool:libmpp at 2.0.1\n\
            m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 {fmtp}\na=control:track1\nm=audio 0 RTP/AVP 97\n\
            a=rtpmap:97 MPEG4-GENERIC/48000/2\na=control:track2\n",
        ..Make::PLAIN
    },
    Make {
        // Times in words (gortsplib#85).
        name: "flir",
        sdp: "v=0\r\no=- 0 0 IN IP4 172.16.2.20\r\ns=IR stream\r\ni=Live infrared\r\nc=IN IP4 172.16.2.20\r\nt=now-\r\n\
            m=video 0 RTP/AVP 96\r\na=control:track1\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 {fmtp}\r\n",
        ..Make::PLAIN
    },
    Make {
        // Some other kind of content.
        name: "octet-stream",
        describe: "Content-Type: application/octet-stream\r\nContent-Base: rtsp://{host}/live/\r\n",
        ..Make::PLAIN
    },
    Make {
        // Another SSRC than SETUP tells (retina#17, gortsplib#480).
        name: "live555-old",
        setup: "Transport: RTP/AVP/TCP;unicast;interleaved={channels};ssrc=0BADCAFE\r\nSession: 4711;timeout=60\r\n",
        sends: Sends::WrongSsrc,
        ..Make::PLAIN
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cameras_of_every_make_are_live_in_the_end() {
    let makes = makes();
    let mut specs = Vec::new();
    for (make, _) in &makes {
        let url = format!("rtsp://127.0.0.1:{}/live", serve(*make).await);
        specs.push(with_login(camera(make.name, &url), "viewer", "pass:word@1"));
    }
    let hub = Hub::start(quick(), specs);
    let mut wrong = Vec::new();
    for (make, backend) in &makes {
        let name = make.name;
        hub.live(name, 0).await;
        hub.frames(name, Profile::Main, 30).await;
        let told = |s: &SourceStatus| s.stream.as_ref().is_some_and(|f| f.fps > 15.0);
        let at = hub.until(name, Profile::Main, 0, "told with a frame rate", told).await;
        let facts = hub.said(name, Profile::Main)[at].stream.clone().unwrap();
        let needed = facts.hints.contains(&Hint::FfmpegNeeded);
        let size = (facts.width, facts.height);
        if facts.backend != Some(*backend) || size != SIZE || needed != (*backend == Backend::Ffmpeg) {
            wrong.push(format!("{name}: {facts:?}, {:?}", hub.path(name)));
        }
        if *backend == Backend::Retina {
            // At the first try, and without a word.
            let quiet = |(state, reason): &(SourceState, Option<String>)| {
                reason.is_none() && matches!(state, SourceState::Connecting | SourceState::Live)
            };
            if !hub.path(name).iter().all(quiet) {
                wrong.push(format!("{name}: {:?}", hub.path(name)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_limit_of_ffmpeg_a_camera_says_what_it_is_waiting_for() {
    let (first, second) = (ODD[0], ODD[1]);
    let url = |port: u16| format!("rtsp://127.0.0.1:{port}/live");
    let config = RtspConfig { ffmpeg_sessions_max: 1, ..quick() };
    let mut specs = vec![camera("first", &url(serve(first).await))];
    let hub = Hub::start(config, specs.clone());
    hub.live("first", 0).await;
    specs.push(camera("second", &url(serve(second).await)));
    hub.cameras.send_replace(std::sync::Arc::new(specs.clone()));
    let from = hub.state("second", 0, SourceState::Offline, "backend_full").await;
    let said = hub.said("second", Profile::Main)[from].detail.clone().unwrap();
    assert!(said.starts_with("bad_description: "), "{said}");
    hub.frames("first", Profile::Main, 30).await;
    // A place becomes free.
    specs.remove(0);
    hub.cameras.send_replace(std::sync::Arc::new(specs));
    hub.live("second", from).await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_that_brings_nothing_or_loses_much_becomes_tcp() {
    let cases = [
        ("well", Sends::Well, ""),
        ("silent", Sends::NothingByUdp, "udp_silent"),
        ("lossy", Sends::LossByUdp, "udp_loss"),
    ];
    let mut specs = Vec::new();
    for (id, sends, _) in cases {
        let url = format!("rtsp://127.0.0.1:{}/live", serve(Make { sends, ..Make::PLAIN }).await);
        specs.push(camera_with(id, &url, PullMode::Always, &[("transport", "udp")]));
    }
    let hub = Hub::start(quick(), specs);
    for (id, sends, reason) in cases {
        let mut from = 0;
        if sends != Sends::Well {
            let given_up = |s: &SourceStatus| s.reason.as_deref() == Some(reason);
            from = hub.until(id, Profile::Main, 0, reason, given_up).await;
            from = hub.live(id, from).await;
        }
        let transport = if sends == Sends::Well { Transport::Udp } else { Transport::Tcp };
        let by = |s: &SourceStatus| s.stream.as_ref().is_some_and(|f| f.transport == Some(transport) && f.fps > 15.0);
        let at = hub.until(id, Profile::Main, from, transport.as_str(), by).await;
        let facts = hub.said(id, Profile::Main)[at].stream.clone().unwrap();
        assert_eq!(facts.hints.contains(&Hint::UdpToTcp), sends != Sends::Well, "{id}: {facts:?}");
        hub.frames(id, Profile::Main, 30).await;
        assert_eq!(hub.path(id).last().unwrap().0, SourceState::Live, "{id}");
    }
    hub.stop().await;
}
