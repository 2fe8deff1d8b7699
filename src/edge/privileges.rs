//! Giving up what is no longer needed once the sockets are open: being root, capabilities, most of the file system.
//!
//! To be called before any thread is started: capabilities, the promise not to gain new privileges and the confinement
//! belong to a thread, and the ones started later inherit them. Each step stands alone: where the kernel does not know
//! one, the others are taken, and [`Shed`] says what was.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, path_beneath_rules,
};
use nix::unistd::{self, User};
use rustix::fs::{AtFlags, CWD, Gid, Uid, chownat};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities, set_no_new_privs,
};

use crate::base::bounds;

/// The newest rules that are known here; the kernel takes those that it knows too.
const LANDLOCK: ABI = ABI::V5;
/// What is read that no configuration names: what the system tells of itself.
const TOLD_BY_THE_SYSTEM: &[&str] = &["/proc", "/sys"];

/// A user of this system.
#[derive(Debug)]
pub struct Account(User);

impl Account {
    /// The user of this name.
    ///
    /// # Errors
    /// In words, where there is none.
    pub fn find(name: &str) -> Result<Self, String> {
        match User::from_name(name) {
            Ok(Some(user)) => Ok(Self(user)),
            Ok(None) => Err(format!("user: found {name:?}, which this system has not; create it, or `user: off`")),
            Err(fault) => Err(format!("user: {name:?} cannot be looked up: {fault}")),
        }
    }

    /// Makes `folder`, if need be, and gives it with what is in it to the user, where it is root's.
    ///
    /// # Errors
    /// In words, where it is a third one's, who could then change what we believe, or the system refuses.
    pub fn own(&self, folder: &Path) -> Result<(), String> {
        let told = |fault: io::Error| format!("{}: {fault}", folder.display());
        std::fs::create_dir_all(folder).map_err(told)?;
        let owner = std::fs::metadata(folder).map_err(told)?.uid();
        if owner == self.0.uid.as_raw() {
            return Ok(());
        }
        if owner != 0 {
            let name = &self.0.name;
            return Err(format!("{}: belongs to user {owner}, allowed: {name} or root", folder.display()));
        }
        let mut open = vec![folder.to_owned()];
        for _ in 0..bounds::STATE_FILES_MAX {
            let Some(path) = open.pop() else { return Ok(()) };
            let metadata = std::fs::symlink_metadata(&path).map_err(told)?;
            let (uid, gid) = (Uid::from_raw(self.0.uid.as_raw()), Gid::from_raw(self.0.gid.as_raw()));
            chownat(CWD, &path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(|fault| told(fault.into()))?;
            if metadata.is_dir() {
                open.extend(std::fs::read_dir(&path).map_err(told)?.flatten().map(|entry| entry.path()));
            }
        }
        Err(format!("{}: more than {} files", folder.display(), bounds::STATE_FILES_MAX))
    }

    /// Becomes this user, with its groups and no way back; what root could do stays within reach of [`shed`] if it
    /// `keeps` something of it.
    ///
    /// # Errors
    /// In words, where the system refuses: then nothing may be served.
    pub fn become_it(&self, keeps: bool) -> Result<(), String> {
        let User { name, uid, gid, .. } = &self.0;
        let told = |fault: nix::Error| format!("cannot become the user {name}: {fault}");
        // While we may: what no program run from here shall ever have again.
        close_bounding_set(CapabilitySet::empty());
        let named = CString::new(name.as_bytes()).map_err(|fault| fault.to_string())?;
        if keeps {
            set_keep_capabilities(true).ok(); // where the system refuses, low ports take a restart
        }
        unistd::initgroups(&named, *gid).map_err(told)?;
        unistd::setgid(*gid).map_err(told)?;
        unistd::setuid(*uid).map_err(told)?;
        if !uid.is_root() && unistd::setuid(unistd::Uid::from_raw(0)).is_ok() {
            return Err(format!("the system lets {name} become root again"));
        }
        Ok(())
    }
}

/// Whether we are root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The files that a process may still touch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Files {
    /// Files that are read, now or after a reload. What lies in the same folders can be read too, as files are replaced
    /// by renaming others.
    pub read: Vec<PathBuf>,
    /// The folder that is written to.
    pub written: Option<PathBuf>,
    /// Whether programs are run, which need more than we do: then everything may be read and run.
    pub runs_programs: bool,
}

/// What was given up.
#[derive(Debug)]
pub struct Shed {
    /// The capabilities.
    pub capabilities: io::Result<()>,
    /// Gaining privileges by running a program.
    pub new_privileges: io::Result<()>,
    /// Files; with whether all of it is in force, or a part.
    pub files: Result<bool, String>,
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut part = |what: &str, outcome: Result<&str, String>| match outcome {
            Ok(how) => write!(f, "{what}{how}"),
            Err(fault) => write!(f, "{what} not given up ({fault})"),
        };
        part("capabilities", self.capabilities.as_ref().map(|()| "").map_err(ToString::to_string))?;
        part(", new privileges", self.new_privileges.as_ref().map(|()| "").map_err(ToString::to_string))?;
        let files = self.files.as_ref().map(|is_whole| if *is_whole { "" } else { " in part" }).map_err(Clone::clone);
        part(", other files", files)
    }
}

impl Shed {
    /// Whether all of it was given up.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.capabilities.is_ok() && self.new_privileges.is_ok() && matches!(self.files, Ok(true))
    }
}

