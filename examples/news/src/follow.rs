//! A file that grows, is rotated, truncated, or not there yet: what `tail -F` follows.

use crate::lines::Lines;
use same_file::Handle;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// How often the file is looked at. Notifications would be quicker, and differ on every system and file system.
const EVERY: Duration = Duration::from_millis(200);

/// As `tail` does, it begins with the last lines of what is there.
const LAST_LINES: usize = 10;

/// Tells the lines of this file, for ever. A file that appears later, or in place of the first, is read from its start.
pub(crate) fn follow(path: &Path, tell: &mut impl FnMut(&str)) -> ! {
    let mut trouble = Trouble::default();
    let mut followed = trouble.tell(path, Followed::open(path));
    if let Some(followed) = &mut followed {
        trouble.tell(path, followed.skip_to_last_lines());
    }
    loop {
        if let Some(followed) = &mut followed {
            trouble.tell(path, followed.read(tell));
        }
        // While nothing is there, what was there is followed: its writer may not know yet that it was moved away.
        if followed.as_ref().is_none_or(|followed| followed.was_replaced(path))
            && let Some(new) = trouble.tell(path, Followed::open(path))
        {
            if let Some(mut old) = followed.replace(new) {
                trouble.tell(path, old.read(tell));
                old.lines.end(tell);
            }
            continue;
        }
        sleep(EVERY);
    }
}

struct Followed {
    file: File,
    handle: Handle,
    position: u64,
    lines: Lines,
}

impl Followed {
    fn open(path: &Path) -> io::Result<Self> {
        // Asked before it is opened, because opening a pipe waits for its writer.
        if !path.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let file = File::open(path)?;
        let handle = Handle::from_file(file.try_clone()?)?;
        Ok(Self { file, handle, position: 0, lines: Lines::default() })
    }

    fn was_replaced(&self, path: &Path) -> bool {
        Handle::from_path(path).is_ok_and(|now| now != self.handle)
    }

    /// Everything that is there now. A file that became shorter is read from its start; one that became shorter and
    /// grew past the old place within one look cannot be told from one that grew.
    fn read(&mut self, tell: &mut impl FnMut(&str)) -> io::Result<()> {
        if self.file.metadata()?.len() < self.position {
            self.lines.end(tell);
            self.position = self.file.seek(SeekFrom::Start(0))?;
        }
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let n = self.file.read(&mut chunk)?;
            if n == 0 {
                return Ok(());
            }
            self.position += n as u64;
            self.lines.push(&chunk[..n], tell);
        }
    }

    /// Looks for the last lines in the last 64 KiB.
    fn skip_to_last_lines(&mut self) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let from = len.saturating_sub(64 * 1024);
        self.file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        (&self.file).take(len - from).read_to_end(&mut tail)?;
        let closed = tail.strip_suffix(b"\n").unwrap_or(&tail);
        let breaks = closed.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
        let start = breaks.map(|(at, _)| at as u64 + 1).nth(LAST_LINES - 1).unwrap_or(0);
        self.position = self.file.seek(SeekFrom::Start(from + start))?;
        Ok(())
    }
}

/// Tells what is wrong with the file once, not at every look.
#[derive(Default)]
struct Trouble(Option<io::ErrorKind>);

impl Trouble {
    fn tell<T>(&mut self, path: &Path, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                self.0 = None;
                Some(value)
            }
            Err(error) => {
                if self.0.replace(error.kind()) != Some(error.kind()) {
                    eprintln!("news: cannot read {} yet: {error}", path.display());
                }
                None
            }
        }
    }
}
