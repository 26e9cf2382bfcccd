package standin

import "slices"

// upload is the file of a video. It arrives in parts, in any order and side by
// side. api.mu guards it.
type upload struct {
	parts    []part // in their order; none contains another
	bytes    bool   // the parts are counted in bytes
	total    int64  // parts or bytes of the file, 0 if not known yet
	complete bool
	file     Blob // once it is complete, if it is kept
}

// part is a part of a file.
type part struct {
	place
	size int64 // in bytes
	blob Blob  // nil if it is not kept
}

// place is where a part belongs in its file. It is counted in bytes, or in
// parts, which then are of length 1.
type place struct {
	bytes    bool
	from, to int64 // from 0; to is not included
	total    int64 // of the file; 0 if not known yet
}

// whole is the place of a file that comes whole.
func whole(size int64) place { return place{bytes: true, to: size, total: size} }

func (p place) contains(other place) bool { return p.from <= other.from && other.to <= p.to }

// add adds a part, and returns all of them in order if the file is complete
// now. It returns false if it was complete before. A part that arrives again
// replaces the earlier one. A part of another file replaces all: one counted
// otherwise, or with another total.
func (u *upload) add(p part) (all []Section, ok bool) {
	if u.complete {
		return nil, false
	}
	another := u.bytes != p.bytes || u.total > 0 && p.total > 0 && u.total != p.total
	if another || p.total > 0 || p.to > u.total {
		u.bytes, u.total = p.bytes, p.total
	}
	u.drop(func(old part) bool { return another || u.total > 0 && old.to > u.total || p.contains(old.place) })
	if slices.ContainsFunc(u.parts, func(old part) bool { return old.contains(p.place) }) {
		file{blob: p.blob}.remove()
		return nil, true
	}
	at := slices.IndexFunc(u.parts, func(old part) bool { return old.from > p.from })
	if at < 0 {
		at = len(u.parts)
	}
	u.parts = slices.Insert(u.parts, at, p)
	if u.complete = u.total > 0 && u.covered() == u.total; !u.complete || p.blob == nil {
		return nil, true
	}
	return u.take(), true
}

// drop deletes parts.
func (u *upload) drop(which func(part) bool) {
	u.parts = slices.DeleteFunc(u.parts, func(p part) bool {
		dropped := which(p)
		if dropped {
			file{blob: p.blob}.remove()
		}
		return dropped
	})
}

// covered returns the place up to which all parts have arrived.
func (u *upload) covered() (to int64) {
	for _, p := range u.parts {
		if p.from > to {
			break
		}
		to = p.to
	}
	return to
}

// take returns what is stored of a complete file.
func (u *upload) take() (all []Section) {
	to := int64(0)
	for i, p := range u.parts {
		all = append(all, Section{p.blob, to - p.from})
		to, u.parts[i].blob = p.to, nil
	}
	return all
}

// discard deletes what is stored.
func (u *upload) discard() {
	u.drop(func(part) bool { return true })
	file{blob: u.file}.remove()
}

// ingest describes the parts that have arrived.
func (u *upload) ingest() fields {
	state, filesize, total := "uploading", any(nil), any(nil)
	ranges, numbers, size := []any{}, []any{}, int64(0)
	for _, p := range u.parts {
		size += p.size
		if !u.bytes {
			numbers = append(numbers, p.to)
			continue
		}
		shown := fields{{"from", p.from}, {"to", p.to - 1}}
		if u.total > 0 {
			shown = append(shown, fields{{"total", u.total}}...)
		}
		ranges = append(ranges, shown)
	}
	switch {
	case u.bytes:
		size = u.total // the ranges may overlap
	case u.total > 0:
		total = u.total
	}
	if u.complete {
		state, filesize = "uploaded", size
	}
	return fields{
		{"status", state},
		{"filesize", filesize},
		{"receivedBytes", ranges},
		{"receivedParts", fields{{"parts", numbers}, {"total", total}}},
	}
}
