package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

// explain turns an error of the library into one for the user of this program:
// with what to do, and without the names of Go.
func explain(err error, keyName string) error {
	text := strings.TrimPrefix(err.Error(), "apivideo: ")
	failed, ok := errors.AsType[*apivideo.Error](err)
	if !ok { // the library says what to do about a configuration
		text = strings.NewReplacer("Config.APIKey", keyName, "Config.BaseURL", baseURLVariable).Replace(text)
		return errors.New(text)
	}
	return fmt.Errorf("%s; %s", strings.TrimSuffix(text, "."), advice(failed, keyName))
}

// advice is what to do about a failed auth call.
func advice(failed *apivideo.Error, keyName string) string {
	switch {
	case errors.Is(failed, apivideo.ErrInvalidAPIKey):
		return "check " + keyName + " and -sandbox: the sandbox and production have separate keys"
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
