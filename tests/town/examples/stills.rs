//! Writes raw RGBA stills of every scene: `stills DIR [main]`; view them with `ffmpeg -f rawvideo -pix_fmt rgba`.

use town::scene::{ClipKey, Painter, Scene, Size};

fn main() -> anyhow::Result<()> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let size = if std::env::args().nth(2).is_some() { Size::MAIN } else { Size::SUB };
    let scenes = [
        ("river-280", "cam-river-1", "清江一号水位站", Scene::river(2.8)),
        ("river-420", "cam-river-1", "清江一号水位站", Scene::river(4.2)),
        ("street", "cam-street-1", "解放路口", Scene::Street),
        ("school", "cam-school-1", "中心小学校门", Scene::SchoolGate),
        ("yard", "cam-yard-1", "化工园区一号院", Scene::Yard { smoke: false }),
        ("fire", "cam-yard-1", "化工园区一号院", Scene::Yard { smoke: true }),
        ("park", "cam-park-1", "滨江公园", Scene::Park),
        ("lane", "cam-lane-1", "柳溪村口", Scene::Lane),
        ("covered", "cam-park-2", "滨江公园", Scene::Covered),
        ("pattern", "load", "load", Scene::Pattern),
    ];
    for (file, id, name, scene) in scenes {
        let key = ClipKey { scene, id: id.into(), name: name.into(), size, gop_s: 1 };
        let started = std::time::Instant::now();
        let mut painter = Painter::new(&key);
        let backdrop = started.elapsed();
        let started = std::time::Instant::now();
        for number in 0..20 {
            painter.frame(number);
        }
        println!("{file}: backdrop {backdrop:?}, frame {:?}", started.elapsed() / 20);
        std::fs::write(format!("{dir}/{file}.rgba"), painter.frame(52))?;
    }
    Ok(())
}
