//! Threads for decoding: a bounded queue of jobs, taken in order; never a tokio worker.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use metrics::{counter, gauge};

type Job = Box<dyn FnOnce() + Send>;

/// The queue is full or closed; the job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// A few threads with one queue. Dropping it lets the threads end after the job in hand.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    name: &'static str,
    capacity: usize,
    queue: Mutex<Queue>,
    news: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Workers {
    /// Starts the threads; `name` names them and the queue in the metrics.
    pub(crate) fn start(name: &'static str, threads: usize, capacity: usize) -> Self {
        let shared =
            Arc::new(Shared { name, capacity: capacity.max(1), queue: Mutex::default(), news: Condvar::new() });
        let spawn = |_| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(name.to_owned()).spawn(move || shared.work())
        };
        let threads = (0..threads.max(1)).map(spawn).filter_map(|started| match started {
            Ok(thread) => Some(thread),
            Err(error) => {
                tracing::error!(%error, name, "a decoding thread could not be started");
                None
            }
        });
        Self { threads: Mutex::new(threads.collect()), shared }
    }

    /// Queues a job; never waits.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Busy> {
        let mut queue = self.shared.lock();
        if queue.closed || queue.jobs.len() >= self.shared.capacity {
            return Err(Busy);
        }
        queue.jobs.push_back(Box::new(job));
        self.shared.tell_depth(&queue);
        drop(queue);
        self.shared.news.notify_one();
        Ok(())
    }

    /// Takes no more jobs, forgets those that wait and waits for the ones in hand: blocks for one decode.
    pub(crate) fn close(&self) {
        self.shared.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // The thread catches its jobs' panics.
            let _ = thread.join();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn work(&self) {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                self.tell_depth(&queue);
                drop(queue);
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    counter!("gridward_decode_defects_total").increment(1);
                }
                queue = self.lock();
            } else if queue.closed {
                return;
            } else {
                queue = self.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        // Waiting jobs are dropped outside the lock: their answers wake others.
        let dropped = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(dropped);
        self.news.notify_all();
    }

    fn tell_depth(&self, queue: &Queue) {
        gauge!("gridward_queue_depth", "queue" => self.name).set(queue.jobs.len() as f64);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_full_queue_refuses_and_a_defect_ends_no_thread() {
        let workers = Workers::start("test", 1, 2);
        let (began, begins) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        workers
            .run(move || {
                began.send(()).unwrap();
                gate.recv().unwrap();
                panic!("a defect");
            })
            .unwrap();
        begins.recv().unwrap();
        let (done, did) = mpsc::channel();
        workers.run(|| ()).unwrap();
        workers.run(move || done.send(()).unwrap()).unwrap();
        assert_eq!(workers.run(|| ()), Err(Busy));
        go.send(()).unwrap();
        did.recv().unwrap();
        workers.close();
        assert_eq!(workers.run(|| ()), Err(Busy), "closed");
    }
}
