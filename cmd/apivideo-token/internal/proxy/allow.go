package proxy

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// allowList is what -allow names; nil allows everything.
type allowList struct{ mux *http.ServeMux }

// allowed marks the requests that match a pattern. A mux also adds handlers
// that redirect.
type allowed struct{}

func (allowed) ServeHTTP(http.ResponseWriter, *http.Request) {}

// newAllowList checks the patterns. Its error has one line and names the
// pattern.
func newAllowList(patterns []string) (allowList, error) {
	if len(patterns) == 0 {
		return allowList{}, nil
	}
	mux := http.NewServeMux()
	for _, pattern := range patterns {
		if err := add(mux, pattern); err != nil {
			return allowList{}, err
		}
	}
	return allowList{mux}, nil
}

// CheckPatterns reports what is wrong with the patterns of a [Config], in one
// line.
func CheckPatterns(patterns []string) error {
	_, err := newAllowList(patterns)
	return err
}

// registered is the part of a message that says where in this program a
// pattern was registered.
var registered = regexp.MustCompile(` \(registered at [^)]*\)`)

func add(mux *http.ServeMux, pattern string) (err error) {
	defer func() { // the only way in which a mux reports a mistake
		if v := recover(); v != nil {
			reason, _, _ := strings.Cut(fmt.Sprint(v), "\n")
			reason = strings.TrimSuffix(registered.ReplaceAllString(reason, ""), ":")
			err = fmt.Errorf("the pattern %q is not valid: %s", pattern, reason)
		}
	}()
	rest := pattern
	if i := strings.IndexAny(pattern, " \t"); i >= 0 {
		rest = strings.TrimLeft(pattern[i:], " \t")
	}
	if !strings.HasPrefix(rest, "/") {
		return fmt.Errorf("the pattern %q must be a path, or a method and a path: 'GET /videos/{id}'", pattern)
	}
	mux.Handle(pattern, allowed{})
	return nil
}

func (a allowList) matches(r *http.Request) bool {
	if a.mux == nil {
		return true
	}
	h, _ := a.mux.Handler(r)
	_, ok := h.(allowed)
	return ok
}
