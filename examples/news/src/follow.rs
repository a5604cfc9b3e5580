//! Follows a file as `tail -F` does: the file may grow, be rotated, be truncated, or appear later.

use crate::lines::Lines;
use same_file::Handle;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// The interval between two checks of the file. Notifications would be faster, but they differ between systems.
const EVERY: Duration = Duration::from_millis(200);

/// The number of existing lines that are read first, as by `tail`.
const LAST_LINES: usize = 10;

/// Calls `on_line` for each line of this file, and never returns. A file that appears later or replaces the first one is read
/// from its start.
pub(crate) fn follow(path: &Path, on_line: &mut impl FnMut(&str)) -> ! {
    let mut errors = Errors::default();
    let mut followed = errors.report(path, Followed::open(path));
    if let Some(followed) = &mut followed {
        errors.report(path, followed.skip_to_last_lines());
    }
    loop {
        if let Some(followed) = &mut followed {
            errors.report(path, followed.read(on_line));
        }
        // While the path does not exist, the old file is followed further: a program may still write to the moved file.
        if followed.as_ref().is_none_or(|followed| followed.was_replaced(path))
            && let Some(new) = errors.report(path, Followed::open(path))
        {
            if let Some(mut old) = followed.replace(new) {
                errors.report(path, old.read(on_line));
                old.lines.end(on_line);
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
        // This check comes before the opening, because opening a pipe waits for a writer.
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

    /// Reads to the end of the file. A file that became shorter is read from its start. If a file becomes shorter and grows
    /// past the old position between two checks, the truncation is not detected.
    fn read(&mut self, on_line: &mut impl FnMut(&str)) -> io::Result<()> {
        if self.file.metadata()?.len() < self.position {
            self.lines.end(on_line);
            self.position = self.file.seek(SeekFrom::Start(0))?;
        }
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let n = self.file.read(&mut chunk)?;
            if n == 0 {
                return Ok(());
            }
            self.position += n as u64;
            self.lines.push(&chunk[..n], on_line);
        }
    }

    /// Moves to the start of the last lines, which are searched in the last 64 KiB.
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

/// Prints an error once, and not at every check.
#[derive(Default)]
struct Errors(Option<io::ErrorKind>);

impl Errors {
    fn report<T>(&mut self, path: &Path, result: io::Result<T>) -> Option<T> {
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
