//! Finds git's lock: git holds it for as long as it rewrites the work tree.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns where the index lock of the work tree around `directory` would be.
pub(crate) fn index_lock(directory: &Path) -> Option<PathBuf> {
    let (root, dot_git) = directory
        .ancestors()
        .map(|ancestor| (ancestor, ancestor.join(".git")))
        .find(|(_, dot_git)| fs::symlink_metadata(dot_git).is_ok())?;
    if dot_git.is_dir() {
        return Some(dot_git.join("index.lock"));
    }
    // In a worktree or submodule `.git` is a file that names the real folder.
    let text = fs::read_to_string(&dot_git).ok()?;
    let folder = text.strip_prefix("gitdir:")?.trim();
    Some(root.join(folder).join("index.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_a_worktree_is_where_its_git_file_points() {
        let root = tempfile::tempdir().unwrap();
        let tree = root.path().join("tree/src");
        fs::create_dir_all(&tree).unwrap();
        fs::write(
            root.path().join("tree/.git"),
            "gitdir: ../main/.git/worktrees/tree\n",
        )
        .unwrap();
        let lock = index_lock(&tree).unwrap();
        assert!(
            lock.ends_with("main/.git/worktrees/tree/index.lock"),
            "{lock:?}"
        );
    }

    #[test]
    fn a_checkout_locks_in_its_own_git_folder() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join(".git")).unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        let lock = index_lock(&root.path().join("a/b")).unwrap();
        assert_eq!(lock, root.path().join(".git/index.lock"));
    }
}
