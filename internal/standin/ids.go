package standin

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// moment is a time as the service writes it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05+00:00") }

// now is the time as the service writes it.
func now() any { return moment(time.Now()) }

const idDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// randomID makes up an identifier, without its prefix.
func randomID() string {
	var id [22]byte
	for i := range id {
		id[i] = idDigits[rand.IntN(len(idDigits))]
	}
	return string(id[:])
}

// uuid makes up a stream key.
func uuid() any {
	h := RandomHex(32)
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}
