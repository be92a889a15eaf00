//! A disk of its own for what must not be lost: a file system in a file, small enough to be filled, whose
//! power can be cut. What was written and not synced is then gone, as it is on a machine.
//!
//! It takes the right to mount. Nothing of it is left behind, even if this program is killed: the shell
//! that mounted it takes it away as soon as nobody holds the other end of its input.

use anyhow::{Context, Result, ensure};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Mounts, says so, and waits for the end of its input.
const HOLD: &str =
    "mount -o loop \"$0\" \"$1\" && echo mounted && cat >/dev/null; umount -l \"$1\"";
/// The file that takes up the room.
const FILLER: &str = "filler";
/// What is left free of a full disk at most, bytes: a block.
const BLOCK: u64 = 4_096;

/// A mounted disk. Dropping it takes it away.
pub struct Disk {
    image: PathBuf,
    mount: PathBuf,
    holder: Option<Child>,
}

impl Disk {
    /// Makes a disk of `mib` MiB and mounts it at `mount`; nothing where that is not allowed.
    pub fn make(mount: &Path, mib: u64) -> Result<Option<Disk>> {
        std::fs::create_dir_all(mount)?;
        let image = mount.with_extension("img");
        std::fs::File::create(&image)?.set_len(mib << 20)?;
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0"])
            .arg(&image)
            .output();
        if !made.is_ok_and(|made| made.status.success()) {
            return Ok(None);
        }
        let mut disk = Disk {
            image,
            mount: mount.to_owned(),
            holder: None,
        };
        Ok(disk.mount()?.then_some(disk))
    }

    fn mount(&mut self) -> Result<bool> {
        let mut holder = Command::new("sh")
            .args(["-c", HOLD])
            .arg(&self.image)
            .arg(&self.mount)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C in the terminal is not for it.
            .process_group(0)
            .spawn()?;
        let mut said = [0; 7];
        let said = holder
            .stdout
            .as_mut()
            .map(|stdout| stdout.read_exact(&mut said));
        self.holder = Some(holder);
        match said {
            Some(Ok(())) => Ok(true),
            _ => {
                self.unmount();
                Ok(false)
            }
        }
    }

    fn unmount(&mut self) {
        if let Some(mut holder) = self.holder.take() {
            drop(holder.stdin.take());
            let _ = holder.wait();
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// Takes up all the room there is.
    pub fn fill(&self) -> Result<()> {
        let file = std::fs::File::create(self.mount.join(FILLER))?;
        let (mut len, mut step) = (0, 64 << 20);
        while step >= BLOCK {
            let flags = rustix::fs::FallocateFlags::empty();
            match rustix::fs::fallocate(&file, flags, len, step) {
                Ok(()) => len += step,
                Err(rustix::io::Errno::NOSPC) => step /= 2,
                Err(error) => return Err(error).context("filling a disk"),
            }
        }
        Ok(())
    }

    /// Gives the room back.
    pub fn free(&self) -> Result<()> {
        std::fs::remove_file(self.mount.join(FILLER))?;
        // Else the next power cut brings it back.
        Ok(std::fs::File::open(&self.mount)?.sync_all()?)
    }

    /// Nothing that was not synced survives. Whoever writes to it has to be gone.
    pub fn cut_power(&mut self) -> Result<()> {
        // What the file has now is what the file system has handed to its disk so far.
        let left = self.image.with_extension("left");
        std::fs::copy(&self.image, &left)?;
        self.unmount();
        std::fs::rename(&left, &self.image)?;
        ensure!(
            self.mount()?,
            "{} can't be mounted again",
            self.mount.display()
        );
        Ok(())
    }

    /// Leaves a copy of what is on it beside it.
    pub fn keep(&self) {
        let copy = self.mount.with_extension("kept");
        let _ = Command::new("cp")
            .arg("-r")
            .args([&self.mount, &copy])
            .status();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};
    use std::io::Write;

    #[test]
    fn a_disk_is_full_and_forgets_what_was_not_synced() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let Some(mut disk) = Disk::make(&dir.path().join("disk"), 16)? else {
            eprintln!("skipped: mounting is not allowed here");
            return Ok(());
        };
        let log = disk.path().join("log");
        let mut file = File::create(&log)?;
        file.write_all(b"synced")?;
        file.sync_all()?;
        File::open(disk.path())?.sync_all()?;
        file.write_all(b", and not synced")?;
        drop(file);
        disk.cut_power()?;
        assert_eq!(std::fs::read_to_string(&log)?, "synced");

        disk.fill()?;
        let mut file = OpenOptions::new().append(true).open(&log)?;
        let error = file.write_all(&[0; 100_000]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
        disk.free()?;
        file.write_all(&[0; 100_000])?;
        drop(file);
        drop(disk);
        assert_eq!(std::fs::read_dir(dir.path().join("disk"))?.count(), 0);
        Ok(())
    }
}
