// Package secret finds the secrets of the fake server in text.
package secret

import "regexp"

// pattern is how its access tokens and API keys begin, and what all its refresh
// tokens look like from any place in them.
var pattern = regexp.MustCompile(`eyJ0eXAiOiJKV1Qi|made-up-key-[0-9a-f]|[0-9a-f]{80}`)

// In returns the first secret in a text, "" if there is none.
func In(text string) string { return pattern.FindString(text) }
