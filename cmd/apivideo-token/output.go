package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// format is what the flags say to print of a token.
func (o *options) format(tok *oauth2.Token) string {
	switch {
	case o.header:
		return "Authorization: Bearer " + tok.AccessToken + "\n"
	case o.json:
		return formatJSON(tok)
	}
	return tok.AccessToken + "\n"
}

// formatJSON leaves out the refresh token: it works only once, and the cache
// needs it.
func formatJSON(tok *oauth2.Token) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // scripts may search for the token without escapes
	// Encoding strings cannot fail.
	_ = enc.Encode(struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		Expiry      string `json:"expiry"`
	}{tok.AccessToken, tok.TokenType, tok.Expiry.UTC().Format(time.RFC3339)})
	return b.String()
}

// write prints text and closes the file: some file systems report a full disk
// only then.
func write(f *os.File, text string) error {
	_, err := io.WriteString(f, text)
	if err == nil {
		err = f.Close()
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	if err != nil {
		return fmt.Errorf("cannot write to standard output: %w", err)
	}
	return nil
}

// version is that of the module that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
