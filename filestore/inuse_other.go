//go:build !windows

package filestore

// inUse reports whether another process keeps a file from being replaced or
// opened, which happens on Windows only.
func inUse(error) bool { return false }
