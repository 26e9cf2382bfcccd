//go:build !js

package roundtrip

import "net/http"

// refuseRedirects does nothing: only fetch follows redirects by itself.
func refuseRedirects(http.RoundTripper, http.Header) {}
