package roundtrip

import (
	"net/http"
	"strings"
	"syscall/js"
)

// refuseRedirects makes fetch fail at a redirect: it would send the API key to
// another host. Package net/http reads the header and does not send it.
func refuseRedirects(base http.RoundTripper, h http.Header) {
	if fetches(base) {
		h["js.fetch:redirect"] = []string{"error"}
	}
}

// fetches reports whether base uses fetch. http.Transport does not if it has a dial
// function, and not under Node.js. What other types do is not known.
func fetches(base http.RoundTripper) bool {
	if t, ok := base.(*http.Transport); ok && t != nil {
		//lint:ignore SA1019 programs may still set Dial and DialTLS
		if t.Dial != nil || t.DialTLS != nil || t.DialContext != nil || t.DialTLSContext != nil {
			return false
		}
	}
	process := js.Global().Get("process")
	node := process.Type() == js.TypeObject && strings.HasPrefix(process.Get("argv0").String(), "node")
	return !node && !js.Global().Get("fetch").IsUndefined()
}
