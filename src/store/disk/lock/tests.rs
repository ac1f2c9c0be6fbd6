use super::*;

/// The lock file is made again only when something is written: until then the directory's own lock is what keeps others out.
#[test]
fn a_directory_is_locked_without_its_lock_file() {
    let path = std::env::temp_dir().join(format!("leveret-lock-{}", std::process::id()));
    let access = Access::close(&path).unwrap();
    let held = Lock::take(&path, access).unwrap();
    std::fs::remove_file(path.join(LOCK_FILE)).unwrap();
    let second = Lock::take(&path, access);
    assert!(matches!(second, Err(DirectoryError::InUse { .. })), "{second:?}");
    drop(held);
    std::fs::remove_dir_all(&path).unwrap();
}
