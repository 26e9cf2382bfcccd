package mask

import "io"

// reader is a stream without secrets.
type reader struct {
	io.Closer
	from  io.Reader
	set   Set
	text  bool   // the stream may have escapes
	most  int    // that is held
	held  []byte // read, but perhaps the beginning of a secret
	room  []byte // for callers with little room; nil until one comes
	ready []byte // in room, to be handed out
	err   error  // of from, for when ready is empty
}

// Reader returns a stream like body that has asterisks instead of the secrets. It
// hands out what it reads at once, except an end that may be the beginning of a
// secret. It copies nothing but that if Read is called with more room than the
// longest secret needs. In text, a secret may also have the escapes of JSON.
func (s Set) Reader(body io.ReadCloser, text bool) io.ReadCloser {
	if len(s.patterns) == 0 {
		return body
	}
	most := s.longest()
	if text {
		most *= widest
	}
	return &reader{Closer: body, from: body, set: s, text: text, most: most}
}

func (r *reader) Read(p []byte) (n int, err error) {
	direct := len(p) > r.most
	for n == 0 && len(r.ready) == 0 && r.err == nil && len(p) > 0 {
		if direct {
			n = r.fill(p)
			continue
		}
		if r.room == nil {
			r.room = make([]byte, 2*r.most)
		}
		r.ready = r.room[:r.fill(r.room)]
	}
	if !direct || len(r.ready) > 0 {
		n = copy(p, r.ready)
		r.ready = r.ready[n:]
	}
	if n == 0 && len(p) > 0 {
		err = r.err
	}
	return n, err
}

// fill reads once into p, which has room for more than a secret, and returns how
// much of it may be handed out.
func (r *reader) fill(p []byte) int {
	n := copy(p, r.held)
	more, err := r.from.Read(p[n:])
	n, r.err = n+more, err
	r.set.overwrite(p[:n])
	begun := r.set.begun(p[:n])
	if r.text {
		if escaped(p[:n]) {
			r.set.overwriteEscaped(p[:n])
		}
		begun = max(begun, r.set.begunEscaped(p[:n]))
	}
	safe := n
	if err == nil {
		safe -= begun
	}
	r.held = append(r.held[:0], p[safe:n]...)
	return safe
}
