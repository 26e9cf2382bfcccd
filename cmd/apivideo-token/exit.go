package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

// The exit statuses, by cause. Those above 2 are of sysexits.h.
const (
	statusOther     = 1
	statusUsage     = 2
	statusTemporary = 75 // EX_TEMPFAIL: asking again may help
	statusRejected  = 77 // EX_NOPERM: the service refuses the key or the account
	statusSettings  = 78 // EX_CONFIG
)

// exitError is an error for the user to read, with an exit status. An empty
// text prints nothing.
type exitError struct {
	status int
	text   string
}

func (e *exitError) Error() string { return e.text }

func fail(status int, format string, args ...any) error {
	return &exitError{status, fmt.Sprintf(format, args...)}
}

func usage(format string, args ...any) error { return fail(statusUsage, format, args...) }

func setting(format string, args ...any) error { return fail(statusSettings, format, args...) }

func statusOf(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.status
	}
	return statusOther
}

// explain turns an error of the library into one for the user of this program.
// It says what to do, and uses no names of Go.
func (acc *account) explain(err error) error {
	text := strings.TrimPrefix(err.Error(), "apivideo: ")
	told, explained := errors.AsType[*exitError](err)
	failed, ok := errors.AsType[*apivideo.Error](err)
	switch {
	case explained:
		return told
	case ok:
		return fail(causeOf(failed), "%s; %s", strings.TrimSuffix(text, "."), acc.advice(failed))
	case errors.Is(err, apivideo.ErrInvalidConfig): // it says what to do
		return setting("%s", strings.NewReplacer(
			// Not the name of the file, which may be an API key in the wrong variable.
			"the content of the key file "+acc.keyFile, acc.keyName, "the key file "+acc.keyFile, acc.keyName,
			"the API key of Config.APIKeyFunc", acc.keyName, "Config.APIKey", acc.keyName, "Config.BaseURL", baseURLVariable).Replace(text))
	}
	return fail(statusTemporary, "%s", text)
}

func causeOf(failed *apivideo.Error) int {
	switch {
	case unknownAuthority(failed):
		return statusSettings
	case errors.Is(failed, apivideo.ErrInvalidAPIKey), errors.Is(failed, apivideo.ErrAccountSuspended):
		return statusRejected
	case failed.Temporary():
		return statusTemporary
	}
	return statusOther
}

// advice is what to do about a failed auth call.
func (acc *account) advice(failed *apivideo.Error) string {
	switch {
	case unknownAuthority(failed):
		return "if your network has its own certificate authority, " + trustIt + unreadableRoots()
	case errors.Is(failed, apivideo.ErrInvalidAPIKey):
		return "check " + acc.keyName + " and -sandbox: the sandbox and production have separate keys"
	case errors.Is(failed, apivideo.ErrAccountSuspended):
		return "ask the support of api.video"
	case failed.RetryAfter > 0:
		return fmt.Sprintf("try again in %v", failed.RetryAfter.Round(time.Second))
	case failed.Status == 0: // no answer
		return "check the network, the proxy and " + baseURLVariable
	case failed.Temporary():
		return "try again later, and check " + baseURLVariable + " if it is set"
	}
	return "check " + baseURLVariable + " if it is set"
}

// oneLine is s without line breaks.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
