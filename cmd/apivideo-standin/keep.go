package main

import (
	"io"
	"os"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

// folder stores what is uploaded. A file of a video has its identifier as name,
// other files and parts have made-up ones.
type folder struct{ root *os.Root }

// openFolder makes the folder if there is none.
func openFolder(name string) (*folder, error) {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(name)
	return &folder{root}, err
}

// Create implements [standin.Keeper].
func (f *folder) Create() (standin.Blob, error) {
	name := "part-" + standin.RandomHex(16)
	file, err := f.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	return &stored{root: f.root, name: name, file: file}, err
}

// Join implements [standin.Keeper].
func (f *folder) Join(videoID string, parts []standin.Blob) (standin.Blob, error) {
	joined := parts[0].(*stored)
	if len(parts) > 1 {
		var err error
		if joined, err = f.concatenate(parts); err != nil {
			return nil, err
		}
	}
	name := videoID + ".mp4"
	if err := f.root.Rename(joined.name, name); err != nil {
		return nil, err
	}
	return &stored{root: f.root, name: name}, nil
}

// concatenate stores the content of parts, and removes these.
func (f *folder) concatenate(parts []standin.Blob) (*stored, error) {
	joined, err := f.Create()
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		content, err := part.Open()
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(joined, content)
		content.Close()
		if err != nil {
			return nil, err
		}
		part.Remove()
	}
	return joined.(*stored), joined.Close()
}

// stored is a file in a folder.
type stored struct {
	root *os.Root
	name string
	file *os.File // while it is written
}

func (s *stored) Write(p []byte) (int, error)      { return s.file.Write(p) }
func (s *stored) Close() error                     { return s.file.Close() }
func (s *stored) Open() (io.ReadSeekCloser, error) { return s.root.Open(s.name) }

func (s *stored) Remove() {
	if s.file != nil {
		s.file.Close() // it may be closed already
	}
	s.root.Remove(s.name)
}
