package main

import (
	"hash/maphash"
	"sync"
)

// secrets remembers the keys and tokens that there are and were, by their
// hashes. It is safe for concurrent use.
type secrets struct {
	mu     sync.Mutex // guards hashes
	hashes map[uint64]bool
}

var hashSeed = maphash.MakeSeed()

func (s *secrets) add(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hashes == nil {
		s.hashes = make(map[uint64]bool)
	}
	s.hashes[maphash.String(hashSeed, text)] = true
}

// has reports whether a text is or was a key or token.
func (s *secrets) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hashes[maphash.String(hashSeed, text)]
}
