package mask

import "io"

// chunk is how much is read at once, in bytes: as much as package httputil
// copies at once.
const chunk = 32 << 10

// reader is a stream without secrets.
type reader struct {
	io.Closer
	from io.Reader
	set  Set
	room []byte // for buf; nil before the first Read
	size int    // of room
	buf  []byte // what was read and not handed out
	safe int    // how much of buf may be handed out
	err  error  // of from, for when buf is empty
}

// Reader returns a stream like body that has asterisks instead of the secrets. It
// hands out what it reads at once, except an end that may be the beginning of a
// secret. Length is that of the body, or negative if it is unknown.
func (s Set) Reader(body io.ReadCloser, length int64) io.ReadCloser {
	if len(s.patterns) == 0 {
		return body
	}
	if length < 0 || length > chunk {
		length = chunk
	}
	return &reader{Closer: body, from: body, set: s, size: int(length) + s.longest()}
}

func (r *reader) Read(p []byte) (int, error) {
	for r.safe == 0 && r.err == nil && len(p) > 0 {
		r.fill()
	}
	n := copy(p, r.buf[:r.safe])
	r.buf, r.safe = r.buf[n:], r.safe-n
	if len(r.buf) == 0 && n == 0 {
		return 0, r.err
	}
	return n, nil
}

// fill reads once.
func (r *reader) fill() {
	held := len(r.buf)
	if r.room == nil {
		r.room = make([]byte, r.size)
	}
	copy(r.room, r.buf)
	n, err := r.from.Read(r.room[held:])
	r.buf, r.err = r.room[:held+n], err
	r.set.Overwrite(r.buf)
	r.safe = len(r.buf)
	if err == nil {
		r.safe -= r.set.begun(r.buf)
	}
}
