// Package audit writes a line of JSON for each request to a file.
package audit

import (
	"encoding/json"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one line.
type Entry struct {
	Time     time.Time `json:"time"`   // when the request came
	Client   string    `json:"client"` // its address; "unix" for a Unix socket
	Method   string    `json:"method"`
	Host     string    `json:"host"`
	Path     string    `json:"path"`   // without the query, and without secrets
	Status   int       `json:"status"` // 0 if the client was gone before the answer
	Allowed  bool      `json:"allowed"`
	Reason   string    `json:"reason,omitempty"` // why it was not allowed
	BytesIn  int64     `json:"bytes_in"`
	BytesOut int64     `json:"bytes_out"`
	Duration float64   `json:"duration_ms"`
}

const (
	// maxWaiting is how many lines may wait for the disk. More are lost: no
	// request waits.
	maxWaiting = 1024
	// flushTime is how long Close waits for the disk.
	flushTime = time.Second
	// lastTime is how long Close waits for requests that were broken off.
	lastTime = time.Second
)

// Log is an open file. The methods of a nil Log do nothing.
type Log struct {
	name  string
	trace func(err error, lost int) // see Open
	lines chan []byte
	done  chan struct{}

	running atomic.Int64 // how many requests

	mu     sync.Mutex // guards what follows
	closed bool
	lost   int // lines since the last one that was written

	file   *os.File // of the writer's goroutine only, as is the next
	broken bool     // the last line is there in part
}

// Open opens the file, which is made if it does not exist, with mode 0600. When a
// line cannot be written, trace is called with the reason, and when one can be
// written again, with nil and how many were lost.
func Open(name string, trace func(err error, lost int)) (*Log, error) {
	l := &Log{name: name, trace: trace, lines: make(chan []byte, maxWaiting), done: make(chan struct{})}
	if err := l.open(); err != nil {
		return nil, err
	}
	go l.run()
	return l, nil
}

func (l *Log) open() (err error) {
	l.file, err = os.OpenFile(l.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	return err
}

// Write hands a line to the writer. After Close it does nothing.
func (l *Log) Write(e Entry) {
	if l == nil {
		return
	}
	line, err := json.Marshal(e)
	if err != nil {
		return // a struct of strings and numbers
	}
	l.mu.Lock()
	full := false
	if !l.closed {
		select {
		case l.lines <- append(line, '\n'):
		default:
			full = true
		}
	}
	l.mu.Unlock()
	if full {
		l.lose(errSlow)
	}
}

// Close writes the lines that wait, and those of requests that end now, for a
// second at most.
func (l *Log) Close() {
	if l == nil {
		return
	}
	for end := time.Now().Add(lastTime); l.running.Load() > 0 && time.Now().Before(end); {
		<-time.After(lastTime / 200)
	}
	l.mu.Lock()
	l.closed = true
	close(l.lines)
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-time.After(flushTime):
	}
}

func (l *Log) run() {
	defer close(l.done)
	for line := range l.lines {
		if err := l.put(line); err != nil {
			l.lose(err)
			continue
		}
		l.mu.Lock()
		lost := l.lost
		l.lost = 0
		l.mu.Unlock()
		if lost > 0 {
			l.trace(nil, lost)
		}
	}
	l.file.Close()
}

// lose counts a line that was not written. Only the first says why.
func (l *Log) lose(err error) {
	l.mu.Lock()
	l.lost++
	first := l.lost == 1
	l.mu.Unlock()
	if first {
		l.trace(err, 0)
	}
}

// put writes a line to the file that has the name now: a program may have
// renamed or deleted the one that is open.
func (l *Log) put(line []byte) error {
	if err := l.reopen(); err != nil {
		return err
	}
	if l.broken {
		line = append([]byte{'\n'}, line...)
	}
	n, err := l.file.Write(line)
	if n > 0 {
		l.broken = n < len(line) && !l.cut(n)
	}
	return err
}

// cut removes the last n bytes of the file, and reports whether they are gone.
func (l *Log) cut(n int) bool {
	info, err := l.file.Stat()
	return err == nil && info.Mode().IsRegular() && l.file.Truncate(info.Size()-int64(n)) == nil
}

func (l *Log) reopen() error {
	now, err := os.Stat(l.name)
	if err == nil {
		var open fs.FileInfo
		if open, err = l.file.Stat(); err == nil && os.SameFile(now, open) {
			return nil
		}
	}
	old := l.file
	if err := l.open(); err != nil {
		l.file = old
		return err
	}
	l.broken = false
	return old.Close()
}
