//! What the sources file takes and refuses.

use proptest::prelude::*;

use super::*;

const HEAD: &str =
    "id,kind,class,name,owner,grid,lon,lat,url,username,password,mode,topic,format,unit,interval_s,tags\n";

fn problems(rows: &str) -> Vec<String> {
    parse(format!("{HEAD}{rows}").as_bytes()).problems.iter().map(Problem::to_string).collect()
}

#[test]
fn a_good_file_is_taken_whole_with_bom_and_crlf() {
    let rows = "cam-1,camera,street,\"桥北, 东\",police,g1,106.1,29.2,rtsp://10.0.0.1/main,u,p,always,,,,,sub=/sub;looks_at=gauge-1\r\n\
                gauge-1,sensor,river_gauge,水位,governance,g1,,,,,,,town/g1/level,raw,m,10,limits.blue=3.0\r\n";
    let parsed = parse(format!("\u{feff}{HEAD}{rows}").as_bytes());
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.rows.len(), 2);
    assert_eq!(parsed.rows[0].source.name, "桥北, 东");
    assert_eq!(parsed.rows[1].source.limit("blue"), Some(3.0));
    assert_eq!(parsed.rows[1].source.interval_s, Some(10));
}

#[test]
fn a_camera_may_speak_tls_and_its_tags_keep_their_colons() {
    let pin = format!("pin:{}", ["AB"; 32].join(":"));
    let row = format!("c,camera,street,n,police,g1,,,rtsps://cam.town:322/x,u,p,always,,,,,backend=ffmpeg;tls={pin}\n");
    let parsed = parse(format!("{HEAD}{row}").as_bytes());
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.rows[0].source.tags["tls"], pin);
    assert!(problems("c,camera,street,n,police,g1,,,rtsps://u:secret@h/x\n")[0].contains("credentials"));
}

#[test]
fn tags_that_no_session_would_understand_are_refused_all_at_once() {
    let told = problems(
        "c1,camera,street,n,police,g1,,,rtsps://h/x,,,,,,,,tls=pin:AB:CD;backend=gst;transport=TCP;priority=high\n\
         c2,camera,street,n,police,g1,,,rtsp://h/x,,,,,,,,sub=rtsp://u:secret@h/y\n\
         c3,camera,street,n,police,g1,,,rtsp://h/x,,,,,,,,tls=verify;backend=auto;transport=udp;priority=usual;sub=/y\n\
         s1,sensor,smoke,n,police,g1,,,,,,,a/b,raw,,,priority=high\n",
    );
    let expected = [
        r#"line 2, column tags: backend: found "gst", expected auto, retina or ffmpeg"#,
        r#"line 2, column tags: transport: found "TCP", expected tcp or udp"#,
        r#"line 2, column tags: tls: found "pin:AB:CD", expected verify, insecure, or pin: and the SHA-256 of the certificate in 64 hex digits"#,
        r#"line 2, column tags: priority: found "high", expected key or usual"#,
        "line 3, column tags: sub: found credentials in the address, expected them in the columns username and password",
    ];
    assert_eq!(told, expected, "and nothing of a good camera, or of a sensor's own words");
}

#[test]
fn every_bad_field_is_named_with_its_line() {
    let told = problems(
        "a/b,camera,street,n,police,g1,,,rtsp://h/x\n\
         c2,kamera,street,n,mayor,g1,200,29,rtsp://h/x\n\
         c3,camera,toilet,n,police,g1,,,rtsp://u:secret@h/x\n\
         s1,sensor,smoke,n,police,g1,,,,,,,a/#/b,xml,,0,limits.x=high;service=off;service_until=soon\n\
         c4,camera,street,n,police,g1,,,http://h/x\n\
         c4,camera,street,n,police,g1,,,rtsp://h/x\n",
    );
    let all = told.join("\n");
    for expected in [
        "line 2, column id",
        "line 3, column kind",
        "line 3, column owner",
        "line 3, column lon",
        "line 4, column class: found \"toilet\": no camera in private places",
        "line 4, column url: found credentials in the address",
        "line 5, column topic",
        "line 5, column format",
        "line 5, column interval_s",
        "line 5, column tags: found \"limits.x=high\"",
        "found \"service=off\", expected service=in, out or maintenance",
        "found \"service_until=soon\", expected a time",
        "line 6, column url",
        "line 7, column id: found \"c4\" a second time, first on line 6",
    ] {
        assert!(all.contains(expected), "missing {expected:?} in\n{all}");
    }
    assert!(!all.contains("secret"), "a message must not show a password");
}

#[test]
fn a_wrong_header_is_told_once() {
    let told = parse("id;kind;class\nx;camera;street\n".as_bytes()).problems;
    assert_eq!(told.len(), 1);
    assert!(told[0].message.contains("parted by commas"));
    let told = parse("id,kind,class,name,owner,colour\n".as_bytes()).problems;
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn an_exported_file_reads_back_without_passwords() {
    let rows = "cam-1,camera,street,n,police,g1,106.1,29.2,rtsp://h/x,u,p4ss,demand,,,,,a=1;b=x y\n";
    let first = parse(format!("{HEAD}{rows}").as_bytes());
    let written = export(&first.rows).unwrap();
    assert!(!String::from_utf8_lossy(&written).contains("p4ss"));
    let again = parse(&written);
    assert_eq!(again.problems, []);
    assert_eq!(again.rows[0].source, first.rows[0].source);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), text in "[a-z,\"\n;=/:.#+]{0,400}") {
        let _ = parse(&bytes);
        let _ = parse(format!("{HEAD}{text}").as_bytes());
    }
}

#[test]
fn control_characters_and_endless_fields_are_refused() {
    let row = format!("a,sensor,smoke,\"烟\n感\",governance,g1,,,,,,,{},raw,,,\n", "t".repeat(5_000));
    let parsed = parse(format!("{}\n{row}", HEADER.join(",")).as_bytes());
    assert!(parsed.rows.is_empty());
    let told: Vec<String> = parsed.problems.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|p| p.contains("column name: found a line break")), "{told:?}");
    assert!(told.iter().any(|p| p.contains("column topic: found 5000 bytes")), "{told:?}");
}

#[test]
fn a_file_of_another_kind_is_given_up() {
    let text = format!("{}\n{}", HEADER.join(","), "x\n".repeat(20_000));
    let parsed = parse(text.as_bytes());
    assert!(parsed.problems.len() < 10_020, "{}", parsed.problems.len());
    assert!(parsed.problems.last().unwrap().message.contains("the rest was not read"));
}
