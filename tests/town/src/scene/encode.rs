//! Turns a painter's frames into H.264 through an `ffmpeg` child, or finds them on disk.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use super::{ClipKey, PERIOD_S, Painter};
use crate::rtsp::clip::Clip;
use crate::rtsp::overlay;

/// The loop for `key`; ends early with an error when `stop` is set.
pub fn clip(key: &ClipKey, cache_dir: Option<&Path>, stop: &AtomicBool) -> anyhow::Result<Clip> {
    let mut painter = Painter::new(key);
    let arguments = arguments(key);
    let cached = cache_dir.map(|dir| dir.join(file_name(key, &arguments, &mut painter)));
    if let Some(path) = &cached
        && let Ok(bytes) = std::fs::read(path)
        && let Ok(clip) = parse(key, &bytes)
    {
        return Ok(clip);
    }
    let bytes = encode(key, &arguments, &mut painter, stop)?;
    let clip = parse(key, &bytes)?;
    let expected = (key.loop_s() * key.size.fps) as usize;
    if clip.units.len() != expected {
        bail!("the encoder gave {} pictures, expected {expected}", clip.units.len());
    }
    if let Some(path) = &cached {
        // Written whole or not at all; a failure costs only the next start's time.
        let partial = path.with_extension(format!("part{}", std::process::id()));
        let stored = std::fs::write(&partial, &bytes).and_then(|()| std::fs::rename(&partial, path));
        if let Err(error) = stored {
            tracing::warn!(path = %path.display(), %error, "cannot keep an encoded clip");
        }
    }
    Ok(clip)
}

fn parse(key: &ClipKey, bytes: &[u8]) -> anyhow::Result<Clip> {
    let clip = Clip::parse(bytes, key.size.width, key.size.height, key.size.fps)?;
    Ok(overlay::prepare(clip, key)?)
}

/// Two frames' pixels and the encoder's arguments name the file, so that a changed drawing is encoded anew.
fn file_name(key: &ClipKey, arguments: &[String], painter: &mut Painter) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{key:?} {arguments:?} "));
    hash.update(painter.frame(0));
    hash.update(painter.frame(key.size.fps * 7 + 3));
    let digest: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("{digest}.h264")
}

fn arguments(key: &ClipKey) -> Vec<String> {
    let size = key.size;
    let gop = key.gop_s * size.fps;
    // Slices of two macroblock rows, CAVLC and one reference: the clock's slice can be exchanged later (see `overlay`).
    let slice = size.width.div_ceil(16) * 2;
    let x264 = format!(
        "keyint={gop}:min-keyint={gop}:scenecut=0:aud=1:threads=1:cabac=0:ref=1:weightp=0:rc-lookahead=0:mbtree=0:slice-max-mbs={slice}"
    );
    // The encoder begins with a full buffer; in a short loop that would be much of it.
    let buffer_kilobits = if key.loop_s() < PERIOD_S { size.kilobits / 4 } else { size.kilobits };
    let text = format!(
        "-hide_banner -nostdin -loglevel error -f rawvideo -pix_fmt rgba -video_size {}x{} -framerate {} -i pipe:0 \
         -an -c:v libx264 -preset veryfast -tune zerolatency -bf 0 -pix_fmt yuv420p -crf 24 -maxrate {}k -bufsize {}k \
         -x264-params {x264} -f h264 pipe:1",
        size.width, size.height, size.fps, size.kilobits, buffer_kilobits
    );
    text.split_whitespace().map(str::to_owned).collect()
}

fn encode(key: &ClipKey, arguments: &[String], painter: &mut Painter, stop: &AtomicBool) -> anyhow::Result<Vec<u8>> {
    let mut child = Command::new("ffmpeg")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start ffmpeg (Debian package ffmpeg)")?;
    let mut stdout = child.stdout.take().expect("stdout is piped above");
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| bytes)
    });
    let fed = feed(key, &mut child, painter, stop);
    if fed.is_err() {
        // It may have ended by itself.
        let _ = child.kill();
    }
    let mut message = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut message)?;
    }
    let status = child.wait()?;
    let bytes = reader.join().map_err(|_| anyhow::anyhow!("the reader of ffmpeg's output failed"))??;
    fed.with_context(|| format!("ffmpeg ended early: {}", message.trim()))?;
    if !status.success() {
        bail!("ffmpeg failed with {status}: {}", message.trim());
    }
    Ok(bytes)
}

fn feed(key: &ClipKey, child: &mut Child, painter: &mut Painter, stop: &AtomicBool) -> anyhow::Result<()> {
    let mut stdin = child.stdin.take().expect("stdin is piped above");
    for number in 0..key.loop_s() * key.size.fps {
        if stop.load(Ordering::Acquire) {
            bail!("told to stop");
        }
        stdin.write_all(painter.frame(number))?;
    }
    Ok(())
}
