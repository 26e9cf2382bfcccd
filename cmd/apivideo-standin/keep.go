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

// close releases the folder. On Windows it cannot be removed before that.
func (f *folder) close() { f.root.Close() }

// Create implements [standin.Keeper].
func (f *folder) Create() (standin.Blob, error) {
	name := "part-" + standin.RandomHex(16)
	file, err := f.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	return &stored{root: f.root, name: name, file: file}, err
}

// Join implements [standin.Keeper].
func (f *folder) Join(videoID string, sections []standin.Section) (standin.Blob, error) {
	joined := sections[0].Blob.(*stored)
	if len(sections) > 1 {
		var err error
		if joined, err = f.concatenate(sections); err != nil {
			return nil, err
		}
	}
	name := videoID + ".mp4"
	if err := f.root.Rename(joined.name, name); err != nil {
		return nil, err
	}
	return &stored{root: f.root, name: name}, nil
}

// concatenate stores the content of sections, and removes these.
func (f *folder) concatenate(sections []standin.Section) (*stored, error) {
	joined, err := f.Create()
	if err != nil {
		return nil, err
	}
	for _, section := range sections {
		if err == nil {
			err = appendTo(joined, section)
		}
		section.Remove()
	}
	if err == nil {
		err = joined.Close()
	}
	if err != nil {
		joined.Remove()
		return nil, err
	}
	return joined.(*stored), nil
}

func appendTo(joined io.Writer, section standin.Section) error {
	content, err := section.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	if _, err := content.Seek(section.Skip, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(joined, content)
	return err
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
