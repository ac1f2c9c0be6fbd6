//! Groups of users of this machine. The lookups may read files, or ask a service of the network.

use nix::unistd::{Gid, Group, Uid, User};

/// The number of a group that is named, or given by its number.
pub(crate) fn group_id(group: &str) -> Option<u32> {
    let named = Group::from_name(group).ok().flatten().map(|group| group.gid.as_raw());
    named.or_else(|| group.parse().ok())
}

/// Whether a user belongs to a group.
pub(crate) fn is_member(user: u32, group: u32) -> bool {
    let Some(user) = User::from_uid(Uid::from_raw(user)).ok().flatten() else { return false };
    let has = |found: Group| found.mem.contains(&user.name);
    user.gid.as_raw() == group || Group::from_gid(Gid::from_raw(group)).ok().flatten().is_some_and(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_names_and_numbers() {
        assert_eq!((group_id("4711"), group_id("no-such-group")), (Some(4711), None));
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        let group = Group::from_gid(root.gid).unwrap().unwrap();
        assert_eq!(group_id(&group.name), Some(root.gid.as_raw()));
    }

    #[test]
    fn a_user_is_in_its_own_group_and_in_no_other() {
        let root = User::from_uid(Uid::from_raw(0)).unwrap().unwrap();
        assert!(is_member(0, root.gid.as_raw()));
        assert!(!is_member(0, 4_000_000_000) && !is_member(4_000_000_000, root.gid.as_raw()));
    }
}
