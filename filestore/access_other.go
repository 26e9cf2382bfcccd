//go:build !unix

package filestore

import (
	"errors"
	"io/fs"
)

func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }

// Where files have no owner, the folder's permissions apply.
func private(fs.FileInfo) bool { return true }

func sameAccess(a, b fs.FileInfo) bool { return true }
