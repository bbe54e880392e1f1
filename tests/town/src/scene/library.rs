//! The store of encoded loops: in memory, and on disk so that a second start is instant.
//!
//! Threads draw and encode what is asked for. What is only foreseen comes last and takes one thread at
//! most, so that a first start leaves the machine to others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use anyhow::Context as _;
use tokio::sync::Notify;

use super::{ClipKey, Size, encode};
use crate::rtsp::clip::Clip;

/// Loops by what they show.
#[derive(Debug)]
pub struct Library {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    cache_dir: Option<PathBuf>,
    shelf: Mutex<Shelf>,
    work: Condvar,
    done: Notify,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct Shelf {
    ready: HashMap<ClipKey, Arc<Clip>>,
    failed: HashMap<ClipKey, String>,
    taken: HashSet<ClipKey>,
    urgent: VecDeque<ClipKey>,
    foreseen: VecDeque<ClipKey>,
    /// Large pictures, after all small ones.
    foreseen_main: VecDeque<ClipKey>,
    /// A thread is at work on something foreseen.
    foreseeing: bool,
}

/// A clip to make.
struct Job {
    key: ClipKey,
    foreseen: bool,
}

impl Library {
    /// Starts `threads` threads that draw and encode; they end when the library is dropped.
    pub fn start(cache_dir: Option<PathBuf>, threads: usize) -> anyhow::Result<Library> {
        if let Some(dir) = &cache_dir {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let shared = Arc::new(Shared {
            cache_dir,
            shelf: Mutex::default(),
            work: Condvar::new(),
            done: Notify::new(),
            stop: AtomicBool::new(false),
        });
        for number in 0..threads.max(1) {
            let shared = shared.clone();
            std::thread::Builder::new().name(format!("scene-{number}")).spawn(move || shared.work())?;
        }
        Ok(Library { shared })
    }

    /// The loop, if it is ready; asks for it otherwise.
    pub fn get(&self, key: &ClipKey) -> Option<Arc<Clip>> {
        let mut shelf = self.shared.shelf.lock().expect("no holder panics");
        let clip = shelf.ready.get(key).cloned();
        if clip.is_none() && !shelf.failed.contains_key(key) {
            shelf.ask(key);
            self.shared.work.notify_one();
        }
        clip
    }

    /// Asks for a loop.
    pub fn request(&self, key: &ClipKey) {
        self.get(key);
    }

    /// Waits for a loop. Cancel-safe.
    pub async fn wait(&self, key: &ClipKey) -> anyhow::Result<Arc<Clip>> {
        loop {
            let done = self.shared.done.notified();
            tokio::pin!(done);
            done.as_mut().enable();
            if let Some(clip) = self.get(key) {
                return Ok(clip);
            }
            if let Some(reason) = self.shared.shelf.lock().expect("no holder panics").failed.get(key) {
                anyhow::bail!("{reason}");
            }
            done.await;
        }
    }

    /// Makes, when nothing else is to do, what the camera of `key` may have to show later.
    pub fn foresee(&self, key: &ClipKey) {
        let mut shelf = self.shared.shelf.lock().expect("no holder panics");
        for scene in key.scene.siblings() {
            let sibling = ClipKey { scene, ..key.clone() };
            if !shelf.ready.contains_key(&sibling) && !shelf.taken.contains(&sibling) {
                shelf.foreseen.push_back(sibling);
            }
        }
        if key.size == Size::SUB {
            shelf.foreseen_main.push_back(ClipKey { size: Size::MAIN, ..key.clone() });
        }
        self.shared.work.notify_all();
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.work.notify_all();
    }
}

impl Shelf {
    fn ask(&mut self, key: &ClipKey) {
        if self.taken.insert(key.clone()) {
            self.urgent.push_back(key.clone());
        }
    }

    fn next(&mut self) -> Option<Job> {
        if let Some(key) = self.urgent.pop_front() {
            return Some(Job { key, foreseen: false });
        }
        while !self.foreseeing
            && let Some(key) = self.foreseen.pop_front().or_else(|| self.foreseen_main.pop_front())
        {
            if self.taken.insert(key.clone()) {
                self.foreseeing = true;
                return Some(Job { key, foreseen: true });
            }
        }
        None
    }
}

impl Shared {
    fn work(&self) {
        while let Some(Job { key, foreseen }) = self.next_job() {
            let made = encode::clip(&key, self.cache_dir.as_deref(), &self.stop);
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            let mut shelf = self.shelf.lock().expect("no holder panics");
            if foreseen {
                shelf.foreseeing = false;
            }
            match made {
                Ok(clip) => {
                    shelf.ready.insert(key, Arc::new(clip));
                }
                Err(error) => {
                    tracing::error!(camera = %key.id, scene = ?key.scene, error = format!("{error:#}"), "cannot make a clip");
                    shelf.failed.insert(key, format!("{error:#}"));
                }
            }
            drop(shelf);
            self.done.notify_waiters();
        }
    }

    fn next_job(&self) -> Option<Job> {
        let mut shelf = self.shelf.lock().expect("no holder panics");
        loop {
            if self.stop.load(Ordering::Acquire) {
                return None;
            }
            if let Some(job) = shelf.next() {
                return Some(job);
            }
            shelf = self.work.wait(shelf).expect("no holder panics");
        }
    }
}