/// Gives up, for this thread and all that it starts: capabilities, new privileges, files other than `files`.
///
/// Where low ports may have to be bound later (`binds_low`), the right to that is kept, if there is one. One who stays
/// root keeps the right to read and write files of others, without which root finds its files closed.
#[must_use]
pub fn shed(files: &Files, binds_low: bool) -> Shed {
    let mut wanted = CapabilitySet::empty();
    wanted.set(CapabilitySet::DAC_OVERRIDE, is_root());
    wanted.set(CapabilitySet::NET_BIND_SERVICE, binds_low);
    let there = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
    let kept = wanted.intersection(there);
    // The ambient set first: it refills the others when a program is run.
    clear_ambient_capability_set().ok();
    close_bounding_set(kept);
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    let capabilities = set_capabilities(None, sets).map_err(Into::into);
    let new_privileges = set_no_new_privs(true).map_err(Into::into);
    let files = confine(files).map_err(|fault| fault.to_string()).and_then(|status| match status {
        RulesetStatus::FullyEnforced => Ok(true),
        RulesetStatus::PartiallyEnforced => Ok(false),
        RulesetStatus::NotEnforced => Err("the kernel has no Landlock".into()),
    });
    Shed { capabilities, new_privileges, files }
}

/// Best effort: it takes a capability, and nothing that a program could gain from the set is left to us anyway.
fn close_bounding_set(kept: CapabilitySet) {
    for capability in CapabilitySet::all().difference(kept).iter() {
        remove_capability_from_bounding_set(capability).ok();
    }
}

/// Closes the file system but for `files`.
fn confine(files: &Files) -> Result<RulesetStatus, RulesetError> {
    let reading: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let rules = Ruleset::default().handle_access(AccessFs::from_all(LANDLOCK))?.create()?;
    let mut rules = allow(rules, TOLD_BY_THE_SYSTEM.iter().map(PathBuf::from), reading)?;
    if files.runs_programs {
        rules = allow(rules, [PathBuf::from("/")], reading | AccessFs::Execute)?;
        rules = allow(rules, [PathBuf::from("/dev/null")], reading | AccessFs::WriteFile)?;
    }
    rules = allow(rules, files.read.iter().flat_map(|file| folders_of(file)), reading)?;
    rules = allow(rules, files.written.clone(), AccessFs::from_all(LANDLOCK) & !AccessFs::Execute)?;
    Ok(rules.restrict_self()?.ruleset)
}

fn allow(
    rules: RulesetCreated,
    paths: impl IntoIterator<Item = PathBuf>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    // What does not exist has no rule: nothing can be allowed that is not there.
    rules.add_rules(path_beneath_rules(paths, access))
}

/// The folder that a file lies in, the one that its name leads to, and itself if it is a folder.
fn folders_of(file: &Path) -> Vec<PathBuf> {
    let led_to = std::fs::canonicalize(file).ok();
    let parent = |path: &Path| {
        let parent = path.parent()?;
        Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() })
    };
    let mut folders: Vec<PathBuf> = if file.is_dir() {
        vec![file.to_owned()]
    } else {
        std::iter::once(file).chain(led_to.as_deref()).filter_map(parent).collect()
    };
    folders.dedup();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a thread gives up is its own, so a test can.
    fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(work).join().unwrap())
    }

    #[test]
    fn a_user_that_is_not_there_is_named() {
        let told = Account::find("nobody-of-this-name").unwrap_err();
        assert!(told.contains("nobody-of-this-name"), "{told}");
        assert!(Account::find("root").is_ok());
    }

    #[test]
    fn what_is_given_up_is_gone_for_this_thread_and_those_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        let [named, other, state] = ["named/x.zone", "other/y.zone", "state/old"].map(|file| folder.path().join(file));
        for file in [&named, &other, &state] {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "text").unwrap();
        }
        let written = state.parent().map(Path::to_owned);
        let files = Files { read: vec![named.clone()], written, runs_programs: false };
        aside(|| {
            let shed = shed(&files, false);
            assert!(shed.capabilities.is_ok() && shed.new_privileges.is_ok(), "{shed}");
            aside(|| {
                let sets = rustix::thread::capabilities(None).unwrap();
                assert!(CapabilitySet::DAC_OVERRIDE.contains(sets.permitted), "{sets:?}");
                assert!(rustix::thread::no_new_privs().unwrap());
                if shed.files.is_err() {
                    return; // this kernel confines nobody
                }
                assert_eq!(std::fs::read_to_string(&named).unwrap(), "text");
                assert_eq!(std::fs::read_to_string(&other).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
                assert!(std::fs::write(&named, "changed").is_err());
                std::fs::write(state.with_extension("new"), "text").unwrap();
                std::fs::rename(state.with_extension("new"), &state).unwrap();
            });
        });
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "text", "the other threads are as they were");
    }

    #[test]
    fn a_file_opens_its_folder_and_the_one_it_is_linked_from() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::create_dir_all(&one).unwrap();
        std::fs::create_dir_all(&two).unwrap();
        std::fs::write(one.join("file"), "").unwrap();
        std::os::unix::fs::symlink(one.join("file"), two.join("link")).unwrap();
        let one = one.canonicalize().unwrap();
        assert_eq!(folders_of(&two.join("link")), [two, one.clone()]);
        assert_eq!(folders_of(&one), [one]);
        assert_eq!(folders_of(Path::new("plain"))[0], Path::new("."));
    }
}
