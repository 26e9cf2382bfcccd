// Package roundtrip sends requests. An auth call goes over a new connection if the
// call before had no answer, and follows no redirect with a credential.
package roundtrip

import (
	"net/http"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip/standard"
)

// Send sends req through base. It returns either a response or an error, whatever
// base returns. closes is the bound of [Drop].
func Send(base http.RoundTripper, req *http.Request, closes *guard.Bound) (*http.Response, error) {
	resp, err := base.RoundTrip(req)
	switch {
	case err != nil:
		Drop(resp, closes)
		return nil, err
	case resp == nil:
		return nil, standard.Neither(base)
	}
	return resp, nil
}

// Drop closes a response that nobody gets, and does not wait for that. It may be nil.
// It stays open if too many Close calls hang.
func Drop(resp *http.Response, closes *guard.Bound) {
	if resp == nil || resp.Body == nil {
		return
	}
	_, leave, ok := guard.Start(closes, func() (struct{}, error) { return struct{}{}, resp.Body.Close() })
	if ok {
		leave()
	}
}
