//! Runs a farm alone: `farm 127.0.0.1:8554 CACHE_DIR` (six drawn cameras) or `farm 127.0.0.1:8554 synthetic 500`.

use std::time::{Duration, Instant};

use town::rtsp::{Auth, CameraSpec, Farm, FarmConfig};
use town::scene::Scene;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:0".into()).parse()?;
    let mut config = FarmConfig { listen, ..FarmConfig::default() };
    let started = Instant::now();
    let farm = match arguments.next() {
        Some(word) if word == "synthetic" => {
            let count = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(500);
            Farm::start_synthetic(config, count).await?
        }
        dir => {
            config.cache_dir = dir.map(Into::into);
            Farm::start(config, drawn()).await?
        }
    };
    println!("rtsp://{} after {:?}", farm.addr(), started.elapsed());
    let mut last = (0, 0);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            () = tokio::time::sleep(Duration::from_secs(5)) => {
                let stats = farm.stats();
                let sum = |of: fn(&town::rtsp::CameraStats) -> u64| stats.cameras.iter().map(of).sum::<u64>();
                let (frames, bytes) = (sum(|camera| camera.frames), sum(|camera| camera.bytes));
                println!(
                    "sessions {} frames/s {} Mbit/s {:.1} dropped {} late {}",
                    sum(|camera| camera.sessions as u64),
                    (frames - last.0) / 5,
                    (bytes - last.1) as f64 * 8.0 / 5e6,
                    sum(|camera| camera.dropped),
                    stats.late_frames
                );
                last = (frames, bytes);
            }
        }
    }
    farm.shutdown().await;
    Ok(())
}

fn drawn() -> Vec<CameraSpec> {
    let camera = |id: &str, name: &str, scene, auth| CameraSpec {
        id: id.into(),
        name: name.into(),
        scene,
        owner: None,
        auth,
        gop_s: 1,
    };
    vec![
        camera("cam-river-1", "清江一号水位站", Scene::river(3.2), Auth::Digest),
        camera("cam-street-1", "解放路口", Scene::Street, Auth::Digest),
        camera("cam-school-1", "中心小学校门", Scene::SchoolGate, Auth::Basic),
        camera("cam-yard-1", "化工园区一号院", Scene::Yard { smoke: true }, Auth::Digest),
        camera("cam-park-1", "滨江公园", Scene::Park, Auth::Digest),
        camera("cam-lane-1", "柳溪村口", Scene::Lane, Auth::None),
    ]
}
