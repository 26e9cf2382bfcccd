//go:build unix

package main

import (
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// exposed says who else may have read or written a secret file, or "". The file
// belongs to this user or to root. A group of this process may read it, as with
// fsGroup of Kubernetes, and so may root's group: that is what the mode says of a
// credential of systemd, to which an access list admits this user.
func exposed(info fs.FileInfo) string {
	owner, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return "belongs to another user; run chown"
	case mode&0o007 != 0:
		return "can be read by others; run chmod 600"
	case mode&0o030 != 0:
		return "can be written by its group; run chmod 600"
	case mode&0o040 != 0 && !(ok && (owner.Gid == 0 || inGroup(int(owner.Gid)))):
		return "can be read by a group that this process is not in; run chmod 600"
	}
	return ""
}

func inGroup(gid int) bool {
	groups, err := os.Getgroups()
	return gid == os.Getegid() || err == nil && slices.Contains(groups, gid)
}
