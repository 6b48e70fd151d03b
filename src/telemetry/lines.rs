//! The writer of the log: a thread of its own, so that a log that is not read delays nothing else.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use super::metrics::LOG_LINES_DROPPED;

/// The maximum length of all lines that wait for the writer. Ours: some thousand lines.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// How long the end of the process waits for the last lines. Ours: enough for any log that is read,
/// and short beside the shutdown.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Hands lines to the thread that writes them. Lines that it cannot write, or that are too many to
/// wait for it, are dropped and counted. Cheap to clone.
#[derive(Clone)]
pub struct Lines {
    messages: Sender<Message>,
    waiting_bytes: Arc<AtomicUsize>,
}

enum Message {
    Line(String),
    /// Answered when all lines before it are written.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Starts the thread, which writes each line by itself.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn written_to(mut output: impl Write + Send + 'static) -> io::Result<Self> {
        let (messages, received) = channel();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let waiting = waiting_bytes.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            for message in received {
                match message {
                    Message::Line(line) => {
                        if output.write_all(line.as_bytes()).is_err() {
                            LOG_LINES_DROPPED.inc();
                        }
                        waiting.fetch_sub(line.len(), Ordering::Relaxed);
                    }
                    // The other side may have stopped waiting.
                    Message::Flush(done) => drop(done.send(())),
                }
            }
        })?;
        Ok(Self { messages, waiting_bytes })
    }

    /// Hands over a line without its end. Never waits.
    pub fn send(&self, mut line: String) {
        line.push('\n');
        let more = |waiting: usize| {
            waiting.checked_add(line.len()).filter(|bytes| *bytes <= MAX_WAITING_BYTES)
        };
        let has_room =
            self.waiting_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok();
        if !has_room || self.messages.send(Message::Line(line)).is_err() {
            LOG_LINES_DROPPED.inc();
        }
    }

    /// Waits until all lines so far are written, at most [`FLUSH_TIMEOUT`].
    pub fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.messages.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn h09_lines_wait_for_a_reader_until_they_are_too_many() {
        const LINES: usize = 3 * (MAX_WAITING_BYTES >> 10);
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = Lines::written_to(writer).unwrap();
        for _ in 0..LINES {
            lines.send("x".repeat((1 << 10) - 1));
        }
        let dropped = LOG_LINES_DROPPED.get() as usize;
        // The pipe takes some too, on Linux 64 KiB.
        assert!((1..=LINES - (MAX_WAITING_BYTES >> 10)).contains(&dropped), "{dropped}");
        // Nothing is read, so this waits in vain.
        lines.flush();
        let mut text = vec![0; (LINES - dropped) << 10];
        reader.read_exact(&mut text).unwrap();
        lines.send("last".to_owned());
        lines.flush();
        let mut last = [0; 5];
        reader.read_exact(&mut last).unwrap();
        assert_eq!(&last, b"last\n");
        drop(reader);
        lines.send("no reader".to_owned());
        lines.flush();
        assert_eq!(LOG_LINES_DROPPED.get() as usize, dropped + 1);
    }
}
