package recipes_test

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// accountVars are at /debug/vars, under "apivideo".
var accountVars = expvar.NewMap("apivideo")

// publish shows the Source of an account at /debug/vars. It turns errors into
// strings, because JSON shows an error as {}.
func publish(account string, src *apivideo.Source) {
	accountVars.Set(account, expvar.Func(func() any {
		s := src.Stats() // makes no call
		return struct {
			apivideo.Stats
			Ready            bool
			Error, LastError string
		}{s, s.Err() == nil, text(s.Err()), text(s.LastError)}
	}))
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func Example_expvar() {
	srv := apivideotest.NewServer()
	defer srv.Close()
	src := srv.Config().Source(context.Background())
	publish("1a2b3c4d", src)
	src.Token()
	srv.Fail(apivideotest.Status(404))
	srv.SetSuspended(true)
	src.Renew(context.Background())

	shown := map[string]struct {
		Ready, Usable    bool
		Exchanges        int
		Failures         int
		Error, LastError string
	}{}
	if err := json.Unmarshal([]byte(expvar.Get("apivideo").String()), &shown); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", shown["1a2b3c4d"])
	// Output:
	// {Ready:true Usable:true Exchanges:1 Failures:2 Error: LastError:apivideo: authenticate: 403 Forbidden: Suspended account}
}
