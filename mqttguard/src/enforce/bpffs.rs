use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mqttguard_common::LAYOUT_VERSION;
use rustix::fs::statfs;
use rustix::mount::{MountFlags, mount};
use rustix::process::{Resource, Rlimit, setrlimit};

use super::EnforceError;

/// f_type of a BPF file system (linux/magic.h).
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;

/// Where the BPF file system is by custom.
const CUSTOMARY: &str = "/sys/fs/bpf";

/// Where everything is pinned.
#[derive(Clone, Debug)]
pub(super) struct Pins {
    root: PathBuf,
}

impl Pins {
    /// Makes sure that there are directories to pin in.
    ///
    /// # Errors
    ///
    /// `root` is not on a BPF file system, and none could be mounted; or not writable.
    pub(super) fn prepare(root: &Path) -> Result<Self, EnforceError> {
        // Kernels before 5.11 count maps as locked memory.
        let unlimited = Rlimit {
            current: None,
            maximum: None,
        };
        let _ = setrlimit(Resource::Memlock, unlimited);

        if !is_bpf_fs(root)? {
            if !root.starts_with(CUSTOMARY) {
                return Err(EnforceError::NotBpfFs {
                    path: root.into(),
                    why: "another file system is there".into(),
                });
            }
            mount("bpf", CUSTOMARY, "bpf", MountFlags::empty(), None).map_err(|error| {
                EnforceError::NotBpfFs {
                    path: root.into(),
                    why: format!("mounting one on {CUSTOMARY}: {error}"),
                }
            })?;
        }
        let pins = Pins::at(root);
        for dir in [pins.maps(), pins.links()] {
            fs::create_dir_all(&dir).map_err(|error| EnforceError::File { path: dir, error })?;
        }
        Ok(pins)
    }

    /// What may be pinned there already, without making anything.
    pub(super) fn at(root: &Path) -> Self {
        Pins { root: root.into() }
    }

    /// The maps, by layout version: the kernel would hand a map of another shape to a program
    /// without complaint.
    pub(super) fn maps(&self) -> PathBuf {
        self.maps_of(LAYOUT_VERSION)
    }

    fn maps_of(&self, version: u32) -> PathBuf {
        self.root.join(format!("v{version}"))
    }

    /// The attachments, whose program can be replaced in one step by one of another version.
    pub(super) fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// Whether a predecessor left maps of this version.
    pub(super) fn has_maps(&self) -> bool {
        fs::read_dir(self.maps()).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// The other layout versions that maps are pinned of, in order.
    pub(super) fn other_versions(&self) -> Vec<u32> {
        let Ok(entries) = fs::read_dir(&self.root) else {
            return Vec::new();
        };
        let mut versions: Vec<u32> = entries
            .filter_map(|entry| {
                entry
                    .ok()?
                    .file_name()
                    .to_str()?
                    .strip_prefix('v')?
                    .parse()
                    .ok()
            })
            .filter(|version| *version != LAYOUT_VERSION)
            .collect();
        versions.sort_unstable();
        versions
    }

    /// Removes the maps of other versions, when no program uses them any more.
    pub(super) fn remove_other_versions(&self) {
        for version in self.other_versions() {
            remove(&self.maps_of(version));
        }
    }

    /// Removes the maps.
    pub(super) fn remove_maps(&self) {
        remove(&self.maps());
    }

    /// Removes what is left when everything is detached.
    pub(super) fn remove_all(&self) {
        self.remove_other_versions();
        self.remove_maps();
        remove(&self.links());
        // Stays if somebody else has something in it.
        let _ = fs::remove_dir(&self.root);
    }
}

fn remove(dir: &Path) {
    if let Err(error) = fs::remove_dir_all(dir)
        && error.kind() != io::ErrorKind::NotFound
    {
        log::warn!("{}: {error}", dir.display());
    }
}

/// Whether this path, or what there is of it, is on a BPF file system.
fn is_bpf_fs(path: &Path) -> Result<bool, EnforceError> {
    for ancestor in path.ancestors() {
        match statfs(ancestor) {
            // The type's width and sign differ between architectures.
            #[allow(clippy::unnecessary_cast)]
            Ok(found) => return Ok(found.f_type as u32 as u64 == BPF_FS_MAGIC),
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => {
                return Err(EnforceError::File {
                    path: ancestor.into(),
                    error: error.into(),
                });
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let error = Pins::prepare(&dir.path().join("deep/down")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("deep/down"), "{text}");
        assert!(text.contains("mount -t bpf"), "{text}");
    }
}
